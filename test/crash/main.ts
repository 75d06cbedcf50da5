/**
 * The long crash run: bun test/crash/main.ts [--rounds 50] [--seed N] [--power]. Needs ./scripts/build first. Prints a line for each
 * round and ends with 1 when a promise was broken, naming the seed and keeping the data.
 */

import { parseArgs } from "node:util";
import { MiB } from "../../src/base/units.ts";
import { LoopDisk, loopDiskMissing } from "../support/loop-disk.ts";
import { runCrashes } from "./run.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    power: { type: "boolean", default: false },
    seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
  },
});

/** Nothing is ever deleted from the streams: some 10 MiB come with each round. */
const DISK_BYTES = 512 * MiB;

console.log(`seed ${values.seed}`);
const startedAt = performance.now();
if (values.power && loopDiskMissing !== undefined) throw new Error(loopDiskMissing);
using disk = values.power ? new LoopDisk(DISK_BYTES) : undefined;
const report = await runCrashes({
  disk,
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  say: (line) => console.log(line),
});
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(
  `${report.rounds} rounds in ${seconds} s, every acknowledged record is there: ${JSON.stringify(report.acked)}`,
);
