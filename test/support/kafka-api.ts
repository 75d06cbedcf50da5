/** The Kafka API on a free port over a broker in memory, with everything that a test may want to look at. */

import { type KafkaContext, transactionWarning } from "../../src/api/kafka/context.ts";
import { KafkaApi } from "../../src/api/kafka/kafka-api.ts";
import type { KafkaSession } from "../../src/api/kafka/session.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Facts, Log } from "../../src/base/log.ts";
import { MemoryBudget } from "../../src/base/memory/memory-budget.ts";
import { MiB } from "../../src/base/units.ts";
import type { BrokerOptions, BrokerParts } from "../../src/broker/broker.ts";
import { FetchSessions } from "../../src/consumer/fetch-sessions.ts";
import { Fetches } from "../../src/consumer/fetches.ts";
import { GroupConfigs } from "../../src/consumer/group-configs.ts";
import { Groups, type GroupsOptions } from "../../src/consumer/groups.ts";
import type { GroupRules } from "../../src/consumer/heartbeat-groups/heartbeat.ts";
import { HeartbeatGroups } from "../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import { HeartbeatGroupKind } from "../../src/consumer/heartbeat-groups/kind.ts";
import { viewOf } from "../../src/consumer/heartbeat-groups/topic-view.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { Listener } from "../../src/network/listener.ts";
import type { StorageEngine } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { openBroker } from "./broker.ts";
import { WireClient } from "./kafka-wire.ts";
import { placesOf } from "./places.ts";

export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly facts: Facts;
}

export interface TestKafkaApi {
  readonly context: KafkaContext;
  readonly api: KafkaApi;
  readonly listener: Listener<KafkaSession>;
  readonly responseBudget: MemoryBudget;
  readonly frameBudget: MemoryBudget;
  readonly lines: LoggedLine[];
  readonly port: number;
  connect(): Promise<WireClient>;
  stop(): Promise<void>;
}

export interface TestKafkaApiOptions {
  readonly broker?: Partial<BrokerOptions>;
  readonly engine?: StorageEngine;
  /** How partitions are kept. Default: as logs of the engine. */
  readonly openPartitions?: NonNullable<BrokerParts["openPartitions"]>;
  readonly groups?: Partial<GroupsOptions>;
  readonly fetchSessionsMax?: number;
  readonly responseBudgetBytes?: number;
  readonly outputSoftBytes?: number;
  readonly groupRules?: Partial<GroupRules>;
}

/** As the settings have them, with nothing to wait for. */
const GROUPS_OPTIONS: GroupsOptions = {
  initialRebalanceDelayMs: 0,
  membersMax: 1000,
  sessionTimeoutMsMin: 1,
  sessionTimeoutMsMax: 1_800_000,
};

export async function openKafkaApi(options: TestKafkaApiOptions = {}): Promise<TestKafkaApi> {
  const { engine = new MemoryEngine(), openPartitions } = options;
  const broker = await openBroker(
    options.broker,
    openPartitions === undefined ? { engine } : { engine, openPartitions },
  );
  const offsets = await GroupOffsets.open(engine.state, systemClock);
  broker.topics.onRemoved(offsets);
  let sessionId = 0;
  const sessionLimits = { sessionsMax: options.fetchSessionsMax ?? 1000, partitionsMax: 10_000 };
  const fetchSessions = new FetchSessions(sessionLimits, systemClock, () => ++sessionId);
  const lines: LoggedLine[] = [];
  const log = collectingLog(lines);
  const rules = {
    membersMax: 1000,
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 5000,
    assignmentIntervalMs: 0,
    ...options.groupRules,
  };
  const groupConfigs = await GroupConfigs.open(engine.state, rules);
  const heartbeatGroups = await HeartbeatGroups.open({
    state: engine.state,
    topics: viewOf(broker.topics),
    clock: systemClock,
    log,
    newId: () => crypto.randomUUID(),
    membersMax: rules.membersMax,
    migrationPolicy: "bidirectional",
    configs: groupConfigs,
  });
  const fetches = new Fetches(systemClock, { openMax: 1000, responseBytesMax: 64 * MiB });
  const advertised = { host: "127.0.0.1", port: 0 };
  const newId = () => crypto.randomUUID();
  const parts = { state: engine.state, offsets, clock: systemClock, log, newId };
  const groups = await Groups.open({ ...GROUPS_OPTIONS, ...options.groups }, parts);
  groups.attach(new HeartbeatGroupKind(heartbeatGroups, viewOf(broker.topics)));
  heartbeatGroups.attach(groups);
  const context: KafkaContext = {
    broker,
    offsets,
    heartbeatGroups,
    groupConfigs,
    groups,
    fetches,
    fetchSessions,
    serverSettings: () => [],
    clock: systemClock,
    log,
    transactionWarning: transactionWarning(log, systemClock),
    advertised,
  };
  const api = new KafkaApi(context);
  const responseBudget = new MemoryBudget(options.responseBudgetBytes ?? 64 * MiB, systemClock);
  const frameBudget = new MemoryBudget(64 * MiB, systemClock);
  const listener = new Listener<KafkaSession>({
    hostname: "127.0.0.1",
    port: 0,
    handler: api,
    byteOrder: "big-endian",
    frameBytesMax: 16 * MiB,
    places: placesOf(100),
    idleTimeoutMs: 60_000,
    outputSoftBytes: options.outputSoftBytes ?? 8 * MiB,
    outputHardBytes: 128 * MiB,
    budget: frameBudget,
    responseBudget,
    refusal: "",
    clock: systemClock,
    log,
  });
  advertised.port = listener.port;
  const clients: WireClient[] = [];
  const connect = async () => {
    const client = await WireClient.connect(listener.port);
    clients.push(client);
    return client;
  };
  const stop = async () => {
    for (const client of clients) client.close();
    heartbeatGroups.close();
    await listener.stop(1000);
    groups.close();
  };
  return {
    context,
    api,
    listener,
    responseBudget,
    frameBudget,
    lines,
    port: listener.port,
    connect,
    stop,
  };
}

function collectingLog(lines: LoggedLine[]): Log {
  const writer =
    (level: string) =>
    (message: string, facts: Facts = {}) =>
      void lines.push({ level, message, facts });
  return { debug: writer("debug"), info: writer("info"), warn: writer("warn"), error: writer("error") };
}
