/**
 * The long run of kill -9 under committing groups: bun test/crash/group-commits/main.ts [--groups 20] [--rounds 30] [--seed N]. Needs
 * ./scripts/build first. Prints a line for each round and the report; ends with 1 when an offset went back or a member had a fatal error.
 */

import { parseArgs } from "node:util";
import { runGroupCommits } from "./run.ts";

const { values } = parseArgs({
  options: {
    groups: { type: "string", default: "20" },
    rounds: { type: "string", default: "30" },
    seed: { type: "string", default: `${Date.now() % 2 ** 31}` },
  },
});
console.log(`seed ${values.seed}`);
const report = await runGroupCommits({
  groups: Number(values.groups),
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  say: (line) => console.log(line),
});
console.log(JSON.stringify(report));
process.exitCode = report.wentBack.length + report.fatal.length === 0 ? 0 : 1;
