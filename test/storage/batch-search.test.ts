/**
 * The search for the next valid batch after damage, against a plain model that tries every place with every check, and what it costs
 * at most: bytes read, whatever the damage has been made to look like.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  BATCH_HEADER_BYTES,
  BATCH_LENGTH,
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  LOG_OVERHEAD,
  stampBatch,
} from "../../src/protocol/record/batch.ts";
import { validateStoredBatch } from "../../src/protocol/record/validate.ts";
import { BatchSearch } from "../../src/storage/batch-search.ts";
import { PageReader } from "../../src/storage/page-reads.ts";
import { scanBatches } from "../../src/storage/scan.ts";
import { BATCH_BYTES_MAX, OFFSET_GAP_MAX, type ScanRange } from "../../src/storage/scan-range.ts";
import { batchOf } from "../support/batches.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

function stamped(offset: number, values: readonly string[]): Buffer {
  const batch = batchOf(values);
  stampBatch(batch, 0, offset, 0);
  return batch;
}

function rangeOf(bytes: Buffer, offsetLimit = Number.POSITIVE_INFINITY): ScanRange {
  return { start: 0, end: bytes.length, offset: 0, offsetLimit, allowsGaps: false };
}

/** Files that count what is read of them. */
class ReadFiles extends SimulatedFiles {
  bytesRead = 0;

  override read(
    descriptor: number,
    target: Buffer,
    targetPosition: number,
    bytes: number,
    position: number,
  ): number {
    const got = super.read(descriptor, target, targetPosition, bytes, position);
    this.bytesRead += got;
    return got;
  }
}

function fileOf(bytes: Buffer): { files: ReadFiles; descriptor: number } {
  const files = new ReadFiles(1);
  const descriptor = files.open("/log", "create");
  files.write(descriptor, bytes, 0, bytes.length, 0);
  return { files, descriptor };
}

/** Whether a valid batch lies at `position`, whose offsets are accepted after damage that ended below `offset`. */
function isValid(bytes: Buffer, position: number, offset: number, offsetLimit: number): boolean {
  const header = validHeader(bytes, position, offset, offsetLimit);
  if (header === null || header.base < offset) return false;
  if (header.base === offset) return true;
  const next = validHeader(bytes, position + header.bytes, offset, offsetLimit);
  return next === null || (next.base > header.last && next.base - header.last - 1 <= OFFSET_GAP_MAX);
}

function validHeader(bytes: Buffer, position: number, offset: number, offsetLimit: number) {
  if (position + BATCH_HEADER_BYTES > bytes.length) return null;
  if (batchBytes(bytes, position) > BATCH_BYTES_MAX) return null;
  if (validateStoredBatch(bytes, position, bytes.length) !== null) return null;
  const last = batchLastOffset(bytes, position);
  if (last >= offsetLimit || last - offset > 2 * OFFSET_GAP_MAX) return null;
  return { base: batchBaseOffset(bytes, position), last, bytes: batchBytes(bytes, position) };
}

/** The model: first where the damaged batch says that it ends, then every place. */
function foundByModel(bytes: Buffer, damaged: number, offset: number, offsetLimit: number): number {
  if (damaged + BATCH_HEADER_BYTES <= bytes.length) {
    const claimed = damaged + batchBytes(bytes, damaged);
    const isAfter = claimed >= damaged + BATCH_HEADER_BYTES && claimed < bytes.length;
    if (isAfter && isValid(bytes, claimed, offset, offsetLimit)) return claimed;
  }
  for (let position = damaged + 1; position + BATCH_HEADER_BYTES <= bytes.length; position += 1) {
    if (isValid(bytes, position, offset, offsetLimit)) return position;
  }
  return bytes.length;
}

/** The search, in steps of that work. */
function found(bytes: Buffer, damaged: number, offset: number, offsetLimit: number, work: number): number {
  const { files, descriptor } = fileOf(bytes);
  const search = new BatchSearch(new PageReader(files, () => descriptor, null), rangeOf(bytes, offsetLimit));
  search.begin(damaged, offset);
  for (let steps = 0; !search.step(work); steps += 1)
    if (steps > 100_000) throw new Error("no step moves on");
  return search.found;
}

/** What damage may consist of: batches whole, hit in one byte or cut short, headers alone, batches within batches, and anything. */
const piece = fc.oneof(
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
  fc
    .record({
      offset: fc.integer({ min: 0, max: 12 }),
      records: fc.integer({ min: 1, max: 3 }),
      valueBytes: fc.constantFrom(0, 1, 40, 1500),
      hit: fc.integer({ min: -1, max: 90 }),
      keptBytes: fc.constantFrom(Number.POSITIVE_INFINITY, BATCH_HEADER_BYTES, 70),
      claimedBytes: fc.constantFrom(0, 0, 0, 200, 3000),
      isNested: fc.boolean(),
    })
    .map(({ offset, records, valueBytes, hit, keptBytes, claimedBytes, isNested }) => {
      const value = "v".repeat(valueBytes);
      const inner = isNested ? stamped(offset + 1, [value]).toString("latin1") : value;
      const batch = stamped(offset, new Array<string>(records).fill(inner));
      if (hit >= 0 && hit < batch.length) batch[hit]! ^= 1;
      if (claimedBytes > 0) batch.writeInt32BE(claimedBytes - LOG_OVERHEAD, BATCH_LENGTH);
      return batch.subarray(0, Math.min(keptBytes, batch.length));
    }),
);

test("it finds what a search finds that tries every place, in steps of any length", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 6 }),
      fc.constantFrom(8, 13, Number.POSITIVE_INFINITY),
      fc.constantFrom(1, 5000, Number.POSITIVE_INFINITY),
      (pieces, offset, offsetLimit, work) => {
        const bytes = Buffer.concat([...pieces, Buffer.alloc(3)]);
        const expected = foundByModel(bytes, 0, offset, offsetLimit);
        expect(found(bytes, 0, offset, offsetLimit, work)).toBe(expected);
      },
    ),
    { numRuns: 1500 },
  );
});

/** A header every `step` bytes, right in all but its CRC, that claims so many bytes. */
function headers(bytes: number, step: number, claimedBytes: number): Buffer {
  const header = stamped(3, ["v"]).subarray(0, BATCH_HEADER_BYTES);
  header.writeInt32BE(claimedBytes - LOG_OVERHEAD, BATCH_LENGTH);
  const all = Buffer.alloc(bytes);
  for (let at = 0; at + step <= bytes; at += step) header.copy(all, at);
  return all;
}

const DAMAGED_BYTES = 256 * 1024;
const AFTER = Buffer.concat(
  Array.from({ length: 24 }, (_, index) => stamped(10 + index, ["v".repeat(128 * 1024)])),
);

/** Damage between valid batches, and 3 MiB of them after it. */
function around(damage: Buffer): Buffer {
  return Buffer.concat([stamped(0, ["a"]), damage, AFTER]);
}

function repeated(batches: readonly Buffer[]): Buffer {
  const one = Buffer.concat(batches);
  return Buffer.concat(new Array<Buffer>(Math.ceil(DAMAGED_BYTES / one.length)).fill(one));
}

for (const [what, damage] of [
  ["bytes that all look like a magic", Buffer.alloc(DAMAGED_BYTES, 2)],
  ["headers that claim a megabyte each", headers(DAMAGED_BYTES, 61, 1024 * 1024)],
  ["headers that claim all that is there", headers(DAMAGED_BYTES, 61, DAMAGED_BYTES + AFTER.length)],
  ["headers that claim a little", headers(DAMAGED_BYTES, 61, 5000)],
  ["whole batches whose successor contradicts them", repeated([stamped(4, ["a"]), stamped(0, ["b"])])],
] as const) {
  test(`${what} cost no more than a few passes over the file`, () => {
    const bytes = around(damage);
    const { files, descriptor } = fileOf(bytes);
    let batches = 0;
    let damagedBytes = 0;
    scanBatches(files, descriptor, rangeOf(bytes), {
      batch: () => {
        batches += 1;
        return true;
      },
      damage: (_position, size) => {
        damagedBytes += size;
      },
    });
    expect([batches, damagedBytes]).toEqual([25, damage.length]);
    expect(files.bytesRead).toBeLessThan(4 * bytes.length);
  });
}

test("small valid batches between headers that claim megabytes do not make these cost anything again", () => {
  const claiming = headers(61, 61, 1024 * 1024);
  const pieces: Buffer[] = [];
  for (let offset = 1; offset < 1000; offset += 1) pieces.push(claiming, stamped(offset, ["v"]));
  const bytes = Buffer.concat([stamped(0, ["a"]), ...pieces, headers(2 * 1024 * 1024, 4096, 0)]);
  const { files, descriptor } = fileOf(bytes);
  const offsets: number[] = [];
  scanBatches(files, descriptor, rangeOf(bytes), {
    batch: (buffer, position) => {
      offsets.push(batchBaseOffset(buffer, position));
      return true;
    },
    damage: () => {},
  });
  expect(offsets).toEqual(Array.from({ length: 1000 }, (_, offset) => offset));
  expect(files.bytesRead).toBeLessThan(40 * bytes.length);
});
