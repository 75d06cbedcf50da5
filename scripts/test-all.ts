/**
 * Runs every part of `scripts/test` in order and counts: the checks, the build, then all tests with the executable that
 * was just built. A part that fails does not keep the next from running. The last line is
 *
 *     N passed, N failed            with `, N skipped` when there are any
 *
 *     --repeat N   runs the tests N times; the last line adds all runs up
 *     --load       keeps every core busy with something else meanwhile (test-load.ts)
 *
 * The checks and the build count as one test each. The tests are counted from the summary that bun prints, because its JUnit
 * report leaves out files that do not load. A run that ended badly without saying so counts as a failed test. Exit code 1 on
 * any failure.
 */

import { startLoad } from "./test-load.ts";

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

export interface Order {
  readonly repeat: number;
  readonly isLoaded: boolean;
  /** For `bun test`. */
  readonly rest: readonly string[];
}

/** What the arguments of `scripts/test` request, or the reason why they cannot be taken. */
export function orderOf(args: readonly string[]): Order | string {
  let repeat = 1;
  let isLoaded = false;
  const rest: string[] = [];
  for (let slot = 0; slot < args.length; slot += 1) {
    const word = args[slot]!;
    const count =
      /^--repeat=(.*)$/.exec(word)?.[1] ?? (word === "--repeat" ? (args[(slot += 1)] ?? "") : undefined);
    if (count !== undefined) {
      if (!/^[1-9]\d{0,3}$/.test(count)) return `--repeat takes a number from 1 to 9999, not "${count}"`;
      repeat = Number(count);
    } else if (word === "--load") isLoaded = true;
    else rest.push(word);
  }
  return { repeat, isLoaded, rest };
}

async function runStep(name: string, command: readonly string[]): Promise<Tally> {
  console.log(`--- ${name}`);
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "inherit", stderr: "inherit" });
  const exitCode = await child.exited;
  if (exitCode === 0) return { passed: 1, failed: 0, skipped: 0 };
  console.log(`${name} failed (exit code ${exitCode})`);
  return { passed: 0, failed: 1, skipped: 0 };
}

async function runTests(extra: readonly string[], title: string): Promise<Tally> {
  console.log(`--- ${title}`);
  const child = Bun.spawn(["bun", "test", `--timeout=${TEST_MS_MAX}`, ...extra], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    timeout: RUN_MS_MAX,
    killSignal: "SIGKILL",
  });
  let printed = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    printed = (printed + decoder.decode(chunk, { stream: true })).slice(-SUMMARY_CHARACTERS_MAX);
  }
  const exitCode = await child.exited;
  if (child.signalCode !== null) console.log(`the tests were ended by ${child.signalCode}`);
  return tallyOfRun(printed, exitCode);
}

async function repeatTests({ repeat, isLoaded, rest }: Order): Promise<Tally[]> {
  if (repeat === 1 && !isLoaded) return [await runTests(rest, "tests")];
  const tallies: Tally[] = [];
  const endLoad = isLoaded ? startLoad() : undefined;
  for (let run = 1; run <= repeat; run += 1) {
    const tally = await runTests(rest, `tests, run ${run} of ${repeat}${isLoaded ? ", under load" : ""}`);
    console.log(`run ${run} of ${repeat}: ${summaryLine([tally])}`);
    tallies.push(tally);
  }
  await endLoad?.();
  return tallies;
}

/** The summary is a dozen short lines at the very end. */
const SUMMARY_CHARACTERS_MAX = 4096;
/** As test/support/time-limit.ts, whose limit holds for the first file of a run only (Bun 1.4.5). */
const TEST_MS_MAX = 60_000;
/** Several times what the slowest machine took under load. A run that hangs is killed then, and counts as failed. */
const RUN_MS_MAX = 25 * 60_000;

if (import.meta.main) {
  const order = orderOf(process.argv.slice(2));
  if (typeof order === "string") {
    console.error(order);
    process.exit(64);
  }
  const checks = await runStep("check", ["./scripts/check"]);
  const build = await runStep("build", ["./scripts/build"]);
  const tallies = [checks, build, ...(await repeatTests(order))];
  console.log(summaryLine(tallies));
  process.exit(tallies.every(({ failed }) => failed === 0) ? 0 : 1);
}
