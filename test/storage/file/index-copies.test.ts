/**
 * The copies of an active segment's index are written without a sync, so after a power cut they may know of batches that never reached
 * the disk, and whose offsets were assigned anew. Searches by time must find what a walk over the log finds, run after run.
 */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { randomOf } from "../../support/random.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

/** Of the second test: those that misled a search when copies were appended to as they were found. */
const STALE_SEEDS = [1361, 2071, 3403, 3685, 4593, 5389, 7345, 7464, 8066, 9628, 9852];
const ROUNDS = 40;
const LIVES = 6;
const [LOG, TIMES] = ["log", "timeindex"].map(
  (suffix) => `/data/topics/t/0/00000000000000000000.${suffix}`,
) as [string, string];
/** What `appendAt` writes. */
const BATCH_BYTES = 150;

test("what a power cut took away from the log is in no search by time, however many lives later", async () => {
  const first = Math.floor(Math.random() * 1e9);
  for (const seed of Array.from({ length: ROUNDS }, (_, index) => first + index)) {
    try {
      await run(seed);
    } catch (thrown) {
      throw new Error(`seed ${seed}: ${thrown instanceof Error ? thrown.message : thrown}`, {
        cause: thrown,
      });
    }
  }
});

test("a copy that knows of batches which the power took, and whose offsets others got, misleads no search", async () => {
  let staleCount = 0;
  for (const seed of [...STALE_SEEDS, ...Array.from({ length: 200 }, (_, index) => index)]) {
    const files = await leftByPowerCut(seed);
    staleCount += hasStaleTimes(files) ? 1 : 0;
    const second = await opened(files);
    const offset = second.log.endOffset;
    for (const timestamp of [40, 36, 41, 42, 43]) appendAt(second.log, timestamp);
    await second.engine.sync([second.log]);
    second.log.checkpoint(Buffer.from("state"), second.log.endOffset);
    await turns(100);
    const third = await opened(files.kill());
    const found = await third.log.offsetForTimestamp(35, third.log.endOffset);
    expect([seed, found?.offset]).toEqual([seed, offset]);
  }
  expect(staleCount).toBeGreaterThan(0);
});

/** Batches that were synced under a checkpoint, at 10 and on; then two, at 30 and 31, that only the copies were told of. */
async function leftByPowerCut(seed: number): Promise<SimulatedFiles> {
  const files = new SimulatedFiles(seed);
  files.makeDirectory("/data");
  const { engine, log } = await opened(files);
  for (const timestamps of [[10, 11, 12], [13, 14], [15]]) {
    for (const timestamp of timestamps) appendAt(log, timestamp);
    await engine.sync([log]);
    log.checkpoint(Buffer.from("state"), log.endOffset);
    if (timestamps[0] === 15) for (const timestamp of [30, 31]) appendAt(log, timestamp);
    await turns(100);
  }
  return files.crash();
}

/** Whether the log ends where it was synced last, and the time index does not. */
function hasStaleTimes(files: SimulatedFiles): boolean {
  return files.exists(TIMES) && files.fileSize(LOG) === 6 * BATCH_BYTES && files.readFile(TIMES).includes(30);
}

async function opened(files: SimulatedFiles): Promise<{ engine: FileEngine; log: PartitionLog }> {
  const directory = new TestDirectory("/data");
  directory.isClean = false;
  const engine = openEngine(directory, { files, segmentBytesMax: 2 ** 20, indexIntervalBytes: 100 });
  const log = await engine.open("t", 0, new Replay());
  await engine.sync([log]);
  return { engine, log };
}

function appendAt(log: PartitionLog, timestamp: number): void {
  append(log, ["x".repeat(80)], timestamp);
}

async function run(seed: number): Promise<void> {
  const random = randomOf(seed);
  let files = new SimulatedFiles(seed ^ 0x5a5a);
  files.makeDirectory("/data");
  files.syncDirectory("/");
  const directory = new TestDirectory("/data");
  for (let life = 0; life < LIVES; life += 1) {
    const engine = openEngine(directory, { files, segmentBytesMax: 2 ** 20, indexIntervalBytes: 100 });
    const log = await engine.open("t", 0, new Replay());
    await engine.sync([log]);
    await checkSearches(log);
    const steps = 1 + Math.floor(random() * 4);
    for (let step = 0; step < steps; step += 1) {
      for (let count = Math.floor(random() * 6); count > 0; count -= 1) appendSome(log, random);
      await engine.sync([log]);
      log.checkpoint(Buffer.from("state"), log.endOffset);
      // The copy knows of these too, and the log has not synced them.
      for (let count = Math.floor(random() * 3); count > 0; count -= 1) appendSome(log, random);
      await turns(100);
    }
    await checkSearches(log);
    files = random() < 0.6 ? files.crash() : files.kill();
    await turns(50); // what still runs of the dead process meets a dead disk
  }
}

/** A batch of one record whose value begins with its time. Times rise by and large, so that most have an entry. */
function appendSome(log: PartitionLog, random: () => number): void {
  const timestamp = log.endOffset + Math.floor(random() * 20);
  append(log, [`${timestamp} ${"x".repeat(Math.floor(random() * 80))}`], timestamp);
}

async function checkSearches(log: PartitionLog): Promise<void> {
  const times: [number, number][] = (await readAll(log, 100_000)).map(([offset, value]) => [
    offset,
    Number(value!.split(" ")[0]),
  ]);
  for (let timestamp = 0; timestamp <= log.endOffset + 20; timestamp += 1) {
    const expected = times.find(([, time]) => time >= timestamp)?.[0] ?? null;
    const found = await log.offsetForTimestamp(timestamp, log.endOffset);
    expect([timestamp, found?.offset ?? null]).toEqual([timestamp, expected]);
  }
  const largest = Math.max(-1, ...times.map(([, time]) => time));
  const expected = times.find(([, time]) => time === largest)?.[0] ?? null;
  const found = await log.offsetOfMaxTimestamp(log.endOffset);
  expect(["largest", found?.offset ?? null]).toEqual(["largest", expected]);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}
