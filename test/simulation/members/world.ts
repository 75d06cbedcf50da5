/**
 * What the members of a simulated run share: the server's life that they talk to, time, chance, and who judges. A crash of the server
 * gives the world another life; who asked the one before hears nothing.
 */

import type { Log } from "../../../src/base/log.ts";
import { GroupConfigs } from "../../../src/consumer/group-configs.ts";
import { Groups } from "../../../src/consumer/groups.ts";
import { HeartbeatGroups } from "../../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import { HeartbeatGroupKind } from "../../../src/consumer/heartbeat-groups/kind.ts";
import type { TopicView } from "../../../src/consumer/heartbeat-groups/topic-view.ts";
import { GroupOffsets } from "../../../src/consumer/offsets.ts";
import type { StateStore } from "../../../src/storage/contract.ts";
import type { ManualClock } from "../../support/manual-clock.ts";
import { GroupState } from "../group-state.ts";
import type { MemberOracle } from "./oracle.ts";

export const SESSION_MS = 10_000;
export const REBALANCE_MS = 5_000;
export const HEARTBEAT_MS = 1_000;

/** Topics and how many partitions they have; a place is one of them, as "t1/0". */
export const TOPICS: ReadonlyMap<string, number> = new Map([
  ["t1", 3],
  ["t2", 2],
]);

export const VIEW: TopicView = {
  version: 1,
  get: (name) => {
    const partitions = TOPICS.get(name);
    return partitions === undefined ? undefined : { id: `id-${name}`, partitions };
  },
  names: () => TOPICS.keys(),
};

export interface Life {
  readonly state: GroupState;
  readonly offsets: GroupOffsets;
  readonly groups: Groups;
  readonly heartbeatGroups: HeartbeatGroups;
}

export interface World {
  readonly life: Life;
  readonly clock: ManualClock;
  readonly random: () => number;
  readonly oracle: MemberOracle;
  /** Rises with each thing that is asked or seen, so that they can be put in order. */
  nextSerial(): number;
  tell(what: string): void;
  /** The client is gone for good. */
  drop(client: { readonly name: string }): void;
  /** All is well: members put up with what would end them otherwise. */
  readonly isCalm: boolean;
}

export async function beginLife(
  entries: StateStore,
  clock: ManualClock,
  newId: () => string,
  log: Log,
  assignorStepsAtOnce: number,
): Promise<Life> {
  const state = new GroupState(entries);
  const offsets = await GroupOffsets.open(state, clock);
  const heartbeatGroups = await HeartbeatGroups.open({
    state,
    topics: VIEW,
    clock,
    log,
    newId,
    membersMax: 100,
    assignorStepsAtOnce,
    migrationPolicy: "bidirectional",
    configs: await GroupConfigs.open(state, {
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: HEARTBEAT_MS,
      assignmentIntervalMs: 500,
    }),
  });
  const options = {
    initialRebalanceDelayMs: 50,
    membersMax: 100,
    sessionTimeoutMsMin: 1,
    sessionTimeoutMsMax: 60_000,
  };
  const groups = await Groups.open(options, { state, offsets, clock, log, newId });
  groups.attach(new HeartbeatGroupKind(heartbeatGroups, VIEW));
  heartbeatGroups.attach(groups);
  return { state, offsets, groups, heartbeatGroups };
}

export function endLife({ groups, heartbeatGroups }: Life): void {
  groups.close();
  heartbeatGroups.close();
}

export function placesOf(topics: Iterable<string>): string[] {
  return [...topics].flatMap((topic) =>
    Array.from({ length: TOPICS.get(topic) ?? 0 }, (_, partition) => `${topic}/${partition}`),
  );
}

export function partsOf(place: string): { topic: string; partition: number } {
  const [topic = "", partition] = place.split("/");
  return { topic, partition: Number(partition) };
}
