/**
 * A name goes from a group of one kind to one of the other, while the disk refuses what that means: whoever stores next stores that the
 * other is gone. So the store never has a group of both kinds, or members of one that is not there.
 */

import { expect, test } from "bun:test";
import { nextTurn } from "../../src/base/loop/turns.ts";
import { GroupConfigs } from "../../src/consumer/group-configs.ts";
import type { SyncResponse } from "../../src/consumer/group-requests.ts";
import type { HeartbeatRequest } from "../../src/consumer/heartbeat-groups/heartbeat.ts";
import { HeartbeatGroups } from "../../src/consumer/heartbeat-groups/heartbeat-groups.ts";
import { HeartbeatGroupKind } from "../../src/consumer/heartbeat-groups/kind.ts";
import type { TopicView } from "../../src/consumer/heartbeat-groups/topic-view.ts";
import { encodeAssignment, encodeSubscription } from "../../src/protocol/group/consumer-protocol.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FULL, RefusingState } from "../support/refusing-state.ts";
import { TestGroups } from "../support/test-groups.ts";

const VIEW: TopicView = {
  version: 1,
  get: (name) => (name === "t" ? { id: "id-t", partitions: 2 } : undefined),
  names: () => ["t"],
};
const METADATA = encodeSubscription({ topics: ["t"], owned: [], generation: -1 });
const CLASSIC = { protocols: [{ name: "range", metadata: METADATA }] };
const LEAVE = -1;

interface Life {
  readonly state: RefusingState;
  readonly classic: TestGroups;
  readonly consumer: HeartbeatGroups;
}

/** A coordinator of both kinds over what another one has left in the state. */
async function begin(state = new RefusingState()): Promise<Life> {
  const clock = new ManualClock();
  const classic = await TestGroups.over(state, clock);
  const nothing = () => {};
  const consumer = await HeartbeatGroups.open({
    state,
    topics: VIEW,
    clock,
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    newId: () => "made-up",
    membersMax: 10,
    migrationPolicy: "bidirectional",
    configs: await GroupConfigs.open(state, {
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 1_000,
      assignmentIntervalMs: 0,
    }),
  });
  classic.groups.attach(new HeartbeatGroupKind(consumer, VIEW));
  consumer.attach(classic.groups);
  return { state, classic, consumer };
}

function heartbeat({ consumer }: Life, memberId: string, memberEpoch: number) {
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
  };
  return (async () => consumer.heartbeat(request, 1, { clientId: "c", clientHost: "/h" }))();
}

/** What is stored, without values. */
async function keys(state: RefusingState): Promise<string[]> {
  return (await state.list("")).map(({ key }) => key);
}

/** The member leaves, which the disk refuses. */
async function leaveUnstored(life: Life, memberId: string): Promise<void> {
  life.state.refuses = FULL;
  await expect(heartbeat(life, memberId, LEAVE)).rejects.toMatchObject({ code: "COORDINATOR_NOT_AVAILABLE" });
}

/** A classic member that is alone comes to the group, and gets everything. */
async function settle({ classic }: Life, memberId = ""): Promise<string> {
  const joining = classic.join("g", { ...CLASSIC, memberId });
  classic.clock.advance(0);
  const joined = await joining;
  await assign(classic, joined);
  return joined.memberId;
}

async function assign(
  { groups }: TestGroups,
  { memberId, generationId }: { memberId: string; generationId: number },
): Promise<void> {
  const assignment = encodeAssignment([0, 1].map((partition) => ({ topic: "t", partition })));
  const request = { memberId, instanceId: null, generationId, protocolType: null, protocolName: null };
  const { error } = await new Promise<SyncResponse>((respond) => {
    groups.sync("g", { ...request, assignments: new Map([[memberId, assignment]]) }, { respond });
  });
  expect(error).toBeNull();
}

test("an empty consumer group that could not be removed is gone when a classic group of its name is stored", async () => {
  const life = await begin();
  await heartbeat(life, "m1", 0);
  await leaveUnstored(life, "m1");
  const joining = life.classic.join("g", CLASSIC);
  life.classic.clock.advance(0);
  const joined = await joining;
  await nextTurn();
  expect(life.classic.warnings).toEqual([
    "an empty group could not be removed, it goes when the next of its name is stored",
  ]);
  expect(await keys(life.state)).toEqual(["consumer-group-member/g/m1", "consumer-group/g"]);
  life.state.refuses = null;
  await assign(life.classic, joined);
  expect(await keys(life.state)).toEqual(["group/g"]);
  const after = await begin(life.state);
  expect([after.consumer.count, after.classic.groups.classic("g")?.state]).toEqual([0, "Stable"]);
});

test("a classic group that never came to be leaves the empty consumer group of its name for the next one", async () => {
  const life = await begin();
  await heartbeat(life, "m1", 0);
  await leaveUnstored(life, "m1");
  const { memberId } = await life.classic.join("g", { ...CLASSIC, isTwoStep: true });
  life.classic.groups.leave("g", [{ memberId, groupInstanceId: null }]);
  expect(life.classic.groups.find("g")).toBeUndefined();
  life.state.refuses = null;
  await heartbeat(life, "m2", 0);
  expect(await keys(life.state)).toEqual(["consumer-group-member/g/m2", "consumer-group/g"]);
});

test("a removed consumer group takes along members whose leaving the disk had refused", async () => {
  const life = await begin();
  await heartbeat(life, "m1", 0);
  await leaveUnstored(life, "m1");
  life.state.refuses = null;
  expect(await life.classic.groups.remove("g")).toBeNull();
  expect(await keys(life.state)).toEqual([]);
});

test("a group whose way back to a classic one could not be stored is one of one kind after its next assignment", async () => {
  const life = await begin();
  const memberId = await settle(life);
  await heartbeat(life, "m1", 0);
  await leaveUnstored(life, "m1");
  expect(life.consumer.count).toBe(0);
  life.state.refuses = null;
  await settle(life, memberId);
  expect(await keys(life.state)).toEqual(["group/g"]);
});

test("members of a group whose row is lost are gone when the name is a group's again", async () => {
  const life = await begin();
  await heartbeat(life, "m1", 0);
  await life.state.change([{ key: "consumer-group/g", value: "{" }]);
  const between = await begin(life.state);
  await heartbeat(between, "m2", 0);
  const after = await begin(life.state);
  expect(Array.from(after.consumer.get("g")!.members, ({ id }) => id)).toEqual(["m2"]);
});
