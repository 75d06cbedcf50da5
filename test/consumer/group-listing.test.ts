/** Listings of all that a group has committed, while the table changes under them. */

import { expect, test } from "bun:test";
import type { GroupListing } from "../../src/consumer/group-listing.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { HeldStateStore } from "../support/kafka-state.ts";
import { ManualClock } from "../support/manual-clock.ts";

async function filled(places: readonly (readonly [group: string, topic: string, partition: number])[]) {
  const offsets = await GroupOffsets.open(new HeldStateStore(), new ManualClock(1000));
  for (const [group, topic, partition] of places)
    await offsets.commit(group, [{ topic, partition, offset: partition, leaderEpoch: -1, metadata: "" }]);
  return offsets;
}

function rest(listing: GroupListing): [topic: string, offsets: number[]][] {
  const found: [string, number[]][] = [];
  for (let next = listing.next(); next !== null; next = listing.next())
    found.push([next.topic, next.partitions.map(({ committed }) => committed.offset)]);
  return found;
}

test("a listing has every topic of the group once, by name, with its partitions in order", async () => {
  const offsets = await filled([
    ["g", "t", 2],
    ["g", "a", 7],
    ["h", "t", 1],
    ["g", "t", 0],
    ["g", "t", 1],
  ]);
  const listing = await offsets.listing("g");
  expect([listing.count, rest(listing), listing.next()]).toEqual([
    4,
    [
      ["a", [7]],
      ["t", [0, 1, 2]],
    ],
    null,
  ]);
  expect(rest(await offsets.listing("nobody"))).toEqual([]);
});

test("a topic that is removed before its turn is not listed, and its rows are not taken for others", async () => {
  const offsets = await filled([
    ["g", "a", 0],
    ["g", "b", 0],
    ["g", "b", 1],
    ["g", "c", 5],
  ]);
  const listing = await offsets.listing("g");
  expect(listing.next()?.topic).toBe("a");
  await offsets.removeTopic("b");
  await offsets.commit("other", [
    { topic: "b", partition: 0, offset: 8, leaderEpoch: -1, metadata: "" },
    { topic: "x", partition: 1, offset: 9, leaderEpoch: -1, metadata: "" },
  ]);
  expect(rest(listing)).toEqual([["c", [5]]]);
});

test("a topic that is hidden is not listed", async () => {
  const offsets = await filled([
    ["g", "a", 0],
    ["g", "b", 0],
  ]);
  const before = await offsets.listing("g");
  offsets.hideTopic("b");
  expect([rest(before), rest(await offsets.listing("g"))]).toEqual([[["a", [0]]], [["a", [0]]]]);
});

test("of a large group every offset is listed", async () => {
  const offsets = await filled([]);
  const count = 150_000;
  for (const topic of ["t", "u"]) {
    const commits = Array.from({ length: count / 2 }, (_, partition) => ({
      topic,
      partition,
      offset: partition,
      leaderEpoch: -1,
      metadata: "",
    }));
    await offsets.commit("g", commits);
  }
  const expected = Array.from({ length: count / 2 }, (_, partition) => partition);
  expect(rest(await offsets.listing("g"))).toEqual([
    ["t", expected],
    ["u", expected],
  ]);
});
