/** Fixed seeds of the simulation: every promise holds. `scripts/sim` runs more of them, docs/testing.md says what they are. */

import { expect, test } from "bun:test";
import { runSeed } from "./run.ts";

const FIRST = 1;
const LAST = 100;
const AT_ONCE = 20;

for (let first = FIRST; first <= LAST; first += AT_ONCE) {
  test(`seeds ${first} to ${first + AT_ONCE - 1} break no promise`, async () => {
    for (let seed = first; seed < first + AT_ONCE; seed += 1) {
      const { broken, history } = await runSeed(seed);
      expect(broken === null ? "" : [...history, broken, `scripts/sim --seed ${seed}`].join("\n")).toBe("");
    }
  });
}
