/**
 * Spans of a log on disk: checked in pieces, held by nobody, read again as they are taken, whatever of them the page cache has. The
 * disk is simulated; how much is cached is the test's word.
 */

import { expect, test } from "bun:test";
import { KiB, MiB } from "../../../src/base/units.ts";
import type { PartitionLog, RecordSpan } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import type { FileLog } from "../../../src/storage/file/log.ts";
import { bytesOf, recordsIn } from "../../support/batches.ts";
import { randomOf } from "../../support/random.ts";
import { SimulatedFiles, type Weather } from "../../support/simulated-files.ts";
import { append, Replay } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const LOG = "/data/topics/t/0/00000000000000000000.log";

/** A page cache that the test fills, and reads off the loop that it can hold back. */
class CacheWeather implements Weather {
  cachedOf = (bytes: number): number => bytes;
  isHolding = false;
  reading = 0;
  readingMax = 0;
  readonly #held: (() => void)[] = [];

  before(): void {}
  writeBack = () => null;

  async delay(operation: string): Promise<void> {
    if (operation !== "readLater") return;
    this.reading += 1;
    this.readingMax = Math.max(this.readingMax, this.reading);
    if (this.isHolding) await new Promise<void>((resolve) => this.#held.push(resolve));
    this.reading -= 1;
  }

  release(): void {
    for (const release of this.#held.splice(0)) release();
  }
}

interface Subject {
  weather: CacheWeather;
  files: SimulatedFiles;
  engine: FileEngine;
  log: PartitionLog;
  /** The bytes of the log, as they were written. */
  stored: Buffer;
}

/** One segment with a batch for each size; engine opened anew, so that nothing counts as checked. */
async function written(sizes: readonly number[]): Promise<Subject> {
  const weather = new CacheWeather();
  const files = new SimulatedFiles(1, true, weather);
  files.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const first = openEngine(directory, { files, segmentBytesMax: 100 * MiB });
  const log = await first.open("t", 0, new Replay());
  for (const [index, size] of sizes.entries()) append(log, [`${index} `.padEnd(size, "abcdefg")], 1000);
  await first.close();
  const engine = openEngine(directory, { files, segmentBytesMax: 100 * MiB });
  const again = await engine.open("t", 0, new Replay());
  evictChecked(again);
  return { weather, files, engine, log: again, stored: files.readFile(LOG) };
}

/** What was checked is checked again, as after a while. */
function evictChecked(log: PartitionLog): void {
  (log as FileLog).tick(true);
}

/** Takes a span in steps of random size, as a socket does, with turns between. */
async function takeSlowly(span: RecordSpan, random: () => number): Promise<Buffer> {
  const taken: Buffer[] = [];
  while (span.length > 0) {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        try {
          const piece = span.peek(look);
          if (piece === null) return;
          const bytes = Math.floor(random() * (piece.length + 1));
          taken.push(Buffer.from(piece.subarray(0, bytes)));
          span.skip(bytes);
          resolve();
        } catch (thrown) {
          reject(thrown);
        }
      };
      look();
    });
    if (random() < 0.5) await new Promise((resolve) => setImmediate(resolve));
  }
  return Buffer.concat(taken);
}

const SIZES = [10, 900, 70_000, 300_000, 20, 4.5 * MiB, 5000, 600_000, 30];

test("whatever the page cache has, the same batches come out, byte for byte, however they are taken", async () => {
  const { weather, engine, log, stored } = await written(SIZES);
  const random = randomOf(3);
  const ends = [0];
  for (let at = 0; at < stored.length; at = ends.at(-1)!) ends.push(at + 12 + stored.readInt32BE(at + 8));
  weather.cachedOf = (bytes) => {
    const luck = random();
    if (luck < 0.4) return bytes;
    return luck < 0.7 ? 0 : Math.floor(bytes * random());
  };
  for (let round = 0; round < 120; round += 1) {
    const offset = Math.floor(random() * SIZES.length);
    const bytesMax = Math.floor(random() ** 3 * 7 * MiB);
    const span = await log.span(offset, log.endOffset, bytesMax, true);
    const start = ends[offset]!;
    let end = ends[offset + 1]!;
    for (const next of ends) if (next > end && next - start <= bytesMax) end = next;
    expect([span.baseOffset, span.nextOffset, span.length]).toEqual([offset, ends.indexOf(end), end - start]);
    expect((await takeSlowly(span, random)).equals(stored.subarray(start, end))).toBe(true);
  }
  await engine.close();
}, 30_000);

test("a batch of many pieces whose last byte is garbled is skipped, and copied to quarantine", async () => {
  const { files, engine, log, stored } = await written([10, 4.5 * MiB, 20]);
  const firstEnd = 12 + stored.readInt32BE(8);
  const garbledAt = firstEnd + 12 + stored.readInt32BE(firstEnd + 8) - 1;
  const descriptor = files.open(LOG, "update");
  files.write(descriptor, Buffer.from([stored[garbledAt]! ^ 1]), 0, 1, garbledAt);
  files.close(descriptor);
  expect(recordsIn(await bytesOf(log.span(0, 3, 10 * MiB, true))).map(([offset]) => offset)).toEqual([0]);
  expect(recordsIn(await bytesOf(log.span(1, 3, 10 * MiB, true))).map(([offset]) => offset)).toEqual([2]);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["damaged-batch"]);
  await engine.close();
});

test("what is removed, found damaged or refused while it is sent is an error", async () => {
  const damaged = await written([10, 300_000, 300_000, 20]);
  const { files } = damaged;
  const span = await damaged.log.span(0, 4, 10 * MiB, true);
  span.skip(1000);
  const descriptor = files.open(LOG, "update");
  files.write(descriptor, Buffer.from([0x7f]), 0, 1, 400_000);
  files.close(descriptor);
  evictChecked(damaged.log);
  await bytesOf(damaged.log.span(2, 4, 1, true));
  expect(() => span.peek(() => {})).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));

  const removed = await written([10, 300_000]);
  const sending = await removed.log.span(0, 2, 10 * MiB, true);
  removed.engine.detach("t");
  await removed.engine.discard("t");
  expect(() => sending.peek(() => {})).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));

  const refused = await written([10, 300_000]);
  const requested = await refused.log.span(0, 2, 10 * MiB, true);
  await bytesOf(refused.log.span(1, 2, 1, true));
  refused.weather.before = () => {
    throw Object.assign(new Error("EIO: read failed"), { code: "EIO", errno: -5, syscall: "read" });
  };
  expect(() => requested.peek(() => {})).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
});

test("a hundred that wait for a cold disk take turns at a bounded number of pieces", async () => {
  const { weather, engine, log, stored } = await written([600_000, 10]);
  const spans: RecordSpan[] = [];
  for (let count = 0; count < 100; count += 1) spans.push(await log.span(0, 1, MiB, true));
  // What was read last in place is not what they need.
  await bytesOf(log.span(1, 2, MiB, true));
  weather.cachedOf = () => 0;
  weather.isHolding = true;
  let served = 0;
  for (const span of spans) {
    const look = (): void => {
      const piece = span.peek(look);
      if (piece === null) return;
      expect(piece.equals(stored.subarray(0, piece.length))).toBe(true);
      served += 1;
    };
    look();
  }
  while (served < spans.length) {
    await new Promise((resolve) => setImmediate(resolve));
    weather.release();
  }
  expect(weather.readingMax).toBe(16);
  await engine.close();
});

test("a long check leaves the loop to others between", async () => {
  const { engine, log } = await written([24 * MiB, 20]);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const span = await log.span(0, 2, 64 * KiB, true);
  isOver = true;
  expect([span.nextOffset, turns >= 2]).toEqual([1, true]);
  await engine.close();
});
