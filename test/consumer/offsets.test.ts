/** Committed offsets against a state store whose writes the test holds back. */

import { expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import { ObeliskError } from "../../src/base/errors.ts";
import { nextTurn } from "../../src/base/loop/turns.ts";
import { MiB } from "../../src/base/units.ts";
import {
  COMMIT_TEXT_BYTES_MAX,
  GROUP_NAME_BYTES_MAX,
  PENDING_COMMITS_MAX,
} from "../../src/consumer/commit-room.ts";
import { keyOf } from "../../src/consumer/offset-entry.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { HeldStateStore } from "../support/kafka-state.ts";
import { ManualClock } from "../support/manual-clock.ts";

const clock: Clock = new ManualClock(1000);

function commit(topic: string, partition: number, offset: number, metadata = "", leaderEpoch = -1) {
  return { topic, partition, offset, leaderEpoch, metadata };
}

test("a commit is seen by fetch and list with its metadata and epoch, and survives a restart", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  await offsets.commit("g", [commit("t", 1, 7, "note é", 3), commit("t", 0, 5), commit("a", 0, 1)]);
  for (const table of [offsets, await GroupOffsets.open(state, clock)]) {
    expect(table.fetch("g", "t", 1)).toEqual({
      offset: 7,
      leaderEpoch: 3,
      metadata: "note é",
      committedAtMs: 1000,
    });
    expect(
      table.list("g").map(({ topic, partition, committed }) => [topic, partition, committed.offset]),
    ).toEqual([
      ["a", 0, 1],
      ["t", 0, 5],
      ["t", 1, 7],
    ]);
    expect(table.groups()).toEqual(["g"]);
    expect(table.count).toBe(3);
    expect(table.fetch("g", "t", 2)).toBeNull();
    expect(table.fetch("other", "t", 1)).toBeNull();
  }
});

test("a commit is not visible before it is durable", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  state.isHeld = true;
  const committing = offsets.commit("g", [commit("t", 0, 5)]);
  expect(offsets.fetch("g", "t", 0)).toBeNull();
  state.release();
  await committing;
  expect(offsets.fetch("g", "t", 0)?.offset).toBe(5);
});

test("of two commits in flight the later call wins, whichever ends first", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  state.isHeld = true;
  const first = offsets.commit("g", [commit("t", 0, 5)]);
  const second = offsets.commit("g", [commit("t", 0, 6)]);
  state.release(1);
  await second;
  state.release(0);
  await first;
  expect(offsets.fetch("g", "t", 0)?.offset).toBe(6);
});

test("a commit that the store refuses is thrown and leaves the old offset", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  await offsets.commit("g", [commit("t", 0, 5)]);
  state.failure = new ObeliskError("STATE_UNUSABLE");
  await expect(offsets.commit("g", [commit("t", 0, 6)])).rejects.toThrow(ObeliskError);
  expect(offsets.fetch("g", "t", 0)?.offset).toBe(5);
});

test("names with slashes, percent signs and lone surrogates keep their place in the store", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  for (const group of ["a/b", "a%2Fb", "", "\ud800", "ü"])
    await offsets.commit(group, [commit("t", 0, group.length)]);
  const again = await GroupOffsets.open(state, clock);
  expect(again.groups()).toEqual(["", "a%2Fb", "a/b", "ü", "\ufffd"].sort());
  expect(again.fetch("a/b", "t", 0)?.offset).toBe(3);
  expect(again.fetch("a%2Fb", "t", 0)?.offset).toBe(5);
});

test("removing a topic takes its offsets of every group, also one that is still being written", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  await offsets.commit("g", [commit("t", 0, 5), commit("u", 0, 5)]);
  await offsets.commit("h", [commit("t", 0, 5)]);
  state.isHeld = true;
  const late = offsets.commit("i", [commit("t", 0, 9)]);
  const removing = offsets.removeTopic("t");
  state.isHeld = false;
  state.release();
  await late;
  await removing;
  expect(offsets.groups()).toEqual(["g"]);
  expect((await state.list("offset/")).map(({ key }) => key)).toEqual([keyOf("g", "u", 0)]);
  expect(offsets.count).toBe(1);
});

test("removing a group forgets it", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  await offsets.commit("g", [commit("t", 0, 5)]);
  await offsets.removeGroup("g");
  expect(offsets.list("g")).toEqual([]);
  expect(await state.list("")).toEqual([]);
});

test("entries that cannot be read are reported and left alone, and those of a topic that is not there are kept", async () => {
  const state = new HeldStateStore();
  state.put(keyOf("g", "t", 0), '{"offset":3}');
  state.put(keyOf("g", "t", 1), "{");
  state.put(keyOf("g", "t", 2), '{"offset":"3"}');
  state.put("offset/g/%/0", '{"offset":3}');
  state.put("offset/g", '{"offset":3}');
  state.put(keyOf("g", "gone", 0), '{"offset":3}');
  const offsets = await GroupOffsets.open(state, clock);
  expect(offsets.fetch("g", "t", 0)).toEqual({ offset: 3, leaderEpoch: -1, metadata: "", committedAtMs: 0 });
  expect(offsets.unreadable.sort()).toEqual(
    ["offset/g", "offset/g/%/0", keyOf("g", "t", 1), keyOf("g", "t", 2)].sort(),
  );
  expect(offsets.fetch("g", "gone", 0)?.offset).toBe(3);
});

test("a start reads all of them, however many", async () => {
  const state = new HeldStateStore();
  const count = 25_000;
  for (let partition = 0; partition < count; partition += 1)
    state.put(keyOf("g", "t", partition), JSON.stringify({ offset: partition }));
  const offsets = await GroupOffsets.open(state, clock);
  expect([offsets.count, offsets.list("g").map(({ committed }) => committed.offset)]).toEqual([
    count,
    Array.from({ length: count }, (_, partition) => partition),
  ]);
});

test("more text than the limit is refused before it is written, also by commits on their way, and shorter metadata is not", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  const note = "n".repeat(4 * MiB);
  for (let partition = 0; partition < 14; partition += 1)
    await offsets.commit("g", [commit("t", partition, 1, note)]);
  state.isHeld = true;
  const underWay = offsets.commit("g", [commit("t", 14, 1, note)]);
  const refused = offsets.commit("h", [commit("t", 0, 1, note)]);
  await expect(refused).rejects.toThrow("the names and metadata of committed offsets take too many bytes");
  state.isHeld = false;
  state.release();
  await underWay;
  expect(offsets.groups()).toEqual(["g"]);
  await expect(offsets.commit("h", [commit("t", 0, 1, note)])).rejects.toThrow(ObeliskError);
  await offsets.commit("g", [commit("t", 0, 2, "short")]);
  await offsets.commit("h", [commit("t", 0, 1, note)]);
  expect([offsets.fetch("h", "t", 0)?.metadata.length, offsets.count]).toEqual([note.length, 16]);
});

test("a commit whose metadata takes more than the limit together is refused before it is written", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  const notes = Array.from({ length: 16 }, () => "n".repeat(COMMIT_TEXT_BYTES_MAX / 16));
  const commits = notes.map((note, partition) => commit("t", partition, 1, note));
  await expect(offsets.commit("g", [...commits, commit("t", 16, 1, "n")])).rejects.toMatchObject({
    code: "INVALID_COMMIT_OFFSET_SIZE",
  });
  expect([offsets.count, await state.list("")]).toEqual([0, []]);
  await offsets.commit("g", commits);
  expect(offsets.count).toBe(16);
});

test("what is gathered for a topic while it is removed goes with it, and nothing is kept when gathering fails", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  const { promise: gathered, resolve: gather } = Promise.withResolvers<ReturnType<typeof commit>[]>();
  const committing = offsets.commitGathered("g", () => gathered);
  const removing = offsets.removeTopic("t");
  gather([commit("t", 0, 5), commit("u", 0, 6)]);
  await Promise.all([committing, removing]);
  expect((await state.list("")).map(({ key }) => key)).toEqual([keyOf("g", "u", 0)]);
  expect([offsets.fetch("g", "t", 0), offsets.fetch("g", "u", 0)?.offset]).toEqual([null, 6]);
  const failing = offsets.commitGathered("g", () => Promise.reject(new ObeliskError("INVALID_REQUEST")));
  await expect(failing).rejects.toThrow(ObeliskError);
  expect(offsets.count).toBe(1);
});

test("numbers that no client can have sent are unreadable, not others", async () => {
  const state = new HeldStateStore();
  state.put(keyOf("g", "t", 0), '{"offset":3,"leaderEpoch":4294967296}');
  state.put(keyOf("g", "t", 4_294_967_296), '{"offset":3}');
  const offsets = await GroupOffsets.open(state, clock);
  expect([offsets.count, offsets.unreadable]).toEqual([
    0,
    [keyOf("g", "t", 0), keyOf("g", "t", 4_294_967_296)],
  ]);
});

test("a group name above the limit is refused", async () => {
  const offsets = await GroupOffsets.open(new HeldStateStore(), clock);
  const name = "g".repeat(GROUP_NAME_BYTES_MAX + 1);
  await expect(offsets.commit(name, [commit("t", 0, 1)])).rejects.toThrow(`limit ${GROUP_NAME_BYTES_MAX}`);
});

/** Commits of so many partitions of a topic. */
function many(topic: string, count: number, offset = 1) {
  return Array.from({ length: count }, (_, partition) => commit(topic, partition, offset));
}

test("what is committed for a topic is hidden at once and goes in pieces, whose memory is bounded", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  for (const group of ["g", "h", "i"]) await offsets.commit(group, [...many("t", 5000), commit("u", 0, 7)]);
  const sizes: number[] = [];
  state.onChange = (changes) => sizes.push(changes.length);
  const removing = offsets.removeTopic("t");
  const seen = () => [offsets.fetch("g", "t", 4999), offsets.list("h").map(({ topic }) => topic)];
  expect(seen()).toEqual([null, ["u"]]);
  while (offsets.count > 10_000) await nextTurn();
  expect(seen()).toEqual([null, ["u"]]);
  await removing;
  expect([offsets.count, Math.max(...sizes) <= 2048, sizes.length > 5]).toEqual([3, true, true]);
  expect((await state.list("offset/")).length).toBe(3);
});

test("a removal that the store refuses half way leaves the topic's offsets hidden, and goes on when it is asked again", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  await offsets.commit("g", many("t", 5000));
  state.onChange = () => {
    if (offsets.count < 5000) state.failure = new ObeliskError("DISK_FULL");
  };
  await expect(offsets.removeTopic("t")).rejects.toThrow(ObeliskError);
  expect([offsets.count > 0, offsets.fetch("g", "t", 4999), offsets.list("g")]).toEqual([true, null, []]);
  state.onChange = null;
  state.failure = null;
  await offsets.removeTopic("t");
  expect([offsets.count, await state.list("")]).toEqual([0, []]);
  await offsets.commit("g", [commit("t", 0, 9)]);
  expect(offsets.fetch("g", "t", 0)?.offset).toBe(9);
});

test("a topic that is shown again has its offsets", async () => {
  const offsets = await GroupOffsets.open(new HeldStateStore(), clock);
  await offsets.commit("g", [commit("t", 0, 5)]);
  offsets.hideTopic("t");
  expect(offsets.fetch("g", "t", 0)).toBeNull();
  offsets.showTopic("t");
  expect(offsets.fetch("g", "t", 0)?.offset).toBe(5);
});

test("a large commit lets others go on while it is prepared, reaches the store before a later one, and is seen whole", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  const large = offsets.commit("g", many("t", 5000, 1));
  const later = offsets.commit("g", [commit("t", 4999, 2)]);
  let turns = 0;
  for (let isDone = false; !isDone; turns += 1) {
    await Promise.race([large.then(() => (isDone = true)), nextTurn()]);
    expect([0, 5000]).toContain(offsets.count);
  }
  await later;
  expect([turns > 10, offsets.fetch("g", "t", 4999)?.offset]).toEqual([true, 2]);
  expect((await GroupOffsets.open(state, clock)).fetch("g", "t", 4999)?.offset).toBe(2);
});

test("commits beyond what may wait for the disk are refused, and one alone never is", async () => {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, clock);
  state.isHeld = true;
  const half = many("t", PENDING_COMMITS_MAX / 2 + 1);
  const first = offsets.commit("g", half);
  await expect(offsets.commit("g", half)).rejects.toThrow("too many commits of offsets wait for the disk");
  while (state.waitingCount === 0) await nextTurn();
  state.isHeld = false;
  state.release();
  await first;
  await offsets.commit("g", half);
  expect(offsets.count).toBe(half.length);
});
