/** The coordinator: many groups, what is stored of them, what is left after a crash, and where it says no. */

import { expect, test } from "bun:test";
import type { ConsumerGroups, GroupView } from "../../src/consumer/group-kinds.ts";
import { GROUP_BYTES_MAX, GROUPS_BYTES_MAX } from "../../src/consumer/group-room.ts";
import { FULL, UNUSABLE } from "../support/refusing-state.ts";
import { TestGroups } from "../support/test-groups.ts";

const T0 = [{ topic: "t", partition: 0, offset: 5, leaderEpoch: -1, metadata: "" }];

test("after a crash a member goes on in its generation with its assignment, without a rebalance", async () => {
  const before = await TestGroups.open();
  const { memberId } = await before.settle("g");
  const after = await before.reopen();
  expect(after.groups.heartbeat("g", memberId, null, 1)).toBeNull();
  expect(after.commitFault("g", memberId, 1)).toBeNull();
  expect(await after.sync("g", memberId, 1)).toEqual({
    error: null,
    protocolType: "consumer",
    protocolName: "range",
    assignment: Buffer.from(`a of ${memberId}`),
  });
  after.clock.advance(10_000);
  expect(after.groups.heartbeat("g", memberId, null, 1)).toBe("UNKNOWN_MEMBER_ID");
});

test("a static member that came back under another id is the one that is known after a crash", async () => {
  const before = await TestGroups.open();
  await before.settle("g", { instanceId: "one" });
  const { memberId } = await before.join("g", { instanceId: "one" });
  const after = await before.reopen();
  expect(after.groups.heartbeat("g", memberId, "one", 1)).toBeNull();
});

test("a generation whose assignment was not stored is not there after a crash, and its members come again", async () => {
  const before = await TestGroups.open();
  const { memberId } = await before.settle("g");
  const joining = [before.join("g"), before.join("g", { memberId })];
  const [fresh] = await Promise.all(joining);
  expect(fresh?.generationId).toBe(2);
  const after = await before.reopen();
  expect(after.groups.heartbeat("g", memberId, null, 2)).toBe("ILLEGAL_GENERATION");
  expect(after.groups.heartbeat("g", memberId, null, 1)).toBeNull();
});

test("a group that has become empty keeps its generation over a crash", async () => {
  const before = await TestGroups.open();
  const { memberId } = await before.settle("g");
  expect(before.groups.leave("g", [{ memberId, groupInstanceId: null }])).toEqual([
    { memberId, groupInstanceId: null, error: null },
  ]);
  await before.state.change([]);
  const after = await before.reopen();
  const { state, generationId, protocolType } = after.groups.classic("g")!;
  expect({ state, generationId, protocolType }).toEqual({
    state: "Empty",
    generationId: 2,
    protocolType: "consumer",
  });
  expect((await after.settle("g")).generationId).toBe(3);
});

test("an entry that cannot be read is reported and left alone", async () => {
  const first = await TestGroups.open();
  await first.settle("good");
  await first.state.change([
    { key: "group/bad", value: "{" },
    { key: "group/odd", value: '{"type":"classic","generation":-1}' },
    { key: "group/%", value: "{}" },
  ]);
  const after = await first.reopen();
  expect(after.groups.unreadable).toEqual(["group/%", "group/bad", "group/odd"]);
  expect([...after.groups.names()]).toEqual(["good"]);
});

test("when the assignment cannot be stored nobody gets it, and the group goes on when the disk does", async () => {
  const test = await TestGroups.open();
  const joining = test.join("g");
  test.clock.advance(0);
  const { memberId } = await joining;
  test.state.refuses = FULL;
  expect((await test.sync("g", memberId, 1, [memberId])).error).toBe("NOT_COORDINATOR");
  test.state.refuses = UNUSABLE;
  const again = await test.join("g", { memberId });
  expect((await test.sync("g", memberId, again.generationId, [memberId])).error).toBe(
    "COORDINATOR_NOT_AVAILABLE",
  );
  test.state.refuses = null;
  const { generationId } = await test.join("g", { memberId });
  expect((await test.sync("g", memberId, generationId, [memberId])).error).toBeNull();
  expect(test.warnings).toEqual([
    "a group could not be stored, its members try again",
    "a group could not be stored, its members try again",
  ]);
});

test("a group that nobody comes to with the id is forgotten, with its timer", async () => {
  const test = await TestGroups.open();
  const { error } = await test.join("g", { isTwoStep: true });
  expect([error, test.groups.count, test.clock.pending]).toEqual(["MEMBER_ID_REQUIRED", 1, 1]);
  test.clock.advance(10_000);
  expect([test.groups.count, test.clock.pending, test.groups.memberCount, test.groups.bytes]).toEqual([
    0, 0, 0, 0,
  ]);
  expect((await test.join("g", { protocols: [] })).error).toBe("INCONSISTENT_GROUP_PROTOCOL");
  expect([test.groups.count, test.clock.pending]).toEqual([0, 0]);
});

test("a heartbeat sets no timer: there is one for each group, however many members it has", async () => {
  const test = await TestGroups.open();
  const { memberId } = await test.settle("g");
  for (let beat = 0; beat < 100; beat += 1) test.groups.heartbeat("g", memberId, null, 1);
  expect(test.clock.pending).toBe(1);
  for (let second = 0; second < 100; second += 1) {
    test.clock.advance(1000);
    expect(test.groups.heartbeat("g", memberId, null, 1)).toBeNull();
  }
  expect(test.clock.pending).toBe(1);
});

test("names and timeouts outside their range are refused", async () => {
  const test = await TestGroups.open();
  expect((await test.join("")).error).toBe("INVALID_GROUP_ID");
  expect((await test.join("g".repeat(2000))).error).toBe("INVALID_GROUP_ID");
  expect((await test.join("g", { sessionTimeoutMs: 99 })).error).toBe("INVALID_SESSION_TIMEOUT");
  expect((await test.join("g", { sessionTimeoutMs: 60_001 })).error).toBe("INVALID_SESSION_TIMEOUT");
  expect((await test.join("g", { memberId: "m" })).error).toBe("UNKNOWN_MEMBER_ID");
  expect((await test.join("g".repeat(2000), { memberId: "m" })).error).toBe("UNKNOWN_MEMBER_ID");
  expect((await test.sync("", "m", 1)).error).toBe("INVALID_GROUP_ID");
  expect((await test.sync("g", "m", 1)).error).toBe("UNKNOWN_MEMBER_ID");
  expect([test.groups.heartbeat("", "m", null, 1), test.groups.heartbeat("g", "m", null, 1)]).toEqual([
    "INVALID_GROUP_ID",
    "UNKNOWN_MEMBER_ID",
  ]);
});

test("a group's metadata and assignments have a limit, and those of all groups together", async () => {
  const test = await TestGroups.open();
  const protocols = (bytes: number) => [{ name: "range", metadata: Buffer.alloc(bytes) }];
  expect((await test.join("large", { protocols: protocols(GROUP_BYTES_MAX) })).error).toBe(
    "GROUP_MAX_SIZE_REACHED",
  );
  const joining = test.join("g", { protocols: protocols(GROUP_BYTES_MAX / 2) });
  test.clock.advance(0);
  const { memberId, generationId } = await joining;
  const assignments = new Map([[memberId, Buffer.alloc(2 * GROUP_BYTES_MAX)]]);
  const sync = await new Promise<{ error: unknown }>((resolve) => {
    const request = {
      memberId,
      instanceId: null,
      generationId,
      protocolType: null,
      protocolName: null,
      assignments,
    };
    test.groups.sync("g", request, { respond: resolve });
  });
  expect(sync.error).toBe("UNKNOWN_SERVER_ERROR");
  const errors: unknown[] = [];
  for (let index = 0; index < GROUPS_BYTES_MAX / GROUP_BYTES_MAX + 1; index += 1) {
    const filling = test.join(`fill-${index}`, { protocols: protocols(GROUP_BYTES_MAX - 4096) });
    test.clock.advance(0);
    errors.push((await filling).error);
  }
  expect(errors.at(0)).toBeNull();
  expect(errors.at(-1)).toBe("POLICY_VIOLATION");
  expect(test.groups.bytes <= GROUPS_BYTES_MAX).toBe(true);
});

test("commits to a group that is not there, or only has offsets, are refused as in Kafka", async () => {
  const test = await TestGroups.open();
  expect([
    test.commitFault("g", "", -1),
    test.commitFault("g", "m", 1),
    test.commitFault("g", "m", 1, 9),
  ]).toEqual([null, "ILLEGAL_GENERATION", "GROUP_ID_NOT_FOUND"]);
  await test.offsets.commit("g", T0);
  expect([test.commitFault("g", "", -1), test.commitFault("g", "m", 1)]).toEqual([null, "UNKNOWN_MEMBER_ID"]);
  const { state, type, protocolType } = test.groups.find("g")!;
  expect({ state, type, protocolType }).toEqual({ state: "Empty", type: "classic", protocolType: "" });
});

test("a group is removed with its offsets when it has no members, durably", async () => {
  const test = await TestGroups.open();
  const { memberId } = await test.settle("g");
  await test.offsets.commit("g", T0);
  expect([await test.groups.remove("g"), await test.groups.remove("nobody")]).toEqual([
    "NON_EMPTY_GROUP",
    "GROUP_ID_NOT_FOUND",
  ]);
  test.groups.leave("g", [{ memberId, groupInstanceId: null }]);
  expect(await test.groups.remove("g")).toBeNull();
  expect([test.groups.find("g"), test.offsets.fetch("g", "t", 0)]).toEqual([undefined, null]);
  const after = await test.reopen();
  expect([...after.groups.names()]).toEqual([]);
  await after.offsets.commit("simple", T0);
  expect([await after.groups.remove("simple"), [...after.groups.names()]]).toEqual([null, []]);
});

test("a commit that comes while a group is removed is not lost with it", async () => {
  const test = await TestGroups.open();
  await test.offsets.commit("g", T0);
  const removed = test.groups.remove("g");
  const committed = test.offsets.commit("g", [{ ...T0[0]!, offset: 9 }]);
  await Promise.all([removed, committed]);
  expect(test.offsets.fetch("g", "t", 0)?.offset).toBe(9);
  const after = await test.reopen();
  expect(after.offsets.fetch("g", "t", 0)?.offset).toBe(9);
});

test("a thousand members come together in one generation, and are told in slices", async () => {
  const test = await TestGroups.open({ initialRebalanceDelayMs: 100 });
  const joins = Array.from({ length: 1000 }, () => test.join("g"));
  test.clock.advance(200);
  const responses = await Promise.all(joins);
  const leader = responses.find(({ members }) => members.length > 0)!;
  expect([leader.members.length, new Set(responses.map(({ generationId }) => generationId)).size]).toEqual([
    1000, 1,
  ]);
  const ids = responses.map(({ memberId }) => memberId);
  const followers = ids.filter((id) => id !== leader.memberId).map((id) => test.sync("g", id, 1));
  await test.sync("g", leader.memberId, 1, ids);
  expect((await Promise.all(followers)).map(({ error }) => error)).toEqual(
    Array.from({ length: 999 }, () => null),
  );
  expect(test.groups.memberCount).toBe(1000);
  const after = await test.reopen();
  expect([after.groups.memberCount, after.clock.pending]).toEqual([1000, 1]);
});

test("a group that becomes one of the other kind sends its members there, and one that comes back calls them to a rebalance", async () => {
  const test = await TestGroups.open();
  const { memberId } = await test.settle("g");
  const image = test.groups.classic("g")!.image(null);
  const rejoining = test.join("g", { memberId: "" });
  const changes = test.groups.release("g");
  expect((await rejoining).error).toBe("REBALANCE_IN_PROGRESS");
  expect(changes).toEqual([{ key: "group/g", value: null }]);
  const other = otherKind("g");
  test.groups.attach(other);
  expect(test.groups.heartbeat("g", memberId, null, 1)).toBe("FENCED_MEMBER_EPOCH");
  expect((await test.sync("g", memberId, 1)).error).toBe("FENCED_MEMBER_EPOCH");
  expect((await test.join("g")).error).toBe("FENCED_MEMBER_EPOCH");
  expect([...test.groups.names()]).toEqual(["g"]);
  other.isGone = true;
  const group = await test.groups.adopt("g", { ...image, leaderId: "" }, [
    { key: "consumer-group/g", value: null },
  ]);
  expect([group.state, test.groups.heartbeat("g", memberId, null, 1)]).toEqual([
    "PreparingRebalance",
    "REBALANCE_IN_PROGRESS",
  ]);
});

/** One group of another kind, whose members are told one error for everything. */
function otherKind(name: string): ConsumerGroups & { isGone: boolean } {
  const error = "FENCED_MEMBER_EPOCH";
  const view: GroupView = {
    type: "consumer",
    state: "Stable",
    protocolType: "consumer",
    isEmpty: false,
    commit: () => error,
    fetchFault: () => error,
    offsetDeleteFault: () => null,
    isSubscribedTo: () => true,
    unusedSinceMs: () => null,
  };
  const other = {
    isGone: false,
    find: (asked: string) => (asked === name && !other.isGone ? view : undefined),
    names: () => (other.isGone ? [] : [name]),
    release: () => [],
    join: (_name: string, { memberId }: { memberId: string }, waiter: { respond(response: never): void }) =>
      waiter.respond({ error, memberId } as never),
    sync: (_name: string, _request: unknown, waiter: { respond(response: never): void }) =>
      waiter.respond({ error } as never),
    heartbeat: () => error,
    leave: () => [],
  };
  return other as ConsumerGroups & { isGone: boolean };
}
