/** ConsumerGroupHeartbeat and ConsumerGroupDescribe over sockets, and how members of such groups commit and fetch offsets. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { GROUP_NAME_BYTES_MAX } from "../../../src/consumer/commit-room.ts";
import {
  MEMBER_NAME_BYTES_MAX,
  MEMBER_TEXT_BYTES_MAX,
} from "../../../src/consumer/heartbeat-groups/member-room.ts";
import { consumerGroupDescribeApi } from "../../../src/protocol/kafka/apis/consumer-group-describe.ts";
import {
  type ConsumerGroupHeartbeatRequestInput,
  consumerGroupHeartbeatApi,
} from "../../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { offsetCommitApi } from "../../../src/protocol/kafka/apis/offset-commit.ts";
import { offsetFetchApi } from "../../../src/protocol/kafka/apis/offset-fetch.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";

type Beat = Partial<ConsumerGroupHeartbeatRequestInput>;

let api: TestKafkaApi;
let client: WireClient;
let topicId = "";
let groupId = "";
let count = 0;

beforeAll(async () => {
  api = await openKafkaApi({ groupRules: { membersMax: 3 } });
  client = await api.connect();
  topicId = (await api.context.broker.topics.create("t", { partitions: 4, configs: {} })).id;
});
beforeEach(() => {
  groupId = `group/${count++}`;
});
afterAll(() => api.stop());

const JOIN: Beat = {
  memberEpoch: 0,
  rebalanceTimeoutMs: 60_000,
  subscribedTopicNames: ["t"],
  topicPartitions: [],
};

async function beat(memberId: string, rest: Beat, version = 1) {
  const response = await client.ask(consumerGroupHeartbeatApi, version, {
    groupId,
    memberId,
    memberEpoch: 0,
    ...rest,
  });
  const partitions = response.assignment?.topicPartitions.map((topic) => topic.partitions) ?? null;
  return { error: response.errorCode, epoch: response.memberEpoch, partitions };
}

function join(memberId: string, rest: Beat = {}, version = 1) {
  return beat(memberId, { ...JOIN, ...rest }, version);
}

function refusal(code: Parameters<typeof wireCode>[0]) {
  return { error: wireCode(code), epoch: 0, partitions: null };
}

function having(partitions: number[]): Beat {
  return { topicPartitions: partitions.length === 0 ? [] : [{ topicId, partitions }] };
}

async function describeGroup(group = groupId) {
  const response = await client.ask(consumerGroupDescribeApi, 1, { groupIds: [group] });
  return response.groups[0]!;
}

test("a member that is alone gets everything; the next gets its part when the first has given it up", async () => {
  expect(await join("a")).toEqual({ error: 0, epoch: 2, partitions: [[0, 1, 2, 3]] });
  expect(await beat("a", { memberEpoch: 2 })).toEqual({ error: 0, epoch: 2, partitions: null });
  expect(await join("b")).toEqual({ error: 0, epoch: 3, partitions: [] });
  expect(await beat("a", { memberEpoch: 2 })).toEqual({ error: 0, epoch: 2, partitions: [[0, 1]] });
  expect(await beat("b", { memberEpoch: 3 })).toEqual({ error: 0, epoch: 3, partitions: null });
  expect(await beat("a", { memberEpoch: 2, ...having([0, 1, 2]) })).toEqual({
    error: 0,
    epoch: 2,
    partitions: null,
  });
  expect((await describeGroup()).groupState).toBe("Reconciling");
  expect(await beat("a", { memberEpoch: 2, ...having([0, 1]) })).toEqual({
    error: 0,
    epoch: 3,
    partitions: null,
  });
  expect(await beat("b", { memberEpoch: 3 })).toEqual({ error: 0, epoch: 3, partitions: [[2, 3]] });
  expect(await describeGroup()).toEqual({
    errorCode: 0,
    errorMessage: null,
    groupId,
    groupState: "Stable",
    groupEpoch: 3,
    assignmentEpoch: 3,
    assignorName: "uniform",
    members: ["a", "b"].map((memberId) => {
      const partitions = memberId === "a" ? [0, 1] : [2, 3];
      const assignment = { topicPartitions: [{ topicId, topicName: "t", partitions }] };
      return {
        memberId,
        instanceId: null,
        rackId: null,
        memberEpoch: 3,
        clientId: expect.any(String) as unknown as string,
        clientHost: "/127.0.0.1",
        subscribedTopicNames: ["t"],
        subscribedTopicRegex: "",
        assignment,
        targetAssignment: assignment,
        memberType: 1,
      };
    }),
    authorizedOperations: -2147483648,
  });
  expect(await beat("b", { memberEpoch: -1 })).toEqual({ error: 0, epoch: -1, partitions: null });
  expect(await beat("a", { memberEpoch: 3 })).toEqual({ error: 0, epoch: 4, partitions: [[0, 1, 2, 3]] });
});

test("a response that was lost is made good; any other wrong epoch is fenced", async () => {
  await join("a");
  await join("b");
  await beat("a", { memberEpoch: 2 });
  await beat("a", { memberEpoch: 2, ...having([0, 1]) });
  expect(await beat("a", { memberEpoch: 2, ...having([0, 1]) })).toEqual({
    error: 0,
    epoch: 3,
    partitions: null,
  });
  expect(await beat("a", { memberEpoch: 2, ...having([0, 1, 2]) })).toEqual(refusal("FENCED_MEMBER_EPOCH"));
  expect(await beat("a", { memberEpoch: 2 })).toEqual(refusal("FENCED_MEMBER_EPOCH"));
  expect(await beat("a", { memberEpoch: 1, ...having([0]) })).toEqual(refusal("FENCED_MEMBER_EPOCH"));
  expect(await beat("a", { memberEpoch: 4 })).toEqual(refusal("FENCED_MEMBER_EPOCH"));
  expect(await join("a")).toEqual({ error: 0, epoch: 3, partitions: [[0, 1]] });
});

describe("requests that contradict themselves", () => {
  const cases: [name: string, memberId: string, rest: Beat, code: Parameters<typeof wireCode>[0]][] = [
    ["no group", "a", { groupId: "" }, "INVALID_REQUEST"],
    ["no member id", "", {}, "INVALID_REQUEST"],
    ["an empty instance id", "a", { instanceId: "" }, "INVALID_REQUEST"],
    ["an empty rack", "a", { rackId: "" }, "INVALID_REQUEST"],
    ["joining without a timeout", "a", { rebalanceTimeoutMs: -1 }, "INVALID_REQUEST"],
    ["joining without saying what it has", "a", { topicPartitions: null }, "INVALID_REQUEST"],
    [
      "joining with partitions",
      "a",
      { topicPartitions: [{ topicId: "", partitions: [0] }] },
      "INVALID_REQUEST",
    ],
    ["joining without a subscription", "a", { subscribedTopicNames: null }, "INVALID_REQUEST"],
    ["an epoch below -2", "a", { memberEpoch: -3 }, "INVALID_REQUEST"],
    ["leaving as static without an instance id", "a", { memberEpoch: -2 }, "INVALID_REQUEST"],
    ["an assignor that is not there", "a", { serverAssignor: "x" }, "UNSUPPORTED_ASSIGNOR"],
    [
      "a regular expression that is not valid",
      "a",
      { subscribedTopicRegex: "a(" },
      "INVALID_REGULAR_EXPRESSION",
    ],
    ["going on in a group that is not there", "a", { memberEpoch: 1 }, "GROUP_ID_NOT_FOUND"],
    ["leaving a group that is not there", "a", { memberEpoch: -1 }, "GROUP_ID_NOT_FOUND"],
    [
      "a group name that is too long",
      "a",
      { groupId: "g".repeat(GROUP_NAME_BYTES_MAX + 1) },
      "INVALID_GROUP_ID",
    ],
    ["a member id that is too long", "m".repeat(MEMBER_NAME_BYTES_MAX + 1), {}, "INVALID_REQUEST"],
    [
      "more topics than one may name",
      "a",
      {
        subscribedTopicNames: Array.from({ length: 8 }, (_, index) =>
          `${index}`.repeat(MEMBER_TEXT_BYTES_MAX / 8 + 1),
        ),
      },
      "INVALID_REQUEST",
    ],
  ];
  test.each(cases)("%s", async (_name, memberId, rest, code) => {
    const topicPartitions = rest.topicPartitions?.map((entry) => ({ ...entry, topicId }));
    const request = topicPartitions === undefined ? rest : { ...rest, topicPartitions };
    expect(await join(memberId, request)).toEqual(refusal(code));
    expect((await describeGroup()).errorCode).toBe(wireCode("GROUP_ID_NOT_FOUND"));
  });

  test("version 0 gives a member that joins without an id one", async () => {
    const response = await client.ask(consumerGroupHeartbeatApi, 0, {
      groupId,
      memberId: "",
      ...JOIN,
      memberEpoch: 0,
    });
    expect(response.memberId).toMatch(/^[0-9a-f-]{36}$/);
    expect(await beat("", { memberEpoch: 2 }, 0)).toEqual(refusal("INVALID_REQUEST"));
  });
});

test("a group takes no more members than it may have; who is in it goes on", async () => {
  for (const memberId of ["a", "b", "c"]) expect((await join(memberId)).error).toBe(0);
  expect(await join("d")).toEqual(refusal("GROUP_MAX_SIZE_REACHED"));
  expect((await join("c")).error).toBe(0);
});

test("a static member comes back with another id, and has what it had", async () => {
  const own = { instanceId: "i" };
  expect(await join("a", own)).toEqual({ error: 0, epoch: 2, partitions: [[0, 1, 2, 3]] });
  expect(await join("b", own)).toEqual(refusal("UNRELEASED_INSTANCE_ID"));
  expect(await join("a", own)).toEqual(refusal("UNRELEASED_INSTANCE_ID"));
  expect(await beat("b", { ...own, memberEpoch: 2 })).toEqual(refusal("FENCED_INSTANCE_ID"));
  expect(await beat("a", { instanceId: "j", memberEpoch: 2 })).toEqual(refusal("UNKNOWN_MEMBER_ID"));
  expect(await beat("a", { ...own, memberEpoch: -2 })).toEqual({ error: 0, epoch: -2, partitions: null });
  expect(await beat("a", { ...own, memberEpoch: 2 })).toEqual(refusal("FENCED_MEMBER_EPOCH"));
  expect((await describeGroup()).members.map(({ memberId, memberEpoch }) => [memberId, memberEpoch])).toEqual(
    [["a", -2]],
  );
  expect(await join("b", own)).toEqual({ error: 0, epoch: 2, partitions: [[0, 1, 2, 3]] });
  expect(await beat("a", { ...own, memberEpoch: -1 })).toEqual(refusal("FENCED_INSTANCE_ID"));
  expect(await beat("b", { ...own, memberEpoch: -1 })).toEqual({ error: 0, epoch: -1, partitions: null });
  expect(await describeGroup()).toMatchObject({ groupState: "Empty", groupEpoch: 3, members: [] });
});

test("a regular expression is resolved after the member has joined, and follows the topics", async () => {
  const { topics } = api.context.broker;
  await topics.create("re-1", { partitions: 2, configs: {} });
  expect(await join("a", { subscribedTopicNames: null, subscribedTopicRegex: "re-.*" })).toEqual({
    error: 0,
    epoch: 1,
    partitions: [],
  });
  await until(() => api.context.heartbeatGroups.get(groupId)?.epoch === 2);
  expect(await beat("a", { memberEpoch: 1 })).toEqual({ error: 0, epoch: 2, partitions: [[0, 1]] });
  expect((await describeGroup()).members[0]!.subscribedTopicRegex).toBe("re-.*");
});

test("a static member that comes back is subscribed to what it says, and to nothing of what it was", async () => {
  const { topics } = api.context.broker;
  await topics.create("was-1", { partitions: 1, configs: {} });
  const own = { instanceId: "i" };
  await join("a", { ...own, subscribedTopicNames: null, subscribedTopicRegex: "was-.*" });
  await until(() => api.context.heartbeatGroups.get(groupId)?.epoch === 2);
  expect(await beat("a", { ...own, memberEpoch: 1 })).toEqual({ error: 0, epoch: 2, partitions: [[0]] });
  await beat("a", { ...own, memberEpoch: -2 });
  expect(await join("b", own)).toEqual({ error: 0, epoch: 3, partitions: [[0, 1, 2, 3]] });
  expect((await describeGroup()).members).toMatchObject([
    { memberId: "b", subscribedTopicNames: ["t"], subscribedTopicRegex: "" },
  ]);
});

test("a topic that gets more partitions takes the epoch up, and they are divided", async () => {
  const { topics } = api.context.broker;
  await topics.create("grows", { partitions: 1, configs: {} });
  expect(await join("a", { subscribedTopicNames: ["grows"] })).toEqual({
    error: 0,
    epoch: 2,
    partitions: [[0]],
  });
  await topics.addPartitions("grows", 3);
  expect(await beat("a", { memberEpoch: 2 })).toEqual({ error: 0, epoch: 3, partitions: [[0, 1, 2]] });
});

test("what may be done with a group is told to who asks", async () => {
  await join("a");
  const groups = await Promise.all(
    [false, true].map((includeAuthorizedOperations) =>
      client.ask(consumerGroupDescribeApi, 1, { groupIds: [groupId], includeAuthorizedOperations }),
    ),
  );
  expect(groups.map((response) => response.groups[0]!.authorizedOperations)).toEqual([-(2 ** 31), 3400]);
});

test("a topic that goes and one that comes take the epoch up, and the members get other partitions", async () => {
  const { topics } = api.context.broker;
  const first = await topics.create("come-1", { partitions: 1, configs: {} });
  const names = { subscribedTopicNames: ["come-1", "come-2"] };
  expect(await join("a", names)).toEqual({ error: 0, epoch: 2, partitions: [[0]] });
  await topics.create("come-2", { partitions: 2, configs: {} });
  expect((await beat("a", { memberEpoch: 2 })).partitions?.flat().sort()).toEqual([0, 0, 1]);
  await topics.remove("come-1", first.id);
  expect((await beat("a", { memberEpoch: 3 })).partitions).toEqual([[0, 1]]);
});

describe("offsets", () => {
  async function commit(memberId: string, epoch: number, partitions: number[], version = 9, group = groupId) {
    const response = await client.ask(offsetCommitApi, version, {
      groupId: group,
      memberId,
      generationIdOrMemberEpoch: epoch,
      topics: [
        {
          name: "t",
          partitions: partitions.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: 7,
            committedMetadata: "",
          })),
        },
      ],
    });
    return response.topics[0]!.partitions.map(({ errorCode }) => errorCode);
  }

  async function fetchError(
    memberId: string | null,
    memberEpoch: number,
    topics: null | undefined = undefined,
  ) {
    const asked = topics === null ? null : [{ name: "t", partitionIndexes: [0] }];
    const groups = [{ groupId, memberId, memberEpoch, topics: asked }];
    const response = await client.ask(offsetFetchApi, 9, { groups });
    return response.groups[0]!.errorCode;
  }

  test("are committed with the member's epoch, or an earlier one for what it has kept since", async () => {
    await join("a");
    await join("b");
    await beat("a", { memberEpoch: 2 });
    await beat("a", { memberEpoch: 2, ...having([0, 1]) });
    await beat("b", { memberEpoch: 3 });
    const stale = wireCode("STALE_MEMBER_EPOCH");
    expect(await commit("a", 3, [0, 3])).toEqual([0, 0]);
    expect(await commit("a", 2, [0, 1])).toEqual([0, 0]);
    expect(await commit("a", 2, [0, 99])).toEqual([0, wireCode("UNKNOWN_TOPIC_OR_PARTITION")]);
    expect(await commit("a", 2, [0, 3])).toEqual([stale, stale]);
    expect(await commit("b", 2, [3])).toEqual([stale]);
    expect(await commit("a", 1, [0])).toEqual([stale]);
    expect(await commit("a", 4, [0])).toEqual([stale]);
    expect(await commit("a", -1, [0])).toEqual([stale]);
    expect(await commit("x", 3, [0])).toEqual([wireCode("UNKNOWN_MEMBER_ID")]);
    expect(await commit("", -1, [0])).toEqual([wireCode("UNKNOWN_MEMBER_ID")]);
    expect(await commit("a", 3, [0], 8)).toEqual([wireCode("UNSUPPORTED_VERSION")]);
  });

  test("of an empty group are committed without membership; of none with it they are not", async () => {
    await join("a");
    await beat("a", { memberEpoch: -1 });
    expect(await commit("", -1, [0])).toEqual([0]);
    expect(await commit("a", 3, [0], 9, "nobody")).toEqual([wireCode("GROUP_ID_NOT_FOUND")]);
    expect(await commit("a", 3, [0], 8, "nobody")).toEqual([wireCode("ILLEGAL_GENERATION")]);
    expect(await commit("", -1, [0], 9, "nobody")).toEqual([0]);
  });

  test("are told to members with their epoch, and to who is no member", async () => {
    await join("a");
    expect(await fetchError("a", 2)).toBe(0);
    expect(await fetchError("a", 2, null)).toBe(0);
    expect(await fetchError("a", 1)).toBe(wireCode("STALE_MEMBER_EPOCH"));
    expect(await fetchError("a", 1, null)).toBe(wireCode("STALE_MEMBER_EPOCH"));
    expect(await fetchError("a", -1)).toBe(wireCode("STALE_MEMBER_EPOCH"));
    expect(await fetchError("x", 2)).toBe(wireCode("UNKNOWN_MEMBER_ID"));
    expect(await fetchError(null, -1)).toBe(0);
  });
});

test("of groups that are not there, and of the empty name, a description says so", async () => {
  expect(await describeGroup("nobody")).toMatchObject({
    errorCode: wireCode("GROUP_ID_NOT_FOUND"),
    groupState: "",
  });
  expect(await describeGroup("")).toMatchObject({
    errorCode: wireCode("INVALID_GROUP_ID"),
    errorMessage: null,
  });
});
