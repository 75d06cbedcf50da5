/** Consumers over HTTP, by real HTTP over a broker in memory; a member of Kafka's own protocol shares the group with them. */

import { expect, test } from "bun:test";
import { batchOf } from "../../support/batches.ts";
import { joinRequest } from "../../support/group-scene.ts";
import { startHttp, type TestHttp } from "../../support/http.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { appendTo } from "../../support/partitions.ts";

interface Polled {
  member: string;
  leaseMs: number;
  messages: { partition: number; offset: number; value: string }[];
  offsets: { topic: string; partition: number; offset: number }[];
  code?: string;
}

async function topicOf(http: TestHttp, name: string, values: readonly (readonly string[])[]) {
  const { partitions } = await http.broker.topics.create(name, { partitions: values.length, configs: {} });
  for (const [index, own] of values.entries())
    if (own.length > 0) await appendTo(partitions[index]!, batchOf([...own])).done;
  return partitions;
}

async function post(http: TestHttp, path: string, body: object): Promise<[number, Polled]> {
  return (await http.ask(path, { method: "POST", body: JSON.stringify(body) })) as [number, Polled];
}

async function poll(http: TestHttp, body: object, group = "g"): Promise<Polled> {
  const [status, polled] = await post(http, `/groups/${group}/poll`, body);
  expect([status, polled.code]).toEqual([200, undefined]);
  return polled;
}

const commit = (http: TestHttp, body: object) => post(http, "/groups/g/commit", body);
const valuesOf = ({ messages }: Polled) => messages.map(({ value }) => value).sort();

/** Polls until it has messages, in turns with others who do. */
async function pollUntil(
  http: TestHttp,
  body: object,
  isEnough: (polled: Polled) => boolean,
): Promise<Polled> {
  for (;;) {
    const polled = await poll(http, { waitMs: 200, ...body });
    if (isEnough(polled)) return polled;
  }
}

test("a consumer polls, commits and goes on; without a commit it gets the same again", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [["a", "b", "c"]]);
  const first = await poll(http, { topics: ["t"], max: 2 });
  expect(first).toMatchObject({
    leaseMs: 30_000,
    messages: [
      { topic: "t", partition: 0, offset: 0, value: "a" },
      { topic: "t", partition: 0, offset: 1, value: "b" },
    ],
    offsets: [{ topic: "t", partition: 0, offset: 2 }],
  });
  const { member } = first;
  expect(valuesOf(await poll(http, { member, max: 2 }))).toEqual(["a", "b"]);
  const committed = { member, offsets: first.offsets };
  expect(await commit(http, committed)).toEqual([200, committed as never]);
  expect(http.parts.offsets.fetch("g", "t", 0)?.offset).toBe(2);
  const second = await poll(http, { member });
  expect(second.messages).toMatchObject([{ offset: 2, value: "c" }]);
  await commit(http, { member, offsets: second.offsets });
  expect(await poll(http, { member })).toMatchObject({ messages: [], offsets: [] });
  const [, group] = (await http.ask("/groups/g")) as [number, { members: object[]; lag: number }];
  expect(group).toMatchObject({ type: "consumer", state: "Stable", lag: 0 });
  expect(group.members).toMatchObject([{ memberId: member, clientId: "obelisk-http", host: "127.0.0.1" }]);
});

test("a poll waits for a message", async () => {
  await using http = await startHttp();
  const [partition] = await topicOf(http, "t", [[]]);
  const waiting = poll(http, { topics: ["t"], waitMs: 60_000 });
  while (http.parts.heartbeatGroups.get("g") === undefined) await new Promise((done) => setImmediate(done));
  await appendTo(partition!, batchOf(["x"])).done;
  expect(valuesOf(await waiting)).toEqual(["x"]);
});

test("it begins at the end where it is told to, and goes on from there although nothing is committed", async () => {
  await using http = await startHttp();
  const [partition] = await topicOf(http, "t", [["old"]]);
  const { member, messages } = await poll(http, { topics: ["t"], from: "latest" });
  expect(messages).toEqual([]);
  await appendTo(partition!, batchOf(["new"])).done;
  expect(valuesOf(await poll(http, { member, from: "latest" }))).toEqual(["new"]);
});

test("a filter leaves messages out, and what is committed passes over them", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [['{"n": 1}', '{"n": 5}', '{"n": 2}']]);
  const polled = await poll(http, { topics: ["t"], filter: "value.n > 3" });
  expect(polled.messages).toMatchObject([{ offset: 1 }]);
  expect(polled.offsets).toEqual([{ topic: "t", partition: 0, offset: 3 }]);
  expect((await post(http, "/groups/g/poll", { topics: ["t"], filter: "value.n >" }))[1].code).toBe(
    "INVALID_FILTER",
  );
});

test("two consumers share the partitions; what one has been handed the other does not get", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [["a0"], ["b0"]]);
  const first = await poll(http, { topics: ["t"] });
  expect(valuesOf(first)).toEqual(["a0", "b0"]);
  const { member: one } = first;
  // The second is to have a partition, whose message the first has not committed.
  const { member: two, messages } = await poll(http, { topics: ["t"], waitMs: 100 });
  expect(messages).toEqual([]);
  expect((await commit(http, { member: one, offsets: first.offsets }))[0]).toBe(200);
  const topic = http.broker.topics.get("t")!;
  for (const [index, value] of ["a1", "b1"].entries())
    await appendTo(topic.partitions[index]!, batchOf([value])).done;
  const ofTwo = await pollUntil(http, { member: two }, (polled) => polled.messages.length > 0);
  const ofOne = await pollUntil(http, { member: one }, (polled) => polled.messages.length === 1);
  expect([...valuesOf(ofOne), ...valuesOf(ofTwo)].sort()).toEqual(["a1", "b1"]);
  // What the first has no more it cannot commit.
  const [status, { code }] = await commit(http, { member: one, offsets: ofTwo.offsets });
  expect([status, code]).toEqual([409, "ILLEGAL_GENERATION"]);
});

test("when a lease ends others get what was not committed, and a late commit is refused", async () => {
  const clock = new ManualClock();
  await using http = await startHttp({ clock });
  await topicOf(http, "t", [["a", "b"]]);
  const first = await poll(http, { topics: ["t"], leaseMs: 5000, member: "first" });
  expect(first.member).toBe("first");
  await commit(http, { member: "first", offsets: [{ topic: "t", partition: 0, offset: 1 }] });
  expect((await poll(http, { topics: ["t"], member: "second" })).messages).toEqual([]);
  for (let passedMs = 0; passedMs <= 7000; passedMs += 1000) {
    clock.advance(1000);
    await poll(http, { member: "second" });
  }
  expect(valuesOf(await poll(http, { member: "second" }))).toEqual(["b"]);
  const [status, { code }] = await commit(http, { member: "first", offsets: first.offsets });
  expect([status, code]).toEqual([409, "UNKNOWN_MEMBER_ID"]);
  expect(http.parts.offsets.fetch("g", "t", 0)?.offset).toBe(1);
  const [gone, refusal] = await post(http, "/groups/g/poll", { member: "first" });
  expect([gone, refusal.code]).toEqual([400, "INVALID_REQUEST"]);
});

test("what is committed does not go back, nor beyond the end", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [["a", "b", "c"]]);
  const { member } = await poll(http, { topics: ["t"] });
  const to = (offset: number) => ({ member, offsets: [{ topic: "t", partition: 0, offset }] });
  const stands = async (offset: number) => (await commit(http, to(offset)))[1].offsets[0]!.offset;
  expect(await stands(2)).toBe(2);
  expect(await stands(1)).toBe(2);
  // Whatever order they come in, the last one stands.
  await Promise.all([3, 0, 1, 2, 3, 0].map(stands));
  const [status, { code }] = await commit(http, to(4));
  expect([status, code]).toEqual([416, "OFFSET_OUT_OF_RANGE"]);
  expect(http.parts.offsets.fetch("g", "t", 0)?.offset).toBe(3);
});

test("a member that leaves makes room at once", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [["a"]]);
  await poll(http, { topics: ["t"], member: "first" });
  expect((await poll(http, { topics: ["t"], member: "second" })).messages).toEqual([]);
  const leave = () => http.fetch("/groups/g/members/first", { method: "DELETE" });
  expect((await leave()).status).toBe(204);
  expect(
    valuesOf(await pollUntil(http, { member: "second" }, ({ messages }) => messages.length > 0)),
  ).toEqual(["a"]);
  expect((await leave()).status).toBe(409);
});

test("a second poll of a member ends the first", async () => {
  await using http = await startHttp();
  const [partition] = await topicOf(http, "t", [[]]);
  const first = poll(http, { topics: ["t"], member: "m", waitMs: 60_000 });
  while (http.parts.heartbeatGroups.get("g") === undefined) await new Promise((done) => setImmediate(done));
  const second = poll(http, { member: "m", waitMs: 60_000 });
  expect((await first).messages).toEqual([]);
  await appendTo(partition!, batchOf(["x"])).done;
  expect(valuesOf(await second)).toEqual(["x"]);
});

test("polls that cannot be are refused with what to do", async () => {
  await using http = await startHttp();
  await topicOf(http, "t", [["a"]]);
  const refusal = async (body: object) => {
    const [status, { code }] = await post(http, "/groups/g/poll", body);
    return [status, code];
  };
  expect(await refusal({})).toEqual([400, "INVALID_REQUEST"]);
  expect(await refusal({ topics: ["none"] })).toEqual([404, "UNKNOWN_TOPIC_OR_PARTITION"]);
  expect(await refusal({ topics: ["t"], max: 0 })).toEqual([400, "INVALID_REQUEST"]);
  expect(await refusal({ topics: ["t"], leaseMs: 1 })).toEqual([400, "INVALID_REQUEST"]);
  // A group whose members are of a kind that nobody else can read.
  const { groups } = http.parts;
  await new Promise((respond) => {
    groups.join("g", joinRequest({ protocolType: "connect" }), { respond });
  });
  expect(await refusal({ topics: ["t"] })).toEqual([409, "INCONSISTENT_GROUP_PROTOCOL"]);
});
