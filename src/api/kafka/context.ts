/** What every handler of the Kafka API may use. Built once by the composition root and shared by all connections. */

import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { RateLimitedWarning } from "../../base/rate-limited-warning.ts";
import type { Broker } from "../../broker/broker.ts";
import type { FetchSessions } from "../../consumer/fetch-sessions.ts";
import type { Fetches } from "../../consumer/fetches.ts";
import type { GroupConfigs } from "../../consumer/group-configs.ts";
import type { Groups } from "../../consumer/groups.ts";
import type { HeartbeatGroups } from "../../consumer/heartbeat-groups/heartbeat-groups.ts";
import type { GroupOffsets } from "../../consumer/offsets.ts";
import type { ServerSetting } from "./config-entries.ts";

export interface KafkaContext {
  readonly broker: Broker;
  readonly offsets: GroupOffsets;
  readonly heartbeatGroups: HeartbeatGroups;
  readonly groupConfigs: GroupConfigs;
  readonly groups: Groups;
  readonly fetches: Fetches;
  readonly fetchSessions: FetchSessions;
  /** The server's own settings, under Kafka's names. */
  readonly serverSettings: () => readonly ServerSetting[];
  readonly clock: Clock;
  readonly log: Log;
  /** Clients that are told of a refused transaction point at the log of the broker. */
  readonly transactionWarning: RateLimitedWarning;
  /**
   * Where clients are told to connect. Without a host it is the address that the client itself connected to, which is right
   * for every client when the server listens on all addresses. The port may be known only once the listener is open.
   */
  readonly advertised: { host: string | null; port: number };
}

export function transactionWarning(log: Log, clock: Clock): RateLimitedWarning {
  return new RateLimitedWarning(log, clock, "a producer is refused: transactions are not supported yet");
}

/** What a client is told of this broker; `localHost` is our end of its connection. */
export function placeFor(
  { broker, advertised }: KafkaContext,
  localHost: string,
): { nodeId: number; host: string; port: number } {
  return { nodeId: broker.nodeId, host: advertised.host ?? localHost, port: advertised.port };
}
