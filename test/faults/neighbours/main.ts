/**
 * The attacks on neighbours, one after the other, each on a server of its own with an honest pair beside it:
 *
 *     bun test/faults/neighbours/main.ts [--quick] [--only NAME,...] [--binary PATH]
 *
 * One line of JSON for each, and a short one for people on standard error. Needs ./scripts/build first, or another executable to
 * judge. Ends with 0 when all passed, with 1 when the server fell short, also of its times, which a busy machine may be to blame for.
 */

import { parseArgs } from "node:util";
import { compiled, type Program } from "../../support/obelisk-command.ts";
import { ATTACKS } from "./attacks/all.ts";
import { type AttackReport, runAttack } from "./support/run.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    binary: { type: "string" },
  },
});

const program: Program =
  values.binary === undefined
    ? compiled
    : { name: values.binary, command: [values.binary], missing: undefined };
const names = values.only?.split(",");
const unknown = names?.filter((name) => !ATTACKS.some((attack) => attack.name === name)) ?? [];
if (unknown.length > 0 || program.missing !== undefined) {
  const known = ATTACKS.map(({ name }) => name).join(", ");
  console.error(program.missing ?? `no attack is called ${unknown.join(" or ")}; there are ${known}`);
  process.exit(program.missing === undefined ? 64 : 2);
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(2));
let failed = 0;
for (const attack of ATTACKS) {
  if (names?.includes(attack.name) === false) continue;
  const report = await runAttack(attack, values.quick ? "quick" : "full", program);
  console.log(JSON.stringify(report));
  console.error(forPeople(report));
  if (report.breaches.length + report.late.length > 0) failed += 1;
}
console.error(failed === 0 ? "all passed" : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function forPeople({
  attack,
  seconds,
  residentPeakMb,
  turnMs,
  turnWork,
  pingMaxMs,
  strands,
  ...rest
}: AttackReport): string {
  const small = strands["small"];
  const times = `turn ${turnMs ?? "?"} ms (${turnWork ?? "?"}), ping ${pingMaxMs} ms, small p99 ${small?.p99Ms} ms`;
  const large = `large ${strands["large"]?.maxMs} ms, old ${strands["old"]?.maxMs} ms, native ${strands["native"]?.maxMs} ms`;
  const short = [...rest.breaches, ...rest.late].join("; ");
  return `${attack}: ${seconds} s, ${residentPeakMb} MB, ${times}, ${large}: ${short === "" ? "passed" : short}`;
}
