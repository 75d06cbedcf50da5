import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { orderOf, summaryLine, tallyOfRun } from "../../scripts/test-all.ts";
import { startLoad } from "../../scripts/test-load.ts";

const MIXED = `(fail) d > bad [0.21ms]

b.test.ts:

# Unhandled error between tests
-------------------------------
error: x: 7 pass
-------------------------------


 10 pass
 1 skip
 2 todo
 2 fail
 1 error
 1 expect() calls
Ran 15 tests across 2 files. [7.00ms]
`;

describe("counting tests", () => {
  test("reads the summary that bun prints, files that did not load included", () => {
    expect(tallyOfRun(MIXED, 1)).toEqual({ passed: 10, failed: 2, skipped: 3 });
    expect(
      tallyOfRun("a.test.ts:\n(pass) ok\n\n 1 pass\n 0 fail\nRan 1 test across 1 file. [7.00ms]\n", 0),
    ).toEqual({
      passed: 1,
      failed: 0,
      skipped: 0,
    });
  });

  test("a run that crashed, found no test or ended badly counts as failed", () => {
    expect(tallyOfRun("", 132)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(tallyOfRun("No tests found!\n", 1)).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(tallyOfRun("\n\n 3 pass\n 0 fail\nRan 3 tests\n", 1)).toEqual({
      passed: 3,
      failed: 1,
      skipped: 0,
    });
  });

  test("the last line names skipped tests only when there are some", () => {
    const one = { passed: 1, failed: 0, skipped: 0 };
    expect(summaryLine([one, { passed: 4, failed: 2, skipped: 0 }])).toBe("5 passed, 2 failed");
    expect(summaryLine([one, { passed: 4, failed: 0, skipped: 3 }])).toBe("5 passed, 0 failed, 3 skipped");
  });
});

describe("what scripts/test is to do", () => {
  test("is one quiet run of everything, or runs repeated under load; the rest goes to bun", () => {
    expect(orderOf([])).toEqual({ repeat: 1, isLoaded: false, rest: [] });
    expect(orderOf(["--repeat", "10", "test/base", "--load"])).toEqual({
      repeat: 10,
      isLoaded: true,
      rest: ["test/base"],
    });
    expect(orderOf(["--repeat=3", "-t", "name"])).toEqual({
      repeat: 3,
      isLoaded: false,
      rest: ["-t", "name"],
    });
  });

  test("is refused when the count is none", () => {
    for (const args of [["--repeat"], ["--repeat", "0"], ["--repeat=many"], ["--repeat", "test/base"]]) {
      expect(orderOf(args)).toStartWith("--repeat takes a number from 1 to 9999");
    }
  });
});

describe("the load", () => {
  test("ends when it is told to", async () => {
    await startLoad()();
  });

  test("ends with the run that owns it", async () => {
    const owner = Bun.spawn(["sleep", "600"]);
    const load = Bun.spawn([process.execPath, "-e", OWNED_LOAD, String(owner.pid)], { stdout: "pipe" });
    const reader = load.stdout.getReader();
    await reader.read();
    owner.kill();
    expect(await load.exited).toBe(0);
  });
});

/** Starts a load for another owner, says so, and lives as long as its shells do. */
const OWNED_LOAD = `
  import { startLoad } from ${JSON.stringify(join(import.meta.dir, "../../scripts/test-load.ts"))};
  startLoad(Number(process.argv.at(-1)));
  console.log("busy");
`;
