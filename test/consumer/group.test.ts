/**
 * The classic group by itself, state by state: what each request is told, and what becomes of the group. The order of things is
 * Kafka's; scripts/differential compares the same over the wire.
 */

import { expect, test } from "bun:test";
import { assignmentsOf, GroupScene, joinRequest, subscription, type Told } from "../support/group-scene.ts";

function errorOf<Response extends { error: unknown }>(record: Told<Response>): unknown {
  return record.response === null ? "waiting" : record.response.error;
}

test("a first member leads its generation after the initial delay, and gets its assignment when that is stored", () => {
  const scene = new GroupScene();
  scene.storeError = "later";
  const join = scene.join();
  scene.pass(99);
  expect([scene.group.state, join.response]).toEqual(["PreparingRebalance", null]);
  scene.pass(1);
  expect(join.response).toEqual({
    error: null,
    memberId: "m1",
    generationId: 1,
    protocolType: "consumer",
    protocolName: "range",
    leader: "m1",
    skipAssignment: false,
    members: [{ memberId: "m1", groupInstanceId: null, metadata: Buffer.from("topics") }],
  });
  expect(scene.group.state).toBe("CompletingRebalance");
  const sync = scene.sync({ memberId: "m1", assignments: assignmentsOf(["m1"]) });
  expect(sync.response).toBeNull();
  scene.stored();
  expect(sync.response).toEqual({
    error: null,
    protocolType: "consumer",
    protocolName: "range",
    assignment: Buffer.from("a of m1"),
  });
  expect(scene.group.state).toBe("Stable");
});

test("the first rebalance waits again for each time that somebody has come, as long as the rebalance may take", () => {
  const scene = new GroupScene();
  const joins = [scene.join({ rebalanceTimeoutMs: 250 })];
  for (const _ of [1, 2]) {
    scene.pass(90);
    joins.push(scene.join({ rebalanceTimeoutMs: 250 }));
  }
  expect(joins.map(errorOf)).toEqual(["waiting", "waiting", "waiting"]);
  scene.pass(69);
  expect(joins.map(errorOf)).toEqual(["waiting", "waiting", "waiting"]);
  scene.pass(1);
  expect(joins.map(errorOf)).toEqual([null, null, null]);
  expect(joins.map(({ response }) => response?.members.length)).toEqual([3, 0, 0]);
});

test("from version 4 on a member gets its id first; who does not come with it in time is forgotten", () => {
  const scene = new GroupScene();
  const first = scene.join({ isTwoStep: true });
  expect([errorOf(first), first.response?.memberId]).toEqual(["MEMBER_ID_REQUIRED", "m1"]);
  expect(scene.group.isEmpty).toBe(false);
  expect(scene.heartbeat("m1")).toBe("UNKNOWN_MEMBER_ID");
  const second = scene.join({ isTwoStep: true, memberId: "m1" });
  scene.pass(100);
  expect(errorOf(second)).toBeNull();
  scene.join({ isTwoStep: true, sessionTimeoutMs: 500 });
  scene.pass(500);
  expect(errorOf(scene.join({ memberId: "m3" }))).toBe("UNKNOWN_MEMBER_ID");
});

test("a rebalance waits for the members that were given an id", () => {
  const scene = new GroupScene();
  scene.settle(1);
  scene.join({ isTwoStep: true });
  const rejoin = scene.join({ memberId: "m1" });
  expect(errorOf(rejoin)).toBe("waiting");
  scene.join({ isTwoStep: true, memberId: "m2" });
  expect([errorOf(rejoin), scene.group.generationId]).toEqual([null, 2]);
});

test("a member that joins makes the others join again; who does not come in time is out", () => {
  const scene = new GroupScene();
  scene.settle(2);
  expect(scene.heartbeat("m1")).toBeNull();
  const join = scene.join();
  expect([scene.heartbeat("m1"), scene.heartbeat("m2")]).toEqual([
    "REBALANCE_IN_PROGRESS",
    "REBALANCE_IN_PROGRESS",
  ]);
  const rejoin = scene.join({ memberId: "m2" });
  for (let second = 0; second < 30; second += 1) {
    scene.heartbeat("m1");
    scene.pass(1000);
  }
  expect([errorOf(join), errorOf(rejoin), join.response?.leader]).toEqual([null, null, "m2"]);
  expect(scene.heartbeat("m1")).toBe("UNKNOWN_MEMBER_ID");
});

test("a member that is silent for its session is out, and a rebalance begins", () => {
  const scene = new GroupScene();
  scene.settle(2);
  scene.pass(5000);
  expect(scene.heartbeat("m1")).toBeNull();
  scene.pass(5000);
  expect([scene.heartbeat("m1"), scene.heartbeat("m2")]).toEqual([
    "REBALANCE_IN_PROGRESS",
    "UNKNOWN_MEMBER_ID",
  ]);
});

test("who waits in a rebalance needs no heartbeat, unless it is new and waits for minutes", () => {
  const scene = new GroupScene();
  scene.settle(1, { rebalanceTimeoutMs: 600_000 });
  const join = scene.join({ rebalanceTimeoutMs: 600_000 });
  for (let second = 0; second < 299; second += 1) {
    scene.heartbeat("m1");
    scene.pass(1000);
  }
  expect(errorOf(join)).toBe("waiting");
  scene.heartbeat("m1");
  scene.pass(1000);
  expect(errorOf(join)).toBe("UNKNOWN_MEMBER_ID");
});

test("when the last member is gone the generation goes on, and its group is stored as empty", () => {
  const scene = new GroupScene();
  scene.settle(1);
  scene.storeError = "later";
  expect(scene.leave({ memberId: "m1" })).toEqual([null]);
  expect([scene.group.state, scene.group.generationId, scene.stores.length]).toEqual(["Empty", 2, 1]);
  expect([scene.group.protocolType, scene.group.image(null).members]).toEqual(["consumer", []]);
});

test("a follower that joins again unchanged is told the same; the leader, or a change, makes a rebalance", () => {
  const scene = new GroupScene();
  scene.settle(2);
  const follower = scene.join({ memberId: "m2" });
  expect([errorOf(follower), follower.response?.generationId, scene.group.state]).toEqual([
    null,
    1,
    "Stable",
  ]);
  const changed = scene.join({
    memberId: "m2",
    protocols: [{ name: "range", metadata: Buffer.from("other") }],
  });
  expect([errorOf(changed), scene.group.state]).toEqual(["waiting", "PreparingRebalance"]);
  scene.join({ memberId: "m1" });
  scene.syncAll();
  const leader = scene.join({ memberId: "m1" });
  expect([errorOf(leader), scene.group.state]).toEqual(["waiting", "PreparingRebalance"]);
});

test("before the assignment is there, who joins again unchanged is told the generation once more", () => {
  const scene = new GroupScene();
  scene.join();
  scene.join();
  scene.pass(200);
  const leader = scene.join({ memberId: "m1" });
  expect([errorOf(leader), leader.response?.members.length]).toEqual([null, 2]);
  const waiting = scene.sync({ memberId: "m2" });
  scene.join({ memberId: "m1", protocols: [{ name: "range", metadata: Buffer.from("other") }] });
  expect([errorOf(waiting), scene.group.state]).toEqual(["REBALANCE_IN_PROGRESS", "PreparingRebalance"]);
});

test("members that do not ask for their assignment within the rebalance timeout are out", () => {
  const scene = new GroupScene();
  const joins = [scene.join({ sessionTimeoutMs: 100_000 }), scene.join({ sessionTimeoutMs: 100_000 })];
  scene.pass(200);
  expect(joins.map(errorOf)).toEqual([null, null]);
  scene.sync({ memberId: "m1", assignments: assignmentsOf(["m1", "m2"]) });
  scene.pass(29_999);
  expect([scene.group.state, scene.group.members.count]).toEqual(["Stable", 2]);
  scene.pass(1);
  expect([scene.group.state, scene.group.members.count]).toEqual(["PreparingRebalance", 1]);
});

test("without the leader's assignment a generation fails as a whole", () => {
  const scene = new GroupScene();
  scene.join({ sessionTimeoutMs: 100_000 });
  scene.join({ sessionTimeoutMs: 100_000 });
  scene.pass(200);
  const waiting = scene.sync({ memberId: "m2" });
  scene.pass(30_000);
  expect([errorOf(waiting), scene.heartbeat("m1")]).toEqual(["REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"]);
});

test("an assignment that cannot be stored is told to nobody, and the members come again", () => {
  const scene = new GroupScene();
  scene.join();
  scene.pass(100);
  scene.storeError = "NOT_COORDINATOR";
  const sync = scene.sync({ memberId: "m1", assignments: assignmentsOf(["m1"]) });
  expect([errorOf(sync), scene.group.state]).toEqual(["NOT_COORDINATOR", "PreparingRebalance"]);
});

test("an assignment that is stored after another rebalance has begun is told to nobody", () => {
  const scene = new GroupScene();
  scene.join();
  scene.pass(100);
  scene.storeError = "later";
  const sync = scene.sync({ memberId: "m1", assignments: assignmentsOf(["m1"]) });
  scene.join();
  expect(errorOf(sync)).toBe("REBALANCE_IN_PROGRESS");
  scene.join({ memberId: "m1" });
  scene.stored();
  expect([scene.group.state, scene.group.generationId]).toEqual(["CompletingRebalance", 2]);
});

test("SyncGroup is refused in each state with Kafka's error", () => {
  const scene = new GroupScene();
  scene.settle(2);
  expect(errorOf(scene.sync({ memberId: "nobody" }))).toBe("UNKNOWN_MEMBER_ID");
  expect(errorOf(scene.sync({ memberId: "m1", generationId: 9 }))).toBe("ILLEGAL_GENERATION");
  expect(errorOf(scene.sync({ memberId: "m1", protocolType: "connect" }))).toBe(
    "INCONSISTENT_GROUP_PROTOCOL",
  );
  expect(errorOf(scene.sync({ memberId: "m1", protocolName: "sticky" }))).toBe("INCONSISTENT_GROUP_PROTOCOL");
  expect(scene.sync({ memberId: "m2" }).response?.assignment.toString()).toBe("a of m2");
  scene.join();
  expect(errorOf(scene.sync({ memberId: "m1" }))).toBe("REBALANCE_IN_PROGRESS");
});

test("commits are taken from members of the generation, and without membership while there are none", () => {
  const scene = new GroupScene();
  expect([scene.commit("", -1), scene.commit("m1", -1), scene.commit("m1", 1)]).toEqual([
    null,
    null,
    "UNKNOWN_MEMBER_ID",
  ]);
  scene.join();
  expect([scene.commit("", -1), scene.commit("m1", 0)]).toEqual(["UNKNOWN_MEMBER_ID", null]);
  scene.pass(100);
  expect([scene.commit("m1", 1), scene.commit("m1", 0)]).toEqual([
    "REBALANCE_IN_PROGRESS",
    "ILLEGAL_GENERATION",
  ]);
  scene.syncAll();
  expect(scene.commit("m1", 1)).toBeNull();
  expect([scene.commit("m1", -1), scene.commit("m2", 1)]).toEqual([
    "ILLEGAL_GENERATION",
    "UNKNOWN_MEMBER_ID",
  ]);
  scene.join();
  expect(scene.commit("m1", 1)).toBeNull();
});

test("a commit is a sign of life", () => {
  const scene = new GroupScene();
  scene.settle(1);
  for (let count = 0; count < 5; count += 1) {
    scene.pass(6000);
    expect(scene.commit("m1", 1)).toBeNull();
  }
});

test("a static member that comes back goes on with its assignment without a rebalance, and fences the former one", () => {
  const scene = new GroupScene();
  const request = { instanceId: "one", canSkipAssignment: true };
  scene.settle(1, request);
  const back = scene.join({ ...request, newMemberId: "new" });
  expect(back.response).toEqual({
    error: null,
    memberId: "new",
    generationId: 1,
    protocolType: "consumer",
    protocolName: "range",
    leader: "new",
    skipAssignment: true,
    members: [{ memberId: "new", groupInstanceId: "one", metadata: Buffer.from("topics") }],
  });
  expect(scene.group.state).toBe("Stable");
  expect(scene.sync({ memberId: "new", instanceId: "one" }).response?.assignment.toString()).toBe("a of m1");
  expect(scene.heartbeat("m1", 1, "one")).toBe("FENCED_INSTANCE_ID");
  expect(scene.heartbeat("m1", 1)).toBe("UNKNOWN_MEMBER_ID");
  expect(scene.commit("m1", 1, "one")).toBe("FENCED_INSTANCE_ID");
  expect(errorOf(scene.sync({ memberId: "m1", instanceId: "one" }))).toBe("FENCED_INSTANCE_ID");
  expect(errorOf(scene.join({ memberId: "m1", instanceId: "one" }))).toBe("FENCED_INSTANCE_ID");
  expect(scene.heartbeat("new", 1, "two")).toBe("UNKNOWN_MEMBER_ID");
});

test("before version 9 a static leader that comes back is told its former self as leader, so that it does not assign", () => {
  const scene = new GroupScene();
  scene.settle(1, { instanceId: "one" });
  const back = scene.join({ instanceId: "one", newMemberId: "new" });
  const { leader, members, skipAssignment } = back.response!;
  expect({ leader, members, skipAssignment }).toEqual({ leader: "m1", members: [], skipAssignment: false });
});

test("a static member that comes back with other protocols, or while a generation is made, makes a rebalance", () => {
  const scene = new GroupScene();
  const range = { name: "range", metadata: Buffer.from("topics") };
  const sticky = { name: "sticky", metadata: Buffer.from("topics") };
  scene.settle(1, { instanceId: "one", protocols: [range, sticky] });
  scene.join({ instanceId: "one", protocols: [sticky, range], newMemberId: "second" });
  expect([scene.group.state, scene.group.protocolName]).toEqual(["CompletingRebalance", "sticky"]);
  const waiting = scene.sync({
    memberId: "second",
    instanceId: "one",
    assignments: assignmentsOf(["second"]),
  });
  expect(errorOf(waiting)).toBeNull();
  scene.join({ memberId: "second", instanceId: "one", protocols: [sticky, range] });
  expect(scene.group.state).toBe("CompletingRebalance");
  scene.join({ instanceId: "one", protocols: [sticky, range], newMemberId: "third" });
  expect([scene.group.state, scene.group.generationId]).toEqual(["CompletingRebalance", 4]);
});

test("a static member whose replacement took the store longer than its session has a session from then on", () => {
  const scene = new GroupScene();
  scene.settle(1, { instanceId: "one" });
  scene.storeError = "later";
  const back = scene.join({ instanceId: "one", newMemberId: "new" });
  scene.pass(10_000);
  scene.stored();
  expect(errorOf(back)).toBeNull();
  scene.pass(10_000);
  expect(scene.heartbeat("new", 1, "one")).toBe("UNKNOWN_MEMBER_ID");
});

test("a static member that waited for an assignment longer than its session, and got none, has a session from then on", () => {
  const scene = new GroupScene();
  scene.join({ instanceId: "one" });
  scene.pass(1_000);
  scene.storeError = "later";
  const sync = scene.sync({ memberId: "m1", instanceId: "one", assignments: assignmentsOf(["m1"]) });
  scene.pass(15_000);
  scene.stored("NOT_COORDINATOR");
  expect([errorOf(sync), scene.group.state]).toEqual(["NOT_COORDINATOR", "PreparingRebalance"]);
  scene.pass(10_000);
  expect([scene.heartbeat("m1", 1, "one"), scene.group.state]).toEqual(["UNKNOWN_MEMBER_ID", "Empty"]);
});

test("a static member whose replacement cannot be stored keeps its place", () => {
  const scene = new GroupScene();
  scene.settle(1, { instanceId: "one" });
  scene.storeError = "NOT_COORDINATOR";
  const back = scene.join({ instanceId: "one", newMemberId: "new" });
  expect(errorOf(back)).toBe("NOT_COORDINATOR");
  expect([scene.heartbeat("m1", 1, "one"), scene.heartbeat("new", 1, "one")]).toEqual([
    null,
    "FENCED_INSTANCE_ID",
  ]);
});

test("a static member that is missing in a rebalance stays, with nothing, until its session ends", () => {
  const scene = new GroupScene();
  scene.settle(1, { instanceId: "one", sessionTimeoutMs: 100_000 });
  const join = scene.join();
  scene.pass(30_000);
  expect([errorOf(join), join.response?.leader, join.response?.members.length]).toEqual([null, "m2", 2]);
});

test("members leave in a batch, each with its own error", () => {
  const scene = new GroupScene();
  scene.settle(2);
  scene.join({ instanceId: "one" });
  scene.join({ memberId: "m1" });
  scene.join({ memberId: "m2" });
  scene.syncAll();
  scene.join({ isTwoStep: true });
  expect(
    scene.leave(
      { memberId: "m1" },
      { memberId: "nobody" },
      { memberId: "", groupInstanceId: "one" },
      { memberId: "", groupInstanceId: "two" },
      { memberId: "m2", groupInstanceId: "two" },
      { memberId: "m6" },
      { memberId: "" },
    ),
  ).toEqual([
    null,
    "UNKNOWN_MEMBER_ID",
    null,
    "UNKNOWN_MEMBER_ID",
    "UNKNOWN_MEMBER_ID",
    null,
    "UNKNOWN_MEMBER_ID",
  ]);
  expect([...scene.group.members.all()].map(({ id }) => id)).toEqual(["m2"]);
  expect(scene.group.state).toBe("PreparingRebalance");
});

test("the protocol that all members know and most prefer is chosen; who knows none of them is refused", () => {
  const scene = new GroupScene();
  const protocols = (...names: string[]) => names.map((name) => ({ name, metadata: Buffer.from(name) }));
  scene.join({ protocols: protocols("a", "b", "c") });
  const second = scene.join({ protocols: protocols("c", "b") });
  scene.join({ protocols: protocols("c", "b", "x") });
  expect(errorOf(scene.join({ protocols: protocols("x", "a") }))).toBe("INCONSISTENT_GROUP_PROTOCOL");
  expect(errorOf(scene.join({ protocolType: "connect", protocols: protocols("c") }))).toBe(
    "INCONSISTENT_GROUP_PROTOCOL",
  );
  expect(errorOf(scene.join({ protocols: [] }))).toBe("INCONSISTENT_GROUP_PROTOCOL");
  scene.pass(1000);
  expect(second.response?.protocolName).toBe("c");
});

test("a group takes no more members than it may have; who is one already comes in again", () => {
  const scene = new GroupScene({ membersMax: 2 });
  scene.settle(2);
  expect(errorOf(scene.join())).toBe("GROUP_MAX_SIZE_REACHED");
  expect(errorOf(scene.join({ memberId: "m2" }))).toBeNull();
  scene.join({ memberId: "m1" });
  expect(errorOf(scene.join({ memberId: "m2" }))).toBeNull();
});

test("there are no more pending members than a group may have", () => {
  const scene = new GroupScene({ membersMax: 2 });
  const errors = [1, 2, 3].map(() => errorOf(scene.join({ isTwoStep: true })));
  expect(errors).toEqual(["MEMBER_ID_REQUIRED", "MEMBER_ID_REQUIRED", "GROUP_MAX_SIZE_REACHED"]);
});

test("a group that is restored goes on in its generation, with whole sessions", () => {
  const scene = new GroupScene();
  scene.settle(2, { instanceId: null });
  const image = scene.group.image(null);
  const after = new GroupScene();
  after.nowMs = 50_000;
  after.perform(after.group.restore(image, after.nowMs));
  after.pass(9_999);
  expect([after.group.state, after.heartbeat("m1", 1), after.commit("m2", 1)]).toEqual([
    "Stable",
    null,
    null,
  ]);
  expect(after.sync({ memberId: "m2" }).response?.assignment.toString()).toBe("a of m2");
  expect(after.group.leaderId).toBe("m1");
  after.pass(10_000);
  expect(after.group.members.count).toBe(0);
});

test("a group that ends tells everybody who waits", () => {
  const scene = new GroupScene();
  scene.settle(1);
  const join = scene.join();
  scene.perform(scene.group.end("REBALANCE_IN_PROGRESS"));
  expect(errorOf(join)).toBe("REBALANCE_IN_PROGRESS");
  expect(errorOf(scene.join())).toBe("COORDINATOR_NOT_AVAILABLE");
  expect([scene.heartbeat("m1"), scene.commit("m1", 1)]).toEqual([
    "COORDINATOR_NOT_AVAILABLE",
    "COORDINATOR_NOT_AVAILABLE",
  ]);
});

test("a second join or sync of a member ends the first", () => {
  const scene = new GroupScene();
  scene.settle(2);
  const first = scene.join({ memberId: "m1" });
  const second = scene.join({ memberId: "m1" });
  expect([errorOf(first), errorOf(second)]).toEqual(["REBALANCE_IN_PROGRESS", "waiting"]);
  scene.join({ memberId: "m2" });
  const syncs = [scene.sync({ memberId: "m2" }), scene.sync({ memberId: "m2" })];
  expect(syncs.map(errorOf)).toEqual(["REBALANCE_IN_PROGRESS", "waiting"]);
});

test("topics are known from the metadata of consumers, and of nobody else", () => {
  const scene = new GroupScene();
  expect([scene.group.isSubscribedTo("t"), scene.group.unusedSinceMs(5)]).toEqual([false, 5]);
  scene.settle(1, { protocols: [{ name: "range", metadata: subscription("t", "u") }] });
  expect(["t", "u", "v"].map((topic) => scene.group.isSubscribedTo(topic))).toEqual([true, true, false]);
  expect(scene.group.unusedSinceMs(5)).toBe(5);
  scene.join();
  expect(scene.group.unusedSinceMs(5)).toBeNull();
  scene.leave({ memberId: "m1" }, { memberId: "m2" });
  expect([scene.group.state, scene.group.isSubscribedTo("t")]).toEqual(["Empty", false]);
  expect(scene.group.unusedSinceMs(5)).toBe(scene.nowMs);
  const opaque = new GroupScene();
  opaque.settle(1, { protocolType: "connect" });
  expect([opaque.group.isSubscribedTo("t"), opaque.group.offsetDeleteFault()]).toEqual([
    false,
    "NON_EMPTY_GROUP",
  ]);
  expect(opaque.group.unusedSinceMs(5)).toBeNull();
  const unreadable = new GroupScene();
  unreadable.settle(1, { protocols: [{ name: "range", metadata: Buffer.from([0, 1, 0, 0, 0, 9]) }] });
  expect([unreadable.group.isSubscribedTo("t"), unreadable.group.offsetDeleteFault()]).toEqual([true, null]);
});

test("bytes and counts of members come back to nothing when they are gone", () => {
  const scene = new GroupScene();
  scene.settle(3);
  const held = scene.group.members.bytes;
  scene.settle(0);
  scene.leave({ memberId: "m1" }, { memberId: "m2" }, { memberId: "m3" });
  expect([held > 3 * 512, scene.group.members.bytes, scene.group.members.knowing("range")]).toEqual([
    true,
    0,
    0,
  ]);
  expect(joinRequest({}).protocolType).toBe("consumer");
});
