/**
 * Nobody harms another: each attack, small, on the compiled executable, with an honest pair beside it that wants to be served in
 * full and in order. Times are no matter here; `main.ts` tells them.
 */

import { describe, expect, test } from "bun:test";
import { compiled } from "../../support/obelisk-command.ts";
import { SUITE } from "./attacks/all.ts";
import { runAttack } from "./support/run.ts";

const title = compiled.missing === undefined ? "" : ` (skipped: ${compiled.missing})`;

describe.skipIf(compiled.missing !== undefined)(`neighbours${title}`, () => {
  for (const attack of SUITE) {
    test(`${attack.name} harms nobody`, async () => {
      const report = await runAttack(attack, "suite", compiled);
      expect({
        ended: report.ended,
        breaches: report.breaches,
        log: report.breaches.length > 0 ? report.log : [],
      }).toEqual({ ended: null, breaches: [], log: [] });
    });
  }
});
