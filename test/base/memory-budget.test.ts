import { expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantError } from "../../src/base/assert.ts";
import { MemoryBudget } from "../../src/base/memory-budget.ts";

class Asker {
  granted: number[] = [];
  constructor(
    readonly journal: string[] = [],
    readonly name = "",
  ) {}
  budgetGranted(bytes: number): void {
    this.granted.push(bytes);
    this.journal.push(this.name);
  }
}

test("what fits is held at once, what does not waits for a release", () => {
  const budget = new MemoryBudget(100);
  const asker = new Asker();
  expect(budget.reserve(60, asker)).toBe(true);
  expect(budget.reserve(50, asker)).toBe(false);
  expect([budget.usedBytes, budget.waitingCount, asker.granted]).toEqual([60, 1, []]);
  budget.release(60);
  expect([budget.usedBytes, budget.waitingCount, asker.granted]).toEqual([50, 0, [50]]);
});

test("a small request does not overtake a large one that waits", () => {
  const budget = new MemoryBudget(100);
  const journal: string[] = [];
  budget.reserve(60, new Asker());
  budget.reserve(80, new Asker(journal, "large"));
  budget.reserve(5, new Asker(journal, "small"));
  expect(journal).toEqual([]);
  budget.release(60);
  expect([journal, budget.usedBytes]).toEqual([["large", "small"], 85]);
});

test("a waiter that gives up lets those behind it through", () => {
  const budget = new MemoryBudget(100);
  const journal: string[] = [];
  const large = new Asker(journal, "large");
  budget.reserve(60, new Asker());
  budget.reserve(80, large);
  budget.reserve(40, new Asker(journal, "small"));
  budget.cancel(large);
  budget.cancel(large);
  expect([journal, budget.usedBytes, budget.waitingCount]).toEqual([["small"], 100, 0]);
});

test("more than the whole budget can never be held", () => {
  const budget = new MemoryBudget(100);
  expect([budget.canHold(100), budget.canHold(101)]).toEqual([true, false]);
  expect(() => budget.reserve(101, new Asker())).toThrow(InvariantError);
  expect(() => budget.release(1)).toThrow(InvariantError);
});

test("against a plain model: never above the limit, first come first served, nobody forgotten", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("reserve", "release"), fc.integer({ min: 1, max: 10 }))),
      (steps) => {
        const budget = new MemoryBudget(10);
        const journal: string[] = [];
        const asked: string[] = [];
        const sizes = new Map<string, number>();
        let released = 0;
        for (const [kind, bytes] of steps) {
          if (kind === "reserve") {
            const name = String(asked.length);
            asked.push(name);
            sizes.set(name, bytes);
            if (budget.reserve(bytes, new Asker(journal, name))) journal.push(name);
          } else if (released < journal.length) {
            released += 1;
            budget.release(sizes.get(journal[released - 1]!)!);
          }
          expect(journal).toEqual(asked.slice(0, journal.length));
          const held = journal.slice(released).reduce((sum, name) => sum + sizes.get(name)!, 0);
          expect(budget.usedBytes).toBe(held);
          expect(held).toBeLessThanOrEqual(10);
          const next = asked[journal.length];
          if (next !== undefined) expect(held + sizes.get(next)!).toBeGreaterThan(10);
        }
      },
    ),
  );
});
