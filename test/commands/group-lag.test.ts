/** Lag: what is unknown is unknown, and not nothing. */

import { expect, test } from "bun:test";
import { type GroupPartition, lagOf, totalLag } from "../../commands/group-describe.ts";
import { placeOf } from "../../commands/group-seek.ts";
import { shifted } from "../../commands/reset-plan.ts";

function partition(committed: number | null, end: number | null): GroupPartition {
  return { topic: "t", partition: 0, committed, end, lag: lagOf(committed, end), memberId: null };
}

test("lag is what is left to read; unknown without a committed offset or an end", () => {
  expect([lagOf(3, 10), lagOf(10, 10), lagOf(12, 10), lagOf(null, 10), lagOf(3, null)]).toEqual([
    7,
    0,
    0,
    null,
    null,
  ]);
});

test("the total counts what is known, and says when that is not all", () => {
  const known = [partition(3, 10), partition(9, 10)];
  expect(totalLag(known)).toEqual({ lag: 8, isLagComplete: true });
  expect(totalLag([...known, partition(null, 5)])).toEqual({ lag: 8, isLagComplete: false });
  expect(totalLag([partition(null, 5)])).toEqual({ lag: null, isLagComplete: false });
  expect(totalLag([])).toEqual({ lag: 0, isLagComplete: true });
});

test("a seek by so many records stays within the partition, and leaves what has no offset", () => {
  const range = { start: 5, end: 20 };
  expect(shifted(10, -3, range)).toEqual({ to: 7, note: "" });
  expect(shifted(10, -8, range)).toEqual({ to: 5, note: "2 is before the start offset" });
  expect(shifted(10, 11, range)).toEqual({ to: 20, note: "21 is after the end offset" });
  expect(shifted(-1, 3, range)).toEqual({ to: -1, note: "nothing is committed" });
});

test("a seek is to a place or by so many records", () => {
  expect([placeOf({ by: "-10" }), placeOf({ by: "+3" }), placeOf({ to: "latest" })]).toEqual([
    { by: -10 },
    { by: 3 },
    "latest",
  ]);
  for (const flags of [{}, { to: "1", by: "1" }, { by: "earliest" }, { by: "1.5" }])
    expect(() => placeOf(flags)).toThrow();
});
