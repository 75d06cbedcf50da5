/** What a failed sync leaves: pages that look clean and, as on ext4, stay lost even when they are written again. */

import { expect, test } from "bun:test";
import type { FileEngineOptions } from "../../../../src/storage/file/engine.ts";
import { SimulatedFiles } from "../../../support/simulated-files.ts";
import { append, Replay, readAll } from "../../conformance/suite.ts";
import { openEngine, TestDirectory } from "../support.ts";

const SEEDS = 20;

function newDisk(seed: number): SimulatedFiles {
  const disk = new SimulatedFiles(seed, seed % 2 === 0);
  disk.makeDirectory("/data");
  disk.syncDirectory("/");
  return disk;
}

async function open(directory: TestDirectory, files: FileEngineOptions["files"]) {
  const engine = openEngine(directory, { files });
  const log = await engine.open("t", 0, new Replay());
  const write = (count: number) => {
    for (let index = 0; index < count; index += 1) append(log, [`${log.endOffset} ${"x".repeat(600)}`]);
  };
  return { engine, log, write };
}

/** Three records on disk. */
async function stored(seed: number) {
  const disk = newDisk(seed);
  const directory = new TestDirectory("/data");
  const first = await open(directory, disk);
  first.write(3);
  expect(await first.engine.sync([first.log])).toEqual([]);
  return { disk, directory, first, kept: await readAll(first.log) };
}

test("what a failed sync has lost is shown to nobody, and what is stored in its place is on disk", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { disk, directory, first, kept } = await stored(seed);
    first.write(5);
    disk.weather = { ...disk.weather, writeBack: () => "EIO" };
    expect(await first.engine.sync([first.log])).toEqual([first.log]);
    await first.engine.close();

    const next = disk.kill();
    const second = await open(directory, next);
    expect([seed, await readAll(second.log)]).toEqual([seed, kept]);
    second.write(2);
    expect(await second.engine.sync([second.log])).toEqual([]);
    const later = await readAll(second.log);

    const third = await open(directory, next.crash());
    expect([seed, await readAll(third.log)]).toEqual([seed, later]);
  }
});

test("what was written while a sync failed does not take the partition offline at the next start", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { disk, directory, first, kept } = await stored(seed);
    first.write(1);
    disk.weather = { ...disk.weather, writeBack: () => "EIO" };
    const syncing = first.engine.sync([first.log]);
    first.write(4);
    expect(await syncing).toEqual([first.log]);
    await first.engine.close();

    const second = await open(directory, disk.kill());
    expect([seed, await second.engine.sync([second.log])]).toEqual([seed, []]);
    expect([seed, second.log.isOffline, await readAll(second.log)]).toEqual([seed, false, kept]);
  }
});
