/**
 * Targets that take longer to compute than a request may: the group goes on with those that it has, and the new ones are for the members
 * that are still there. Here no step is taken with a request, so that every computation is a long one.
 */

import { beforeEach, expect, test } from "bun:test";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import { GroupConfigs } from "../../../src/consumer/group-configs.ts";
import type { HeartbeatRequest } from "../../../src/consumer/heartbeat-groups/heartbeat.ts";
import { HeartbeatGroups } from "../../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import type { TopicView } from "../../../src/consumer/heartbeat-groups/topic-view.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FULL, RefusingState } from "../../support/refusing-state.ts";

const VIEW: TopicView = {
  version: 1,
  get: (name) => (name === "t" ? { id: "id-t", partitions: 4 } : undefined),
  names: () => ["t"],
};

let state: RefusingState;
let groups: HeartbeatGroups;
beforeEach(async () => {
  state = new RefusingState();
  groups = await open();
});

async function open(): Promise<HeartbeatGroups> {
  const nothing = () => {};
  return await HeartbeatGroups.open({
    state,
    topics: VIEW,
    clock: new ManualClock(),
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    newId: () => "id",
    membersMax: 2_000,
    migrationPolicy: "disabled",
    configs: await GroupConfigs.open(state, {
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 1_000,
      assignmentIntervalMs: 0,
    }),
    assignorStepsAtOnce: 0,
  });
}

async function beat(memberId: string, memberEpoch: number, rest: Partial<HeartbeatRequest> = {}) {
  const isJoining = memberEpoch === 0;
  const request: HeartbeatRequest = {
    groupId: "g",
    memberId,
    memberEpoch,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: isJoining ? 5_000 : -1,
    subscribedTopicNames: isJoining ? ["t"] : null,
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: isJoining ? [] : null,
    ...rest,
  };
  const response = await groups.heartbeat(request, 1, { clientId: "c", clientHost: "/h" });
  const partitions = response.assignment?.topicPartitions.flatMap((topic) => topic.partitions) ?? null;
  return { epoch: response.memberEpoch, partitions };
}

async function assigned(): Promise<void> {
  while (groups.get("g")!.isAssigning) await nextTurn();
  await nextTurn();
}

test("who joins is told its partitions when they are known, and the group says meanwhile that it assigns", async () => {
  expect(await beat("a", 0)).toEqual({ epoch: 1, partitions: [] });
  expect(groups.get("g")!.state).toBe("Assigning");
  await assigned();
  expect(groups.get("g")!.state).toBe("Reconciling");
  expect(await beat("a", 1)).toEqual({ epoch: 2, partitions: [0, 1, 2, 3] });
  const after = await open();
  expect([after.get("g")!.assignmentEpoch, after.get("g")!.state]).toEqual([2, "Stable"]);
});

test("what a member was to have that has left meanwhile is nobody's, until the next targets give it away", async () => {
  void beat("a", 0);
  await beat("b", 0);
  await beat("a", -1);
  await assigned();
  const { epoch, partitions } = await beat("b", 1);
  await assigned();
  const next = await beat("b", epoch, {
    topicPartitions: [{ topicId: "id-t", partitions: partitions ?? [] }],
  });
  expect(next.partitions).toEqual([0, 1, 2, 3]);
  expect(groups.get("g")!.state).toBe("Stable");
});

test("a static member that has come back under another id meanwhile gets what it was to have", async () => {
  const own = { instanceId: "i" };
  await beat("a", 0, own);
  await assigned();
  expect(await beat("a", 1, own)).toEqual({ epoch: 2, partitions: [0, 1, 2, 3] });
  const joining = beat("b", 0);
  await beat("a", -2, own);
  expect((await beat("c", 0, own)).partitions).toEqual([0, 1, 2, 3]);
  await assigned();
  const kept = (await beat("c", 2, own)).partitions!;
  expect(kept.length).toBe(2);
  expect(await beat("c", 2, { ...own, topicPartitions: [{ topicId: "id-t", partitions: kept }] })).toEqual({
    epoch: 3,
    partitions: null,
  });
  expect([...kept, ...(await beat("b", (await joining).epoch)).partitions!].sort()).toEqual([0, 1, 2, 3]);
});

test("a member that joins meanwhile waits for the next targets", async () => {
  void beat("a", 0);
  expect(await beat("b", 0)).toEqual({ epoch: 1, partitions: [] });
  await assigned();
  await beat("b", 1);
  await assigned();
  expect([groups.get("g")!.epoch, groups.get("g")!.assignmentEpoch]).toEqual([3, 3]);
});

test("the rows of many members are encoded in turns, and those of a group that is given up meanwhile are not stored", async () => {
  const ids = Array.from({ length: 600 }, (_, index) => `m${index}`);
  await Promise.all(ids.map((id) => beat(id, 0)));
  await assigned();
  const rows = async () => (await state.list("consumer-group")).length;
  expect(await rows()).toBe(601);
  // The first to leave is written at once, and what the disk refuses goes with the others.
  state.refuses = FULL;
  const leaving = ids.map((id) => beat(id, -1).catch(({ code }) => code));
  await leaving[0];
  state.refuses = null;
  const changes = groups.release("g");
  expect(changes.length).toBe(601);
  await state.change(changes);
  expect(new Set(await Promise.all(leaving))).toEqual(new Set(["COORDINATOR_NOT_AVAILABLE"]));
  expect(await rows()).toBe(0);
});
