/** Who has to know how commits end waits for those that were called before, and for no others. */

import { expect, test } from "bun:test";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { PendingCommits } from "../../src/consumer/pending-commits.ts";
import { HeldStateStore } from "../support/kafka-state.ts";
import { ManualClock } from "../support/manual-clock.ts";

function commit(partition: number, offset: number) {
  return [{ topic: "t", partition, offset, leaderEpoch: -1, metadata: "" }];
}

async function open() {
  const state = new HeldStateStore();
  const offsets = await GroupOffsets.open(state, new ManualClock(1000));
  await offsets.commit("g", commit(0, 1));
  state.isHeld = true;
  return { state, offsets, seen: () => offsets.fetch("g", "t", 0)?.offset };
}

test("nothing is on its way to a group whose commits have ended, or of another group", async () => {
  const { state, offsets } = await open();
  expect(offsets.settled("g")).toBeNull();
  const committing = offsets.commit("g", commit(0, 2));
  expect([offsets.settled("g") === null, offsets.settled("other")]).toEqual([false, null]);
  state.release();
  await committing;
  expect(offsets.settled("g")).toBeNull();
});

test("what is fetched when they have settled is what was called before; a later commit is not waited for", async () => {
  const { state, offsets, seen } = await open();
  const first = offsets.commit("g", commit(0, 2));
  const second = offsets.commit("g", commit(0, 3));
  const settled = offsets.settled("g");
  const later = offsets.commit("g", commit(0, 4));
  expect(seen()).toBe(1);
  state.release(1);
  state.release(0);
  await settled;
  expect(seen()).toBe(3);
  await Promise.all([first, second]);
  state.release();
  await later;
  expect(seen()).toBe(4);
});

test("a commit that is refused has ended too", async () => {
  const { state, offsets, seen } = await open();
  const committing = offsets.commit("g", commit(0, 2));
  const settled = offsets.settled("g");
  state.failure = new Error("refused");
  state.release();
  await settled;
  expect(seen()).toBe(1);
  await expect(committing).rejects.toThrow("refused");
});

test("a commit that is gathered, or waits for a removal of the group's offsets, is on its way", async () => {
  const { state, offsets, seen } = await open();
  const removing = offsets.removeGroup("g");
  let gathered = () => {};
  const gathering = offsets.commitGathered("g", async () => {
    await new Promise<void>((resolve) => {
      gathered = resolve;
    });
    return commit(0, 7);
  });
  const settled = offsets.settled("g");
  const order: string[] = [];
  void settled?.then(() => order.push("settled"));
  while (state.waitingCount === 0) await Promise.resolve();
  state.isHeld = false;
  state.release();
  await removing;
  order.push("removed");
  for (const turn of [1, 2, 3]) await new Promise((resolve) => setImmediate(resolve, turn));
  gathered();
  await settled;
  expect([order, seen()]).toEqual([["removed", "settled"], 7]);
  await gathering;
});

test("those of all groups are waited for, and what fails is told to who tracks it", async () => {
  const pending = new PendingCommits();
  const ended: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => ended.push(resolve));
  const tracked = [pending.track("g", work()), pending.track("g", work()), pending.track("h", work())];
  const failing = pending.track("h", Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  let hasEnded = false;
  const all = pending.allEnded().then(() => {
    hasEnded = true;
  });
  ended[0]!();
  ended[2]!();
  await Promise.all([tracked[0], tracked[2]]);
  expect([hasEnded, pending.ended("h")]).toEqual([false, null]);
  ended[1]!();
  await all;
  expect(pending.ended("g")).toBeNull();
});
