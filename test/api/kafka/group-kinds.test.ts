/** A name is a group of one kind at a time, and requests that do not say which they mean answer for both. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { consumerGroupDescribeApi } from "../../../src/protocol/kafka/apis/consumer-group-describe.ts";
import { consumerGroupHeartbeatApi } from "../../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { deleteGroupsApi } from "../../../src/protocol/kafka/apis/delete-groups.ts";
import { joinGroupApi } from "../../../src/protocol/kafka/apis/join-group.ts";
import { leaveGroupApi } from "../../../src/protocol/kafka/apis/leave-group.ts";
import { listGroupsApi } from "../../../src/protocol/kafka/apis/list-groups.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetDeleteApi } from "../../../src/protocol/kafka/apis/offset-delete.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

const LEAVE = -1;

let engine: MemoryEngine;
let api: TestKafkaApi;
let client: WireClient;
beforeEach(async () => {
  engine = new MemoryEngine();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  await api.context.broker.topics.create("t", { partitions: 2, configs: {} });
});
afterEach(() => api.stop());

function heartbeat(memberEpoch = 0) {
  return client.ask(consumerGroupHeartbeatApi, 1, {
    groupId: "g",
    memberId: "m",
    memberEpoch,
    rebalanceTimeoutMs: 1000,
    ...(memberEpoch === 0 ? { subscribedTopicNames: ["t"], topicPartitions: [] } : {}),
  });
}

function join(memberId = "") {
  return client.ask(joinGroupApi, 3, {
    groupId: "g",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: Buffer.alloc(0) }],
  });
}

async function listed() {
  const { groups } = await client.ask(listGroupsApi, 5, { statesFilter: [], typesFilter: [] });
  return groups.map(({ groupId, groupType, groupState }) => [groupId, groupType, groupState]);
}

test("a group of the consumer protocol is listed with its type and state, and deleted once it is empty", async () => {
  await heartbeat();
  expect(await listed()).toEqual([["g", "consumer", "Stable"]]);
  const remove = async () =>
    (await client.ask(deleteGroupsApi, 2, { groupsNames: ["g"] })).results[0]!.errorCode;
  expect(await remove()).toBe(wireCode("NON_EMPTY_GROUP"));
  await heartbeat(LEAVE);
  expect(await listed()).toEqual([["g", "consumer", "Empty"]]);
  expect(await remove()).toBe(0);
  expect(await listed()).toEqual([]);
});

test("offsets of a topic that a member is subscribed to are not removed", async () => {
  const { memberEpoch } = await heartbeat();
  await client.ask(offsetCommitApi, 9, {
    groupId: "g",
    memberId: "m",
    generationIdOrMemberEpoch: memberEpoch,
    topics: [{ name: "t", partitions: [{ partitionIndex: 0, committedOffset: 0 }] }],
  });
  const { topics } = await client.ask(offsetDeleteApi, 0, {
    groupId: "g",
    topics: [{ name: "t", partitions: [{ partitionIndex: 0 }] }],
  });
  expect(topics[0]!.partitions[0]!.errorCode).toBe(wireCode("GROUP_SUBSCRIBED_TO_TOPIC"));
});

test("an empty group is of the kind of whoever comes first, also after the next start", async () => {
  const { memberId } = await join();
  await client.ask(leaveGroupApi, 2, { groupId: "g", memberId });
  expect(await heartbeat()).toMatchObject({ errorCode: 0 });
  expect(await listed()).toEqual([["g", "consumer", "Stable"]]);
  await api.stop();
  api = await openKafkaApi({ engine });
  client = await api.connect();
  expect(await listed()).toEqual([["g", "consumer", "Stable"]]);
  await heartbeat(LEAVE);
  expect(await join()).toMatchObject({ errorCode: 0 });
  const { groups } = await client.ask(consumerGroupDescribeApi, 1, { groupIds: ["g"] });
  expect(groups[0]!.errorCode).toBe(wireCode("GROUP_ID_NOT_FOUND"));
  expect((await listed()).map(([, type]) => type)).toEqual(["classic"]);
});
