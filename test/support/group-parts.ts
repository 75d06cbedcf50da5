/** Groups of both kinds over a broker, with nothing to wait for: what tests of the HTTP API are given, and close afterwards. */

import type { Clock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { GroupConfigs } from "../../src/consumer/group-configs.ts";
import { GroupLag } from "../../src/consumer/group-lag.ts";
import { Groups } from "../../src/consumer/groups.ts";
import { HeartbeatGroups } from "../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import { HeartbeatGroupKind } from "../../src/consumer/heartbeat-groups/kind.ts";
import { viewOf } from "../../src/consumer/heartbeat-groups/topic-view.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import type { GroupParts } from "../../src/http/groups/group-parts.ts";

export async function groupParts(broker: Broker, clock: Clock): Promise<GroupParts & { close(): void }> {
  const { state } = broker;
  const topics = viewOf(broker.topics);
  const offsets = await GroupOffsets.open(state, clock);
  broker.topics.onRemoved(offsets);
  const newId = () => crypto.randomUUID();
  const configs = await GroupConfigs.open(state, {
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 5000,
    assignmentIntervalMs: 0,
  });
  const heartbeatGroups = await HeartbeatGroups.open({
    state,
    topics,
    clock,
    log: silentLog,
    newId,
    membersMax: 1000,
    migrationPolicy: "bidirectional",
    configs,
  });
  const groups = await Groups.open(
    {
      initialRebalanceDelayMs: 0,
      membersMax: 1000,
      sessionTimeoutMsMin: 1,
      sessionTimeoutMsMax: 1_800_000,
    },
    { state, offsets, clock, log: silentLog, newId },
  );
  groups.attach(new HeartbeatGroupKind(heartbeatGroups, topics));
  heartbeatGroups.attach(groups);
  const groupLag = new GroupLag({ offsets, topics: broker.topics, clock });
  return {
    groups,
    heartbeatGroups,
    offsets,
    groupLag,
    close: () => {
      groups.close();
      heartbeatGroups.close();
    },
  };
}
