import { expect, test } from "bun:test";
import type { GroupLagTotal } from "../../../src/consumer/group-lag.ts";
import { GroupLags, LOOK_MS_MIN } from "../../../src/http/metrics/group-lags.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function total(group: string, lag: number | null, partitions = 1): GroupLagTotal {
  return { group, lag, lagMax: lag, partitions, unknown: lag === null ? partitions : 0 };
}

function watched(max: number) {
  const clock = new ManualClock();
  const groups = new Map<string, GroupLagTotal>();
  const set = (...totals: GroupLagTotal[]) => {
    for (const each of totals) groups.set(each.group, each);
  };
  const lags = new GroupLags(
    async function* () {
      yield* groups.values();
    },
    max,
    clock,
  );
  const looked = async () => {
    await lags.look();
    return lags.latest;
  };
  return { clock, lags, set, looked };
}

test("those that lag most are named, the others are summed, and what is unknown is told apart from none", async () => {
  const { set, looked } = watched(2);
  set(total("none", 0), total("unknown", null, 3), total("much", 50), total("more", 70), total("some", 4));
  expect(await looked()).toEqual({
    named: [total("more", 70), total("much", 50)],
    other: { group: "(other)", lag: 4, lagMax: 4, partitions: 5, unknown: 3 },
    otherGroups: 3,
    all: { group: "", lag: 124, lagMax: 70, partitions: 7, unknown: 3 },
    groups: 5,
  });
});

test("where nothing is known the sum is not zero", async () => {
  const { set, looked } = watched(0);
  set(total("a", null), total("b", null, 2));
  const { other, all } = await looked();
  expect([other.lag, other.lagMax, other.unknown, all.lag]).toEqual([null, null, 3, null]);
});

test("a group that is called like the sum is in it, so that no series is there twice", async () => {
  const { set, looked } = watched(2);
  set(total("(other)", 9), total("billing", 1));
  const { named, other, otherGroups } = await looked();
  expect([named, other.lag, otherGroups]).toEqual([[total("billing", 1)], 9, 1]);
});

test("a group that is named stays so until another lags twice as much", async () => {
  const { set, looked } = watched(1);
  const named = async () => (await looked()).named.map(({ group }) => group);
  set(total("a", 10), total("b", 5));
  expect(await named()).toEqual(["a"]);
  set(total("b", 15));
  expect(await named()).toEqual(["a"]);
  set(total("b", 30));
  expect(await named()).toEqual(["b"]);
});

test("the more offsets there are, the rarer are the looks", async () => {
  const { clock, lags, set } = watched(1);
  expect(lags.isDue).toBe(true);
  await lags.look();
  clock.advance(LOOK_MS_MIN - 1);
  expect(lags.isDue).toBe(false);
  clock.advance(1);
  expect(lags.isDue).toBe(true);
  set(total("large", 1, 1_000_000));
  await lags.look();
  clock.advance(49_999);
  expect(lags.isDue).toBe(false);
  clock.advance(1);
  expect(lags.isDue).toBe(true);
});
