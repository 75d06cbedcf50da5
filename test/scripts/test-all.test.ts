import { describe, expect, test } from "bun:test";
import { summaryLine, tallyOfRun } from "../../scripts/test-all.ts";

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
