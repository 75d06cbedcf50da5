/** A short form of kill -9 under committing groups (run.ts); main.ts is the long one. */

import { expect, test } from "bun:test";
import { CONFLUENT_CLIENTS } from "../../support/foreign-clients.ts";
import { compiled } from "../../support/obelisk-command.ts";
import { runGroupCommits } from "./run.ts";

const reason = CONFLUENT_CLIENTS[0]!.missing ?? compiled.missing;
test.skipIf(reason !== undefined)(
  `no committed offset goes back over kill -9, and members go on without a rebalance${reason ? ` (skipped: ${reason})` : ""}`,
  async () => {
    const seed = Date.now() % 2 ** 31;
    const report = await runGroupCommits({ groups: 6, rounds: 3, seed }).catch((thrown) => {
      throw new Error(`seed ${seed}`, { cause: thrown });
    });
    const { wentBack, fatal, rebalances } = report;
    expect({ seed, wentBack, fatal, rebalances }).toEqual({ seed, wentBack: [], fatal: [], rebalances: 0 });
  },
  120_000,
);
