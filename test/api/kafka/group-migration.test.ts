/** A group with members changes its kind: members of both protocols side by side, and the way back. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from "../../../src/protocol/group/consumer-protocol.ts";
import { consumerGroupHeartbeatApi } from "../../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { heartbeatApi } from "../../../src/protocol/kafka/apis/heartbeat.ts";
import { joinGroupApi } from "../../../src/protocol/kafka/apis/join-group.ts";
import { leaveGroupApi } from "../../../src/protocol/kafka/apis/leave-group.ts";
import { listGroupsApi } from "../../../src/protocol/kafka/apis/list-groups.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { syncGroupApi } from "../../../src/protocol/kafka/apis/sync-group.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

const LEAVE = -1;
const REBALANCING = wireCode("REBALANCE_IN_PROGRESS");

let engine: MemoryEngine;
let api: TestKafkaApi;
let client: WireClient;
let topicId: string;
beforeEach(async () => {
  engine = new MemoryEngine();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  topicId = (await api.context.broker.topics.create("t", { partitions: 2, configs: {} })).id;
});
afterEach(() => api.stop());

function join(memberId: string, owned: number[] = [], by = client) {
  const partitions = owned.map((partition) => ({ topic: "t", partition }));
  const metadata = encodeSubscription({ topics: ["t"], owned: partitions, generation: -1 });
  return by.ask(joinGroupApi, 3, {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata }],
  });
}

/** The partitions that it is told, or the error. */
async function sync(memberId: string, generationId: number, assignments: [string, number[]][] = []) {
  const { errorCode, assignment } = await client.ask(syncGroupApi, 3, {
    groupId: "g",
    generationId,
    memberId,
    assignments: assignments.map(([id, own]) => ({
      memberId: id,
      assignment: encodeAssignment(own.map((partition) => ({ topic: "t", partition }))),
    })),
  });
  return errorCode === 0 ? decodeAssignment(assignment)!.map(({ partition }) => partition) : errorCode;
}

async function alive(memberId: string, generationId: number) {
  return (await client.ask(heartbeatApi, 3, { groupId: "g", generationId, memberId })).errorCode;
}

/** The member learns that it has to join again. */
async function calledTo(memberId: string, generationId: number): Promise<void> {
  while ((await alive(memberId, generationId)) !== REBALANCING);
}

function heartbeat(memberEpoch: number, owned: number[] | null = []) {
  return client.ask(consumerGroupHeartbeatApi, 1, {
    groupId: "g",
    memberId: "new",
    memberEpoch,
    rebalanceTimeoutMs: memberEpoch === 0 ? 10_000 : -1,
    subscribedTopicNames: memberEpoch === 0 ? ["t"] : null,
    topicPartitions: owned === null ? null : owned.length === 0 ? [] : [{ topicId, partitions: owned }],
  });
}

async function kind() {
  const { groups } = await client.ask(listGroupsApi, 5, { statesFilter: [], typesFilter: [] });
  return groups.map(({ groupType }) => groupType);
}

/** One classic member with both partitions. */
async function classicMember() {
  const { memberId, generationId } = await join("");
  expect(await sync(memberId, generationId, [[memberId, [0, 1]]])).toEqual([0, 1]);
  return { memberId, generationId };
}

test("a classic member stays when one of the consumer protocol comes, and gives up what moves", async () => {
  const { memberId, generationId } = await classicMember();
  const joined = await heartbeat(0);
  expect(joined).toMatchObject({ errorCode: 0, assignment: { topicPartitions: [] } });
  expect(await kind()).toEqual(["consumer"]);
  expect(await alive(memberId, generationId)).toBe(REBALANCING);
  // It may still commit with the generation that it has.
  const commit = await client.ask(offsetCommitApi, 7, {
    groupId: "g",
    memberId,
    generationIdOrMemberEpoch: generationId,
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 0 }] }],
  });
  expect(commit.topics[0]!.partitions[0]!.errorCode).toBe(0);

  const revoking = await join(memberId, [0, 1]);
  const kept = (await sync(memberId, revoking.generationId)) as number[];
  expect(kept.length).toBe(1);
  // Nobody else has the other one before the member has said that it gave it up.
  expect((await heartbeat(joined.memberEpoch)).assignment?.topicPartitions ?? []).toEqual([]);
  expect(await alive(memberId, revoking.generationId)).toBe(REBALANCING);
  const settled = await join(memberId, kept);
  expect(await sync(memberId, settled.generationId)).toEqual(kept);
  expect(await alive(memberId, settled.generationId)).toBe(0);
  const { assignment } = await heartbeat(joined.memberEpoch, []);
  const given = assignment!.topicPartitions.flatMap(({ partitions }) => partitions);
  expect([...kept, ...given].sort()).toEqual([0, 1]);
});

test("when the last member of the consumer protocol leaves, the others get a classic group again", async () => {
  const { memberId } = await classicMember();
  await heartbeat(0);
  const rejoined = await join(memberId, []);
  await sync(memberId, rejoined.generationId);
  await heartbeat(LEAVE);
  expect(await kind()).toEqual(["classic"]);
  // It is called to a rebalance in the generation that it has: nobody has lost anything.
  expect(await alive(memberId, rejoined.generationId)).toBe(REBALANCING);
  expect(await alive(memberId, rejoined.generationId + 1)).not.toBe(0);
  const back = await join(memberId);
  expect([back.errorCode, back.leader, back.members.length]).toEqual([0, memberId, 1]);
  expect(back.generationId).toBeGreaterThan(rejoined.generationId);
  expect(await sync(memberId, back.generationId, [[memberId, [0, 1]]])).toEqual([0, 1]);
});

test("both kinds of members are there after the next start, and the way back is too", async () => {
  const { memberId } = await classicMember();
  const { memberEpoch } = await heartbeat(0);
  const rejoined = await join(memberId, []);
  const own = await sync(memberId, rejoined.generationId);
  await api.stop();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  expect(await kind()).toEqual(["consumer"]);
  expect(await alive(memberId, rejoined.generationId)).toBe(0);
  expect(await sync(memberId, rejoined.generationId)).toEqual(own);
  expect((await heartbeat(memberEpoch, [])).errorCode).toBe(0);
  await heartbeat(LEAVE);
  await api.stop();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  expect(await kind()).toEqual(["classic"]);
  // What the other member had is nobody's, so that they come together in any case.
  expect(await alive(memberId, rejoined.generationId)).toBe(REBALANCING);
  expect((await join(memberId)).errorCode).toBe(0);
});

test("who comes in the middle of a rebalance gets nothing of what a member said that it has", async () => {
  const { memberId, generationId } = await classicMember();
  // A second member comes, a new generation is told, and a third one breaks it off: no assignment of the group is left.
  const second = join("", [], await api.connect());
  await calledTo(memberId, generationId);
  await Promise.all([second, join(memberId, [0, 1])]);
  const third = join("", [], await api.connect());
  await calledTo(memberId, generationId + 1);
  const joined = await heartbeat(0);
  expect(joined).toMatchObject({ errorCode: 0, assignment: { topicPartitions: [] } });
  expect((await third).errorCode).toBe(REBALANCING);
  expect(await alive(memberId, generationId + 1)).toBe(REBALANCING);
});

test("a classic member is told its partitions in the version of its own subscription", async () => {
  await heartbeat(0);
  for (const [version, told] of [
    [0, 0],
    [3, 3],
    [9, 3],
  ] as const) {
    const metadata = Buffer.from([0, version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const { memberId, generationId } = await client.ask(joinGroupApi, 3, {
      groupId: "g",
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: "",
      protocolType: "consumer",
      protocols: [{ name: "range", metadata }],
    });
    const synced = await client.ask(syncGroupApi, 3, {
      groupId: "g",
      generationId,
      memberId,
      assignments: [],
    });
    expect(synced.assignment.readInt16BE()).toBe(told);
    await client.ask(leaveGroupApi, 2, { groupId: "g", memberId });
  }
});

test("a classic member that was removed is not let in with what it had", async () => {
  await heartbeat(0);
  expect((await join("removed", [0])).errorCode).toBe(wireCode("UNKNOWN_MEMBER_ID"));
  expect((await join("new", [])).errorCode).toBe(0);
});

test("a classic member that comes to a group of the consumer protocol gets its part", async () => {
  const { memberEpoch } = await heartbeat(0);
  const { memberId, generationId } = await join("");
  expect(await sync(memberId, generationId)).toEqual([]);
  const { assignment, memberEpoch: next } = await heartbeat(memberEpoch, [0, 1]);
  const left = assignment!.topicPartitions.flatMap(({ partitions }) => partitions);
  expect(left.length).toBe(1);
  await heartbeat(next, left);
  expect(await alive(memberId, generationId)).toBe(REBALANCING);
  const again = await join(memberId);
  expect([...left, ...((await sync(memberId, again.generationId)) as number[])].sort()).toEqual([0, 1]);
  await client.ask(leaveGroupApi, 2, { groupId: "g", memberId });
  expect(await kind()).toEqual(["consumer"]);
});

test("a member whose metadata is no consumer's is refused by a group of the consumer protocol", async () => {
  await heartbeat(0);
  const refused = await client.ask(joinGroupApi, 3, {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: "",
    protocolType: "connect",
    protocols: [{ name: "default", metadata: Buffer.alloc(3) }],
  });
  expect(refused.errorCode).toBe(wireCode("INCONSISTENT_GROUP_PROTOCOL"));
});

test("a classic group that is none of consumers does not change its kind", async () => {
  await client.ask(joinGroupApi, 3, {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId: "",
    protocolType: "connect",
    protocols: [{ name: "default", metadata: Buffer.alloc(3) }],
  });
  expect((await heartbeat(0)).errorCode).toBe(wireCode("GROUP_ID_NOT_FOUND"));
  expect(await kind()).toEqual(["classic"]);
});
