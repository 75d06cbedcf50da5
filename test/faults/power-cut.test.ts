/**
 * The compiled server on a real ext4 that loses its power, or that cannot write what it has taken (loop-disk.ts). Held to: what was
 * acknowledged is on the disk, also when a sync has failed before, when the kernel shows pages that it has lost, and when it
 * calls the next sync of them a success.
 */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import { readAll } from "../crash/wire.ts";
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
      const responses = await Promise.all(ended);
      expect(new Set(responses.flat())).toEqual(new Set([REFUSED]));
      await observed.stop("SIGKILL");
      disk.restore();
    }
    const observed = await Observed.start(bench, SMALL_SEGMENTS);
    for (const ledger of ledgers) await ledger.check(observed.wire);
    expect(await observed.stop()).toBe(0);
    expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
  });

  for (const ending of ["SIGTERM", "SIGKILL"] as const) {
    test(`after a write-back that failed and ${ending} takes nothing that was acknowledged later`, async () => {
      using disk = new LoopDisk();
      await using bench = benchOn(disk);
      const ledger = new Ledger("ill");
      const sick = await Observed.start(bench, SMALL_SEGMENTS);
      await ledger.create(sick.wire);
      await ledger.fill(sick.wire, 20, 16 * KiB);
      disk.loseNewBlocks();
      expect(new Set(await ledger.sendUntilRefused(sick.wire, 16 * KiB))).toEqual(new Set([REFUSED]));
      disk.takeNewBlocks();
      // The kernel would take a sync for a success now.
      expect(await ledger.send(sick.wire, 100)).toEqual([REFUSED]);
      expect(await sick.health()).toMatchObject({ offline: 1 });
      await ledger.check(sick.wire);
      await sick.stop(ending);

      const well = await Observed.start(bench, SMALL_SEGMENTS);
      expect(await well.health()).toMatchObject({ status: "healthy", offline: 0 });
      await ledger.check(well.wire);
      await ledger.fill(well.wire, 5, 16 * KiB);
      const seen = await readAll(well.wire, "ill", 0);
      disk.cutPower();
      await well.stop("SIGKILL");
      disk.restore();

      const last = await Observed.start(bench, SMALL_SEGMENTS);
      await ledger.check(last.wire);
      expect(await readAll(last.wire, "ill", 0)).toEqual(seen);
      expect(await last.stop()).toBe(0);
      expect(await bench.run("verify", bench.data)).toMatchObject({ exitCode: 0, stderr: "" });
    });
  }
});
