/**
 * Runs seeds one after the other and stops at the first that breaks a promise.
 *
 *     scripts/sim --seeds N [--seed FIRST] [--minutes M] [--keep-going] [--steps N] [--groups]
 *
 * With --groups it is the coordinator of groups that is simulated (groups.ts, members/run.ts), else the broker (run.ts).
 *
 * Exit codes: 0 all ran clean, 1 a promise was broken, 64 wrong usage.
 */

import { parseArgs } from "node:util";
import { runGroupSeed } from "./groups.ts";
import { STEPS_KEPT } from "./judge.ts";
import { runMemberSeed } from "./members/run.ts";
import { profileOf } from "./profile.ts";
import { runSeed, type Verdict } from "./run.ts";

const PROGRESS_MS = 10_000;

interface Command {
  first: number;
  count: number;
  untilMs: number;
  keepsGoing: boolean;
  stepsMax: number;
  isOfGroups: boolean;
}

/** What is told of a seed that breaks a promise. */
type Told = Pick<Verdict, "seed" | "broken" | "history">;

async function run({ first, count, untilMs, keepsGoing, stepsMax, isOfGroups }: Command): Promise<number> {
  const startedAtMs = performance.now();
  let toldAtMs = startedAtMs;
  let failures = 0;
  let done = 0;
  while (done < count && performance.now() < untilMs) {
    const seed = first + done;
    const verdict = isOfGroups ? await runGroupSeeds(seed) : await runSeed(seed, { stepsMax });
    done += 1;
    if (verdict.broken !== null) {
      failures += 1;
      if (keepsGoing) console.log(`seed ${verdict.seed}: ${verdict.broken.split("\n")[0]}`);
      else tell(verdict, isOfGroups);
      if (!keepsGoing) break;
    }
    if (performance.now() - toldAtMs < PROGRESS_MS) continue;
    toldAtMs = performance.now();
    console.log(`${done} seeds, up to ${first + done - 1}, ${failures} failed`);
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  console.log(
    `${done} seeds in ${seconds.toFixed(1)} s (${((seconds * 1000) / Math.max(done, 1)).toFixed(1)} ms each), ${failures} failed`,
  );
  return failures === 0 ? 0 : 1;
}

/** Classic groups alone, then members of both protocols. */
async function runGroupSeeds(seed: number): Promise<Told> {
  const classic = await runGroupSeed(seed);
  return { seed, ...(classic.broken === null ? await runMemberSeed(seed) : classic) };
}

function tell({ seed, broken, history }: Told, isOfGroups: boolean): void {
  console.log(`seed ${seed} broke a promise, after these steps:\n`);
  for (const step of history) console.log(step);
  if (!isOfGroups) console.log(`\n${JSON.stringify(profileOf(seed))}`);
  console.log(`\n${broken}\n\nscripts/sim ${isOfGroups ? "--groups " : ""}--seed ${seed}`);
}

function commandOf(args: string[]): Command | string {
  const options = {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    "keep-going": { type: "boolean" },
    steps: { type: "string" },
    groups: { type: "boolean" },
  } as const;
  try {
    const { values } = parseArgs({ args, options });
    const first = Number(values.seed ?? 1);
    const isBounded = values.seeds !== undefined || values.minutes === undefined;
    const count = isBounded
      ? Number(values.seeds ?? (values.seed === undefined ? 1000 : 1))
      : Number.MAX_SAFE_INTEGER;
    const minutes = Number(values.minutes ?? Number.POSITIVE_INFINITY);
    const stepsMax = Number(values.steps ?? STEPS_KEPT);
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1 || !(minutes > 0))
      return "--seed and --seeds take whole numbers, --minutes a number above 0";
    return {
      first,
      count,
      untilMs: performance.now() + minutes * 60_000,
      keepsGoing: values["keep-going"] === true,
      stepsMax,
      isOfGroups: values.groups === true,
    };
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

const command = commandOf(process.argv.slice(2));
if (typeof command === "string") {
  console.error(command);
  process.exit(64);
}
process.exit(await run(command));
