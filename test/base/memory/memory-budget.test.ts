/** The budget with holders that a test moves by hand, on a clock that it advances. */

import { beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantError } from "../../../src/base/assert.ts";
import type { BudgetWaiter, MemoryAccount, MemoryHolder } from "../../../src/base/memory/memory-account.ts";
import { MemoryBudget } from "../../../src/base/memory/memory-budget.ts";
import { GRACE_MS } from "../../../src/base/memory/memory-pressure.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const LIMIT = 100 * MiB;

let clock: ManualClock;
let budget: MemoryBudget;
let journal: string[];

beforeEach(() => {
  clock = new ManualClock();
  budget = new MemoryBudget(LIMIT, clock);
  journal = [];
});

class Holder implements MemoryHolder, BudgetWaiter {
  movedBytes = 0;
  unfinishedBytes = 0;
  isResting = true;
  readonly account: MemoryAccount;

  constructor(
    readonly name: string,
    readonly host = "one",
  ) {
    this.account = budget.open(this);
  }

  budgetGranted(bytes: number): void {
    journal.push(`${this.name} gets ${bytes / MiB}`);
  }

  evict(heldBytes: number): void {
    journal.push(`${this.name} is evicted with ${heldBytes / MiB}`);
    this.account.close();
  }

  reserve(mebibytes: number): boolean {
    return this.account.reserve(mebibytes * MiB, this);
  }

  /** Grows by so much, all of it unfinished. */
  grow(mebibytes: number, whole: number): boolean {
    const isHeld = this.account.grow(mebibytes * MiB, this, whole * MiB, 0);
    if (isHeld) this.unfinishedBytes += mebibytes * MiB;
    return isHeld;
  }

  release(mebibytes: number): void {
    this.account.release(mebibytes * MiB);
  }
}

/** Advances the clock in steps, and lets evictions happen. */
async function pass(ms: number): Promise<void> {
  for (let rest = ms; rest > 0; rest -= 25) {
    clock.advance(Math.min(rest, 25));
    await Promise.resolve();
  }
}

test("what fits is held at once, what does not waits for a release", () => {
  const first = new Holder("first");
  const second = new Holder("second");
  expect(first.reserve(60)).toBe(true);
  expect(second.reserve(50)).toBe(false);
  expect([budget.usedBytes, budget.waitingCount, journal]).toEqual([60 * MiB, 1, []]);
  first.release(60);
  expect([budget.usedBytes, budget.waitingCount, journal]).toEqual([50 * MiB, 0, ["second gets 50"]]);
  expect([budget.waitedCount, budget.evictedCount]).toEqual([1, 0]);
});

test("large ones never take the last quarter, and small ones are served while large ones wait", () => {
  const large = new Holder("large");
  expect([large.reserve(75), new Holder("next").reserve(2)]).toEqual([true, false]);
  const small = Array.from({ length: 26 }, (_, index) => new Holder(`small ${index}`));
  expect(small.map((holder) => holder.reserve(1))).toEqual(small.map((_, index) => index < 25));
  expect([budget.usedBytes, budget.largeBytes]).toEqual([LIMIT, 75 * MiB]);
});

test("small ones take what nobody uses, until a large one has waited for a second", async () => {
  const small = Array.from({ length: 90 }, (_, index) => new Holder(`small ${index}`));
  for (const holder of small.slice(0, 80)) expect(holder.reserve(1)).toBe(true);
  const large = new Holder("large");
  expect(large.reserve(60)).toBe(false);
  expect([small[80]!.reserve(1), journal]).toEqual([true, []]);
  await pass(1200);
  expect(small[81]!.reserve(1)).toBe(false);
  for (const holder of small.slice(0, 41)) holder.release(1);
  expect([journal, budget.largeBytes]).toEqual([["large gets 60"], 60 * MiB]);
});

test("the host that holds least is served first, within a host who came first", () => {
  const greedy = new Holder("greedy", "greedy");
  greedy.reserve(75);
  new Holder("first", "greedy").reserve(2);
  new Holder("second", "greedy").reserve(2);
  new Holder("modest", "modest").reserve(2);
  greedy.release(10);
  expect(journal).toEqual(["modest gets 2", "first gets 2", "second gets 2"]);
});

test("a waiter that gives up lets those after it through", () => {
  const holder = new Holder("holder");
  holder.reserve(60);
  const large = new Holder("large");
  const next = new Holder("next");
  expect([large.reserve(50), next.reserve(10)]).toEqual([false, false]);
  large.account.cancel(large);
  large.account.cancel(large);
  expect([journal, budget.usedBytes, budget.waitingCount]).toEqual([["next gets 10"], 70 * MiB, 0]);
});

test("a closed account gives everything back, and what it releases later counts no more", () => {
  const holder = new Holder("holder");
  const waiting = new Holder("waiting");
  holder.reserve(70);
  waiting.reserve(10);
  waiting.account.close();
  holder.account.close();
  holder.release(70);
  holder.account.charge(MiB);
  expect([budget.usedBytes, budget.waitingCount, journal]).toEqual([0, 0, []]);
  expect(() => holder.reserve(1)).toThrow(InvariantError);
});

test("more than there can be room for can never be held", () => {
  const holder = new Holder("holder");
  expect([budget.canHold(75 * MiB), budget.canHold(75 * MiB + 1), budget.requestBytesMax]).toEqual([
    true,
    false,
    75 * MiB,
  ]);
  expect(() => holder.reserve(76)).toThrow(InvariantError);
  expect(() => holder.release(1)).toThrow(InvariantError);
  expect(() => holder.grow(3, 2)).toThrow(InvariantError);
});

test("a holder that does not move is evicted as soon as somebody waits and it was still for the grace", async () => {
  const still = new Holder("still");
  still.grow(70, 75);
  await pass(10 * GRACE_MS);
  expect(journal).toEqual([]);
  new Holder("next").reserve(20);
  expect(journal).toEqual([]);
  await Promise.resolve();
  expect(journal).toEqual(["still is evicted with 70", "next gets 20"]);
  expect(budget.evictedCount).toBe(1);
});

test("a byte now and then is no movement, the sixty-fourth part of what is held in each grace is", async () => {
  const trickle = new Holder("trickle");
  const slow = new Holder("slow");
  trickle.grow(30, 40);
  slow.grow(32, 70);
  new Holder("next").reserve(40);
  for (let round = 0; round < 8; round += 1) {
    trickle.movedBytes += 1;
    slow.movedBytes += MiB / 2;
    await pass(GRACE_MS / 2);
  }
  expect(journal).toEqual(["trickle is evicted with 30", "next gets 40"]);
});

test("of those that are still the one that holds most goes first, and no more than is needed", async () => {
  const less = new Holder("less");
  const most = new Holder("most");
  less.grow(20, 21);
  most.grow(40, 41);
  await pass(2 * GRACE_MS);
  new Holder("next").reserve(50);
  await Promise.resolve();
  expect(journal).toEqual(["most is evicted with 40", "next gets 50"]);
});

test("sixteen are evicted in a turn of the loop, and the others in the next ones", async () => {
  const still = Array.from({ length: 40 }, (_, index) => new Holder(`still ${index}`));
  for (const holder of still) holder.grow(1, 3);
  const next = new Holder("next");
  expect(next.reserve(73)).toBe(false);
  while (budget.evictedCount === 0) await pass(25);
  const counts = [budget.evictedCount];
  while (budget.waitingCount > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    counts.push(budget.evictedCount);
  }
  expect([counts, journal.at(-1)]).toEqual([[16, 32, 38], "next gets 73"]);
});

test("our own work is never evicted, however long others wait", async () => {
  const ours = new Holder("ours");
  ours.reserve(70);
  new Holder("next").reserve(20);
  await pass(20 * GRACE_MS);
  expect(journal).toEqual([]);
  ours.release(70);
  expect(journal).toEqual(["next gets 20"]);
});

test("who waits for memory for what it has begun is not still", async () => {
  const ours = new Holder("ours");
  ours.reserve(40);
  const begun = new Holder("begun");
  begun.grow(30, 70);
  expect(begun.grow(40, 70)).toBe(false);
  await pass(10 * GRACE_MS);
  expect(journal).toEqual([]);
  ours.release(40);
  expect(journal).toEqual(["begun gets 40"]);
});

test("large ones that grow beside each other all come through: the eldest can always be completed", () => {
  const elder = new Holder("elder");
  const younger = new Holder("younger");
  const youngest = new Holder("youngest");
  expect([elder.grow(20, 60), younger.grow(15, 60)]).toEqual([true, true]);
  expect([youngest.grow(1, 60), younger.grow(15, 60), elder.grow(40, 60)]).toEqual([false, false, true]);
  elder.account.complete();
  elder.release(60);
  expect(journal).toEqual(["younger gets 15", "youngest gets 1"]);
});

test("what has come already is counted without a reservation, and evicts at once when there is no room for it", async () => {
  const ours = new Holder("ours");
  ours.reserve(75);
  const long = new Holder("long");
  const short = new Holder("short");
  for (const [holder, mebibytes] of [
    [long, 30],
    [short, 10],
  ] as const) {
    holder.account.charge(mebibytes * MiB, Number.POSITIVE_INFINITY);
    holder.unfinishedBytes = mebibytes * MiB;
  }
  expect([budget.usedBytes, journal]).toEqual([115 * MiB, []]);
  await Promise.resolve();
  expect([budget.usedBytes, journal]).toEqual([85 * MiB, ["long is evicted with 30"]]);
});

test("above the ceiling those go first of which nothing is on its way, then who waits for more, then whoever holds most", async () => {
  const coming = new Holder("coming");
  coming.isResting = false;
  coming.account.charge(30 * MiB);
  coming.unfinishedBytes = 30 * MiB;
  const waiting = new Holder("waiting");
  waiting.isResting = false;
  expect(waiting.account.grow(75 * MiB, waiting, 75 * MiB, 40 * MiB)).toBe(false);
  waiting.unfinishedBytes = 40 * MiB;
  const resting = new Holder("resting");
  resting.account.charge(10 * MiB);
  resting.unfinishedBytes = 10 * MiB;
  for (let mebibytes = 40; budget.usedBytes > 0; mebibytes += 40) {
    new Holder("ours").account.charge(mebibytes * MiB);
    await Promise.resolve();
    if (coming.account.bytes === 0) break;
  }
  expect(journal).toEqual([
    "resting is evicted with 10",
    "waiting is evicted with 40",
    "coming is evicted with 30",
  ]);
});

test("what came unwanted leaves small ones their quarter", () => {
  const ours = new Holder("ours");
  ours.account.charge(100 * MiB, Number.POSITIVE_INFINITY);
  const small = Array.from({ length: 26 }, (_, index) => new Holder(`small ${index}`));
  expect(small.map((holder) => holder.reserve(1))).toEqual(small.map((_, index) => index < 25));
});

test("where everybody who holds something waits for more of it, the youngest is evicted after the grace", async () => {
  const small = new MemoryBudget(10 * KiB, clock, KiB);
  budget = small;
  const parts = Array.from({ length: 10 }, (_, index) => new Holder(`part ${index}`));
  for (const part of parts) {
    part.account.charge(KiB, Number.POSITIVE_INFINITY);
    part.unfinishedBytes = KiB;
  }
  for (const part of parts) {
    expect(part.account.grow(2 * KiB, part, 4 * KiB, 0)).toBe(false);
  }
  await pass(GRACE_MS / 2);
  expect(journal).toEqual([]);
  await pass(GRACE_MS);
  expect(journal.slice(0, 4).map((line) => line.split(" ").slice(0, 4).join(" "))).toEqual([
    "part 0 is evicted",
    "part 1 is evicted",
    "part 2 is evicted",
    "part 3 is evicted",
  ]);
  expect(journal.some((line) => line.includes("gets"))).toBe(true);
});

/** A peer of the random test: sends a frame piece by piece, as `FrameMemory` reserves for it, or holds our work. */
class Sender extends Holder {
  wholeBytes = 0;
  partBytes = 0;
  oursBytes = 0;
  isWaiting = false;
  isEvicted = false;

  override budgetGranted(bytes: number): void {
    this.isWaiting = false;
    this.partBytes += bytes;
    this.unfinishedBytes = this.partBytes;
  }

  override evict(): void {
    if (this.unfinishedBytes === 0) throw new Error(`${this.name} was evicted with nothing but our work`);
    this.isEvicted = true;
    this.account.close();
  }

  begin(wholeBytes: number): void {
    if (this.isEvicted || this.wholeBytes > 0 || this.isWaiting) return;
    this.wholeBytes = wholeBytes;
    // So much that room is kept free for all of it.
    this.send(Math.ceil(wholeBytes / 16));
  }

  /** The next `bytes`, or fewer where the frame ends; what is whole becomes our work. */
  send(bytes: number): void {
    if (this.isEvicted || this.wholeBytes === 0 || this.isWaiting) return;
    const more = Math.min(bytes, this.wholeBytes - this.partBytes);
    this.movedBytes += more;
    if (more > 0 && !this.account.grow(more, this, this.wholeBytes, 0)) {
      this.isWaiting = true;
      return;
    }
    this.partBytes += more;
    this.unfinishedBytes = this.partBytes;
    if (this.partBytes === this.wholeBytes) this.deliver();
  }

  deliver(): void {
    this.account.complete();
    this.oursBytes += this.partBytes;
    this.wholeBytes = 0;
    this.partBytes = 0;
    this.unfinishedBytes = 0;
  }

  finishWork(): void {
    if (!this.isEvicted) this.account.release(this.oursBytes);
    this.oursBytes = 0;
  }
}

/** What is listed more than once happens more often. */
const STEPS = [
  "begin small",
  "begin large",
  "begin large",
  "send",
  "send",
  "send",
  "finish work",
  "finish work",
  "vanish",
  "pass",
] as const;

test("at random: nothing is lost or counted in duplicate, no limit is passed, our work is spared, and whoever moves comes through", async () => {
  const step = fc.record({
    who: fc.nat(7),
    what: fc.constantFrom(...STEPS),
    bytes: fc.integer({ min: 1, max: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120, size: "max" }), async (steps) => {
      clock = new ManualClock();
      budget = new MemoryBudget(1000, clock, 100);
      const senders = Array.from({ length: 8 }, (_, index) => new Sender(`${index}`, `host ${index % 3}`));
      const check = () => {
        const held = senders.reduce((sum, { account }) => sum + account.bytes, 0);
        const large = senders.reduce((sum, { account }) => sum + account.largeBytes, 0);
        expect([budget.usedBytes, budget.largeBytes]).toEqual([held, large]);
        expect(budget.usedBytes).toBeLessThanOrEqual(budget.limitBytes);
        expect(budget.largeBytes).toBeLessThanOrEqual(budget.largeBytesMax);
        expect(budget.waitingCount).toBe(senders.filter((each) => each.isWaiting && !each.isEvicted).length);
      };
      for (const { who, what, bytes } of steps) {
        const sender = senders[who]!;
        if (what === "begin small") sender.begin(1 + (bytes % 100));
        else if (what === "begin large") sender.begin(101 + bytes * 2);
        else if (what === "send") sender.send(bytes);
        else if (what === "finish work") sender.finishWork();
        else if (what === "pass") await pass(GRACE_MS);
        else {
          sender.account.close();
          senders[who] = new Sender(`${who}`, sender.host);
        }
        await Promise.resolve();
        check();
      }
      // From now on everybody moves: every frame comes to its end, but for those that were cut before.
      const cutBefore = budget.evictedCount;
      for (let round = 0; round < 100; round += 1) {
        for (const sender of senders) {
          sender.send(700);
          sender.finishWork();
        }
        await pass(25);
        check();
      }
      const unfinished = senders.filter((each) => !each.isEvicted && (each.isWaiting || each.wholeBytes > 0));
      expect([unfinished.length, budget.usedBytes, budget.evictedCount - cutBefore]).toEqual([0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});
