/**
 * Runs every part of `scripts/test` in order and counts: the checks, the build, then all tests with the executable that
 * was just built. A part that fails does not keep the next from running. The last line is
 *
 *     N passed, N failed            with `, N skipped` when there are any
 *
 * The checks and the build count as one test each. The tests are counted from the summary that bun prints, because its JUnit
 * report leaves out files that do not load. A run that ended badly without saying so counts as a failed test. Exit code 1 on
 * any failure.
 */

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The counts of a run of `bun test`, given what it printed and its exit code. */
export function tallyOfRun(printed: string, exitCode: number): Tally {
  const summary = Bun.stripANSI(printed.slice(printed.lastIndexOf("\n\n ") + 1));
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(summary)?.[1] ?? 0);
  const tally = { passed: count("pass"), failed: count("fail"), skipped: count("skip") + count("todo") };
  const hasFailedSilently = tally.failed === 0 && (exitCode !== 0 || tally.passed === 0);
  return hasFailedSilently ? { ...tally, failed: 1 } : tally;
}

/** The last line. */
export function summaryLine(tallies: readonly Tally[]): string {
  const sum = (pick: (tally: Tally) => number) => tallies.reduce((total, tally) => total + pick(tally), 0);
  const skipped = sum((tally) => tally.skipped);
  const line = `${sum((tally) => tally.passed)} passed, ${sum((tally) => tally.failed)} failed`;
  return skipped === 0 ? line : `${line}, ${skipped} skipped`;
}

async function runStep(name: string, command: readonly string[]): Promise<Tally> {
  console.log(`--- ${name}`);
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
  const exitCode = await child.exited;
  if (exitCode === 0) return { passed: 1, failed: 0, skipped: 0 };
  console.log(`${name} failed (exit code ${exitCode})`);
  return { passed: 0, failed: 1, skipped: 0 };
}

async function runTests(extra: readonly string[]): Promise<Tally> {
  console.log("--- tests");
  const child = Bun.spawn(["bun", "test", ...extra], { stdin: "ignore", stdout: "inherit", stderr: "pipe" });
  let printed = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    printed = (printed + decoder.decode(chunk, { stream: true })).slice(-SUMMARY_CHARACTERS_MAX);
  }
  return tallyOfRun(printed, await child.exited);
}

/** The summary is a dozen short lines at the very end. */
const SUMMARY_CHARACTERS_MAX = 4096;

if (import.meta.main) {
  const extra = process.argv.slice(2);
  const checks = await runStep("check", ["./scripts/check"]);
  const build = await runStep("build", ["./scripts/build"]);
  const tests = await runTests(extra);
  const tallies = [checks, build, tests];
  console.log(summaryLine(tallies));
  process.exit(tallies.every(({ failed }) => failed === 0) ? 0 : 1);
}
