/**
 * The compiled server on a real ext4 that loses its power (loop-disk.ts). Held to: what was
 * acknowledged is on the disk.
 */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import { until } from "../network/support.ts";
import { titled } from "../support/failing-calls.ts";
import { LoopDisk, loopDiskMissing } from "../support/loop-disk.ts";
import { compiled } from "../support/obelisk-command.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench, SMALL_SEGMENTS } from "./support.ts";

const REFUSED = wireCode("KAFKA_STORAGE_ERROR");
const missing = compiled.missing ?? loopDiskMissing;

describe.skipIf(missing !== undefined)(titled("a power cut", missing), () => {
  /** A bench whose data lie on the disk. */
  function benchOn(disk: LoopDisk): Bench {
    return new Bench(join(disk.path, "data"));
  }

  test("takes nothing that was acknowledged, while many write and segments roll", async () => {
    using disk = new LoopDisk();
    await using bench = benchOn(disk);
    const ledgers = [new Ledger("large"), new Ledger("many", 8), new Ledger("small")];
    for (let round = 0; round < 2; round += 1) {
      const observed = await Observed.start(bench, SMALL_SEGMENTS);
      for (const ledger of ledgers) {
        if (round === 0) await ledger.create(observed.wire);
        await ledger.check(observed.wire);
      }
      const isEnough = () => ledgers.every(({ ackedCount }) => ackedCount > 60 * (round + 1));
      const ended = ledgers.map((ledger, index) =>
        ledger.sendUntilRefused(observed.wire, [64, 16, 1][index]! * KiB),
      );
      await until(isEnough);
      disk.cutPower();
      const answers = await Promise.all(ended);
      expect(new Set(answers.flat())).toEqual(new Set([REFUSED]));
      await observed.stop("SIGKILL");
      disk.restore();
    }
    const observed = await Observed.start(bench, SMALL_SEGMENTS);
    for (const ledger of ledgers) await ledger.check(observed.wire);
    expect(await observed.stop()).toBe(0);
    expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
  });
});
