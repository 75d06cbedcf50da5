/** Fixed seeds of the coordinator's simulation: every promise holds. `scripts/sim --groups` runs more of them. */

import { expect, test } from "bun:test";
import { runGroupSeed } from "./groups.ts";

const SEEDS = 60;
const AT_ONCE = 20;

for (let first = 1; first <= SEEDS; first += AT_ONCE) {
  test(`seeds ${first} to ${first + AT_ONCE - 1} break no promise of groups`, async () => {
    for (let seed = first; seed < first + AT_ONCE; seed += 1) {
      const { broken, history } = await runGroupSeed(seed);
      expect(
        broken === null ? "" : [...history, broken, `scripts/sim --groups --seed ${seed}`].join("\n"),
      ).toBe("");
    }
  }, 30_000);
}
