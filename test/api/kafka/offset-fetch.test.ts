/** OffsetFetch while commits are on their way to the disk: what is told is durable, and `requireStable` waits for them. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { HeldStateStore } from "../../support/kafka-state.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

const COMMIT_VERSION = 8;

let state: HeldStateStore;
let api: TestKafkaApi;
let committer: WireClient;
let reader: WireClient;
beforeEach(async () => {
  state = new HeldStateStore();
  api = await openKafkaApi({ engine: Object.assign(new MemoryEngine(), { state }) });
  await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
  [committer, reader] = [await api.connect(), await api.connect()];
  await commit(1);
  state.isHeld = true;
});
afterEach(() => api.stop());

function commitRequest(committedOffset: number) {
  const partitions = [0, 1].map((partitionIndex) => ({ partitionIndex, committedOffset }));
  return { groupId: "g", topics: [{ name: "t", partitions }] };
}

async function commit(offset: number): Promise<number[]> {
  const response = await committer.ask(offsetCommitApi, COMMIT_VERSION, commitRequest(offset));
  return response.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
}

/** Sends a commit, and resolves when it is on its way to the disk. */
async function sendCommit(offset: number): Promise<void> {
  const before = state.waitingCount;
  committer.send(offsetCommitApi, COMMIT_VERSION, commitRequest(offset));
  await until(() => state.waitingCount > before);
}

/** Sends a fetch, and resolves when the server has it. */
async function sendFetch(
  version: number,
  requireStable: boolean,
  topics: { name: string; partitionIndexes: number[] }[] | null,
  groups: readonly string[] = ["g"],
): Promise<() => Promise<(number | undefined)[]>> {
  const requests = () => api.api.requests.get("OffsetFetch")?.count ?? 0;
  const before = requests();
  const request =
    version >= 8
      ? { groups: groups.map((groupId) => ({ groupId, topics })), requireStable }
      : { groupId: groups[0]!, topics, ...(version >= 7 && { requireStable }) };
  reader.send(offsetFetchApi, version, request);
  await until(() => requests() > before);
  return async () => {
    const response = await reader.takeAs(offsetFetchApi, version);
    const found = version >= 8 ? response.groups.flatMap(({ topics: own }) => own) : response.topics;
    return found.flatMap(({ partitions }) => partitions.map(({ committedOffset }) => committedOffset));
  };
}

const BOTH = [{ name: "t", partitionIndexes: [0, 1] }];

test("without requireStable what is durable is told at once, whatever is on its way", async () => {
  await sendCommit(2);
  for (const version of [1, 6, 7, 8, 9]) {
    const fetched = await sendFetch(version, false, BOTH);
    expect(await fetched()).toEqual([1, 1]);
  }
  state.release();
  await committer.takeAs(offsetCommitApi, COMMIT_VERSION);
  const fetched = await sendFetch(8, false, null);
  expect(await fetched()).toEqual([1, 1].map(() => 2));
});

for (const version of [7, 8, 9])
  for (const topics of [BOTH, null])
    test(`with requireStable version ${version} waits for the commits before it, ${topics === null ? "also for all of a group" : "and tells them"}`, async () => {
      await sendCommit(2);
      const fetched = await sendFetch(version, true, topics);
      expect(reader.waitingCount).toBe(0);
      state.release();
      expect(await fetched()).toEqual([2, 2]);
    });

test("a commit that the disk refuses is waited for, and what was there is told", async () => {
  await sendCommit(2);
  const fetched = await sendFetch(8, true, BOTH);
  state.failure = new Error("refused");
  state.release();
  expect(await fetched()).toEqual([1, 1]);
});

test("commits of other groups are not waited for; of several groups that are asked for, all are", async () => {
  await sendCommit(2);
  const other = await sendFetch(8, true, BOTH, ["other"]);
  expect(await other()).toEqual([-1, -1]);
  const both = await sendFetch(8, true, BOTH, ["other", "g"]);
  state.release();
  expect(await both()).toEqual([-1, -1, 2, 2]);
});

test("whether a member may be told is asked when it is told: one that was fenced meanwhile is not", async () => {
  const { heartbeatGroups } = api.context;
  state.isHeld = false;
  const request = {
    groupId: "k",
    memberId: "m",
    memberEpoch: 0,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: 1000,
    subscribedTopicNames: ["t"],
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: [],
  };
  const { memberEpoch } = await heartbeatGroups.heartbeat(request, 1, { clientId: "c", clientHost: "/h" });
  state.isHeld = true;
  const partitions = [{ partitionIndex: 0, committedOffset: 5 }];
  committer.send(offsetCommitApi, 9, {
    groupId: "k",
    memberId: "m",
    generationIdOrMemberEpoch: memberEpoch,
    topics: [{ name: "t", partitions }],
  });
  await until(() => state.waitingCount === 1);
  reader.send(offsetFetchApi, 9, {
    requireStable: true,
    groups: [{ groupId: "k", memberId: "m", memberEpoch, topics: BOTH }],
  });
  await until(() => api.api.requests.get("OffsetFetch")?.count === 1);
  const leaving = heartbeatGroups.heartbeat(
    { ...request, memberEpoch: -1, topicPartitions: null, rebalanceTimeoutMs: -1 },
    1,
    { clientId: "c", clientHost: "/h" },
  );
  state.release(0);
  expect((await reader.takeAs(offsetFetchApi, 9)).groups[0]).toMatchObject({
    errorCode: wireCode("UNKNOWN_MEMBER_ID"),
    topics: [],
  });
  state.release(0);
  await leaving;
});
