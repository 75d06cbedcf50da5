/**
 * The long crash run: bun test/crash/main.ts [--rounds 50] [--seed N]. Needs ./scripts/build first. Prints a line for each
 * round and ends with 1 when a promise was broken, naming the seed and keeping the data.
 */

import { parseArgs } from "node:util";
import { runCrashes } from "./run.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
  },
});

console.log(`seed ${values.seed}`);
const startedAt = performance.now();
const report = await runCrashes({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  say: (line) => console.log(line),
});
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(
  `${report.rounds} rounds in ${seconds} s, every acknowledged record is there: ${JSON.stringify(report.acked)}`,
);
