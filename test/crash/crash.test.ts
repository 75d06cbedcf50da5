/** A short crash run on the compiled executable; `bun test/crash/main.ts` and `bun test/crash/creations.ts` are the long ones. */

import { describe, expect, test } from "bun:test";
import { compiled } from "../support/obelisk-command.ts";
import { killDuringCreations } from "./creations.ts";
import { runCrashes } from "./run.ts";
import { Numbers } from "./streams.ts";

describe("the judge of a crash run", () => {
  const records = (...numbers: number[]) =>
    numbers.map((number, offset) => ({ offset, value: `${number}:x` }));

  test("accepts what is complete, and repeated numbers where they are allowed", () => {
    const once = new Numbers(true);
    once.acked(0, 3, 0);
    once.read("t", records(0, 1, 2));
    const often = new Numbers(false);
    often.read("t", records(0, 1, 0, 1, 2));
    expect([once.seenEnd, often.seenEnd]).toEqual([3, 3]);
  });

  test("keeps a retry to the place where its batch was found after the crash", () => {
    const retried = (offset: number) => () => {
      const numbers = new Numbers(true);
      numbers.acked(0, 1, 0);
      numbers.read("t", records(0, 1));
      numbers.acked(1, 1, offset);
    };
    expect(retried(1)).not.toThrow();
    expect(retried(2)).toThrow("1 lies at 1 and was acknowledged at 2");
  });

  test("notices what is lost, duplicated, reordered, or at another offset", () => {
    const after = (acked: number, baseOffset: number, read: number[], isOnce: boolean) => () => {
      const numbers = new Numbers(isOnce);
      numbers.acked(0, acked, baseOffset);
      numbers.read("t", records(...read));
    };
    expect(after(3, 0, [0, 1], true)).toThrow("3 numbers were acknowledged, 2 are there");
    expect(after(1, 0, [0, 0], true)).toThrow("is a duplicate");
    expect(after(1, 0, [0, 2], false)).toThrow("2 at offset 1 before 1");
    expect(after(1, 1, [0, 1], true)).toThrow("0 was acknowledged at offset 1 and is not there");
  });
});

describe.skipIf(compiled.missing !== undefined)(
  `kill -9 under load (${compiled.missing ?? "compiled"})`,
  () => {
    test("every acknowledged record survives, in order, and verify finds nothing", async () => {
      const report = await runCrashes({ rounds: 5, seed: Date.now() % 2 ** 31 });
      for (const count of Object.values(report.acked)) expect(count).toBeGreaterThan(0);
    }, 120_000);

    test("topics that were being created are no damage", async () => {
      expect(await killDuringCreations(10, Date.now() % 2 ** 31)).toEqual([]);
    }, 120_000);
  },
);
