import { expect, test } from "bun:test";
import { DescriptorBudget, type RefusalCause } from "../../../src/base/descriptors/descriptor-budget.ts";

const budgetOf = (limit: number | null, filesMax = 1000) =>
  new DescriptorBudget({ limit, openAtStart: 9, filesMax });

function threeListeners(budget: DescriptorBudget) {
  return { native: budget.listener(1000), kafka: budget.listener(1000), http: budget.listener(256) };
}

test("what the system allows is divided between connections and files, after what the server itself needs", () => {
  const shares = [64, 256, 1024, 4096, 20_000, null].map((limit) => {
    const budget = budgetOf(limit);
    threeListeners(budget);
    const { spareCount, connectionsMax, isTight, openMax, pinnedMax } = budget;
    return [limit, spareCount, connectionsMax, isTight, openMax, pinnedMax];
  });
  expect(shares).toEqual([
    [64, 4, 12, true, 11, 23],
    [256, 16, 102, true, 101, 203],
    [1024, 32, 478, true, 477, 955],
    [4096, 32, 2256, false, 1000, 4027],
    [20_000, 32, 2256, false, 1000, 19_931],
    [null, 32, 2256, false, 1000, Number.POSITIVE_INFINITY],
  ]);
});

test("a listener that takes all it can get leaves the others their part", () => {
  const listeners = threeListeners(budgetOf(64));
  const causes = new Set<RefusalCause | null>();
  for (let count = 0; count < 20; count += 1) causes.add(listeners.kafka.take());
  expect([listeners.kafka.open, [...causes]]).toEqual([8, [null, "descriptors"]]);
  expect([listeners.native.take(), listeners.native.take(), listeners.native.take()]).toEqual([
    null,
    null,
    "descriptors",
  ]);
  expect([listeners.http.take(), listeners.http.take(), listeners.http.take()]).toEqual([
    null,
    null,
    "descriptors",
  ]);
  listeners.kafka.give();
  expect(listeners.native.take()).toBe(null);
});

test("the setting is a limit of its own, with a remedy of its own", () => {
  const listener = budgetOf(null).listener(1);
  expect([listener.take(), listener.take()]).toEqual([null, "connections-max"]);
  expect([listener.facts("connections-max"), budgetOf(64).listener(1).facts("descriptors")]).toEqual([
    { cause: "connections-max", limit: 1, remedy: "raise connections-max" },
    { cause: "descriptors", limit: 64, remedy: "raise `ulimit -n`" },
  ]);
});

test("files that wait for a sync may have what connections do not use", () => {
  const budget = budgetOf(64);
  const { kafka } = threeListeners(budget);
  for (let count = 0; count < 8; count += 1) kafka.take();
  expect(budget.pinnedMax).toBe(15);
});

test("a limit that is lowered lets nobody in any more, and leaves files what they need", () => {
  const budget = budgetOf(1024);
  const { kafka } = threeListeners(budget);
  expect(kafka.take()).toBe(null);
  budget.setLimit(32);
  expect([kafka.take(), budget.openMax, budget.pinnedMax]).toEqual(["descriptors", 8, 8]);
  budget.setLimit(1024);
  expect(kafka.take()).toBe(null);
});

test("while the system has none left nobody is let in, and few files stay open", () => {
  const budget = budgetOf(20_000);
  const { http } = threeListeners(budget);
  budget.isShort = true;
  expect([http.take(), budget.openMax]).toEqual(["descriptors", 8]);
  budget.isShort = false;
  expect([http.take(), budget.openMax]).toEqual([null, 1000]);
});

test("a limit that is too low for any work is refused with the number that is needed", () => {
  expect(() => budgetOf(40)).toThrow(
    "the process may open 40 files, and needs 57 at least; raise `ulimit -n`, to 4096 or more for a busy server",
  );
  expect(budgetOf(57).limit).toBe(57);
});
