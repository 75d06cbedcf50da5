import { expect, test } from "bun:test";
import type { OffsetToCommit } from "../../../src/consumer/offsets.ts";
import { encodeAssignment } from "../../../src/protocol/group/consumer-protocol.ts";
import { batchOf } from "../../support/batches.ts";
import { joinRequest, subscription } from "../../support/group-scene.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { appendTo } from "../../support/partitions.ts";

/** A topic with so many records in each of its partitions. */
async function topicOf(http: TestHttp, name: string, counts: readonly number[]) {
  const { partitions } = await http.broker.topics.create(name, { partitions: counts.length, configs: {} });
  for (const [index, count] of counts.entries())
    if (count > 0) await appendTo(partitions[index]!, batchOf(Array.from({ length: count }, String))).done;
  return partitions;
}

function at(topic: string, partition: number, offset: number): OffsetToCommit {
  return { topic, partition, offset, leaderEpoch: -1, metadata: "" };
}

function post(body: unknown): RequestInit {
  return { method: "POST", body: JSON.stringify(body) };
}

/** A stable classic group of one member that has partition 0 of the topic. */
async function classicMember({ parts: { groups } }: TestHttp, group: string, topic: string): Promise<string> {
  const joined = await new Promise<{ memberId: string; generationId: number }>((respond) => {
    const protocols = [{ name: "range", metadata: subscription(topic) }];
    groups.join(group, joinRequest({ clientId: "c", protocols }), { respond });
  });
  const { memberId, generationId } = joined;
  const assignments = new Map([[memberId, encodeAssignment([{ topic, partition: 0 }])]]);
  await new Promise((respond) => {
    groups.sync(
      group,
      { memberId, instanceId: null, generationId, protocolType: null, protocolName: null, assignments },
      { respond },
    );
  });
  return memberId;
}

/** A member of a group of the consumer protocol. */
async function consumerMember({ parts: { heartbeatGroups } }: TestHttp, groupId: string, topic: string) {
  await heartbeatGroups.heartbeat(
    {
      groupId,
      memberId: "m-1",
      memberEpoch: 0,
      instanceId: "i-1",
      rackId: null,
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: [topic],
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: [],
    },
    1,
    { clientId: "c-1", clientHost: "/10.0.0.1" },
  );
}

test("groups of every kind are listed by name with members and lag, page by page", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [5, 3]);
  await http.parts.offsets.commit("b-offsets", [at("t", 0, 1), at("t", 1, 3)]);
  await http.parts.offsets.commit("c-partly", [at("t", 0, 4), at("gone", 0, 4)]);
  await http.parts.offsets.commit("d-unknown", [at("gone", 0, 4)]);
  await classicMember(http, "a-classic", "t");
  await consumerMember(http, "e-consumer", "t");
  const groups = [
    { group: "a-classic", type: "classic", state: "Stable", members: 1, lag: null, isLagComplete: true },
    { group: "b-offsets", type: "classic", state: "Empty", members: 0, lag: 4, isLagComplete: true },
    { group: "c-partly", type: "classic", state: "Empty", members: 0, lag: 1, isLagComplete: false },
    { group: "d-unknown", type: "classic", state: "Empty", members: 0, lag: null, isLagComplete: false },
    { group: "e-consumer", type: "consumer", state: "Stable", members: 1, lag: null, isLagComplete: true },
  ].map((group) => ({ ...group, protocolType: group.members === 0 ? "" : "consumer" }));
  expect(await http.ask("/groups")).toEqual([200, { groups }]);
  expect(await http.ask("/groups?limit=2")).toEqual([200, { groups: groups.slice(0, 2), next: "b-offsets" }]);
  expect(await http.ask("/groups?limit=2&after=b-offsets")).toEqual([
    200,
    { groups: groups.slice(2, 4), next: "d-unknown" },
  ]);
  expect(await http.ask("/groups?limit=2&after=d-unknown")).toEqual([200, { groups: groups.slice(4) }]);
  expect(await http.ask("/groups?prefix=c")).toEqual([200, { groups: groups.slice(2, 3) }]);
});

test("the first names of many are found, in order", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [1]);
  const names = Array.from({ length: 300 }, (_, index) => `g${(index * 7) % 300}`);
  for (const name of names) await http.parts.offsets.commit(name, [at("t", 0, 0)]);
  const [, { groups, next }] = (await http.ask("/groups?limit=20&after=g15")) as [
    number,
    { groups: { group: string }[]; next: string },
  ];
  const expected = names.sort().filter((name) => name > "g15");
  expect(groups.map(({ group }) => group)).toEqual(expected.slice(0, 20));
  expect(next).toBe(expected[19]!);
});

test("a classic group is described with its members, and who has what it committed", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [5, 0]);
  const memberId = await classicMember(http, "g", "t");
  const committer = { memberId, instanceId: null, generationId: 1, version: 8 };
  expect(http.parts.groups.commitFault("g", committer, [])).toBeNull();
  await http.parts.offsets.commit("g", [at("t", 1, 0), at("gone", 3, 7)]);
  expect(await http.ask("/groups/g")).toEqual([
    200,
    {
      group: "g",
      type: "classic",
      state: "Stable",
      protocolType: "consumer",
      assignor: "range",
      coordinator: 1,
      lag: 0,
      isLagComplete: false,
      members: [
        {
          memberId,
          instanceId: null,
          clientId: "c",
          host: "127.0.0.1",
          partitions: [{ topic: "t", partition: 0 }],
        },
      ],
      partitions: [
        {
          topic: "gone",
          partition: 3,
          committedOffset: 7,
          logEndOffset: null,
          lag: null,
          unknown: "no-topic",
          metadata: "",
          memberId: null,
        },
        {
          topic: "t",
          partition: 0,
          committedOffset: null,
          logEndOffset: 5,
          lag: null,
          unknown: "no-commit",
          metadata: null,
          memberId,
        },
        {
          topic: "t",
          partition: 1,
          committedOffset: 0,
          logEndOffset: 0,
          lag: 0,
          unknown: null,
          metadata: "",
          memberId: null,
        },
      ],
    },
  ]);
});

test("a group of the consumer protocol is described with its members", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [2, 0]);
  await consumerMember(http, "a group/ü", "t");
  const [status, told] = await http.ask(`/groups/${encodeURIComponent("a group/ü")}`);
  expect([status, told]).toMatchObject([
    200,
    {
      group: "a group/ü",
      type: "consumer",
      state: "Stable",
      assignor: "uniform",
      lag: null,
      isLagComplete: false,
      members: [
        {
          memberId: "m-1",
          instanceId: "i-1",
          clientId: "c-1",
          host: "10.0.0.1",
          partitions: [
            { topic: "t", partition: 0 },
            { topic: "t", partition: 1 },
          ],
        },
      ],
      partitions: [
        { partition: 0, lag: null, unknown: "no-commit", memberId: "m-1" },
        { partition: 1, lag: null, unknown: "no-commit", memberId: "m-1" },
      ],
    },
  ]);
});

test("a reset is previewed, then done; offsets stay within what a partition holds", async () => {
  await using http = await startHttp();
  const [first] = await topicOf(http, "t", [5, 3]);
  await http.ask("/topics/t/trim", post({ partitions: [{ partition: 0, offset: 2 }] }));
  expect(first!.startOffset).toBe(2);
  await http.parts.offsets.commit("g", [at("t", 0, 4), at("t", 1, 2)]);
  const committed = () => http.parts.offsets.list("g").map(({ committed: { offset } }) => offset);
  const changes = [
    { topic: "t", partition: 0, from: 4, to: 2 },
    { topic: "t", partition: 1, from: 2, to: 0 },
  ];
  const path = "/groups/g/reset";
  expect(await http.ask(path, post({ to: "earliest", dryRun: true }))).toEqual([
    200,
    { group: "g", changed: false, partitions: changes },
  ]);
  expect(committed()).toEqual([4, 2]);
  expect(await http.ask(path, post({ to: "earliest", dryRun: false }))).toEqual([
    200,
    { group: "g", changed: true, partitions: changes },
  ]);
  expect(committed()).toEqual([2, 0]);
  expect(await http.ask(path, post({ to: "earliest" }))).toMatchObject([200, { changed: false }]);
  const targets = async (body: object) => {
    const [status, told] = (await http.ask(path, post({ ...body, dryRun: true }))) as [
      number,
      { partitions: { to: number; note?: string }[] },
    ];
    return [status, told.partitions.map(({ to, note }) => (note === undefined ? to : [to, note]))];
  };
  expect(await targets({ to: "latest" })).toEqual([200, [5, 3]]);
  expect(await targets({ to: "offset", offset: 1 })).toEqual([200, [[2, "1 is before the start offset"], 1]]);
  expect(await targets({ to: "offset", offset: 4 })).toEqual([200, [4, [3, "4 is after the end offset"]]]);
  expect(await targets({ to: "offset", offset: -3 })).toEqual([200, [2, 0]]);
  expect(await targets({ to: "offset", offset: -4 })).toEqual([
    200,
    [
      [2, "it holds only 3 offsets"],
      [0, "it holds only 3 offsets"],
    ],
  ]);
  expect(await targets({ to: "shift", by: 1 })).toEqual([200, [3, 1]]);
  expect(await targets({ to: "timestamp", timestamp: "1970-01-01" })).toEqual([200, [2, 0]]);
  expect(await targets({ to: "timestamp", timestamp: 4_000_000_000_000 })).toEqual([
    200,
    [
      [5, "no record is that new"],
      [3, "no record is that new"],
    ],
  ]);
  expect(await targets({ to: "latest", partitions: [1] })).toEqual([200, [3]]);
});

test("a group that is not there is given offsets where topics are named", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [5]);
  expect(await http.ask("/groups/new/reset", post({ to: "latest" }))).toMatchObject([
    404,
    { code: "GROUP_ID_NOT_FOUND" },
  ]);
  expect(await http.ask("/groups/new/reset", post({ to: "latest", topics: ["t"] }))).toEqual([
    200,
    { group: "new", changed: true, partitions: [{ topic: "t", partition: 0, from: null, to: 5 }] },
  ]);
  expect(await http.ask("/groups/new/reset", post({ to: "shift", by: -1, topics: ["t"] }))).toMatchObject([
    200,
    { partitions: [{ from: 5, to: 4 }] },
  ]);
  expect(http.parts.offsets.fetch("new", "t", 0)?.offset).toBe(4);
});

test("a reset that cannot be done is refused, and changes nothing", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [5]);
  await classicMember(http, "busy", "t");
  await http.parts.offsets.commit("g", [at("t", 0, 4)]);
  const reset = async (group: string, body: unknown) =>
    (await http.ask(`/groups/${group}/reset`, post(body))) as [number, { code: string; detail: string }];
  const refusal = async (body: unknown) => {
    const [status, { code }] = await reset("g", body);
    return [status, code];
  };
  const [status, { code, detail }] = await reset("busy", { to: "earliest", topics: ["t"] });
  expect([status, code, detail]).toEqual([
    409,
    "NON_EMPTY_GROUP",
    'the group "busy" has members, which would overwrite the change; stop its consumers, then try again',
  ]);
  const unknown = [404, "UNKNOWN_TOPIC_OR_PARTITION"];
  expect(await refusal({ to: "earliest", topics: ["none"] })).toEqual(unknown);
  expect(await refusal({ to: "earliest", topics: ["t"], partitions: [0, 1] })).toEqual(unknown);
  const invalid = [400, "INVALID_REQUEST"];
  expect(await refusal({ to: "offset" })).toEqual(invalid);
  expect(await refusal({ to: "sideways" })).toEqual(invalid);
  expect(await refusal({ to: "timestamp", timestamp: "soon" })).toEqual(invalid);
  expect(http.parts.offsets.list("g").map(({ committed: { offset } }) => offset)).toEqual([4]);
});

test("a group without members is deleted with its offsets, or with those of one topic", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [5]);
  await topicOf(http, "u", [5]);
  await http.parts.offsets.commit("g", [at("t", 0, 4), at("u", 0, 2)]);
  const remove = async (path: string) => {
    const response = await http.fetch(path, { method: "DELETE" });
    const text = await response.text();
    return [response.status, text === "" ? null : JSON.parse(text).code];
  };
  expect(await remove("/groups/g?topic=t")).toEqual([204, null]);
  expect(http.parts.offsets.list("g").map(({ topic }) => topic)).toEqual(["u"]);
  expect(await remove("/groups/g")).toEqual([204, null]);
  expect(http.parts.groups.find("g")).toBeUndefined();
  expect(await remove("/groups/g")).toEqual([404, "GROUP_ID_NOT_FOUND"]);
  expect(await remove("/groups/g?topic=t")).toEqual([404, "GROUP_ID_NOT_FOUND"]);
  await classicMember(http, "busy", "t");
  expect(await remove("/groups/busy")).toEqual([409, "NON_EMPTY_GROUP"]);
  expect(await remove("/groups/busy?topic=t")).toEqual([409, "GROUP_SUBSCRIBED_TO_TOPIC"]);
  expect(await remove("/groups/busy?topic=u")).toEqual([204, null]);
});

test("a group with very many partitions is told in part, and topic by topic", async () => {
  await using http = await startHttp();
  const count = 30_000;
  for (const name of ["t0", "t1"]) {
    const offsets = Array.from({ length: count }, (_, partition) => at(name, partition, 0));
    await http.parts.offsets.commit("g", offsets);
  }
  const [, all] = (await http.ask("/groups/g")) as [number, { partitions: object[] }];
  expect(all).toMatchObject({ lag: null, isLagComplete: false, partitionsLeftOut: 10_000 });
  expect(all.partitions.length).toBe(50_000);
  const [, one] = (await http.ask("/groups/g?topic=t1")) as [number, { partitions: { topic: string }[] }];
  expect(one).not.toHaveProperty("partitionsLeftOut");
  expect([one.partitions.length, new Set(one.partitions.map(({ topic }) => topic))]).toEqual([
    count,
    new Set(["t1"]),
  ]);
}, 30_000);
