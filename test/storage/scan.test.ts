/** The scanner on one segment's bytes: what it calls sound, damaged, and the tail. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { writeInt64 } from "../../src/base/bytes.ts";
import { stampBatch } from "../../src/protocol/record/batch.ts";
import { type ScanRange, scanBatches } from "../../src/storage/scan.ts";
import { batchOf } from "../support/batches.ts";
import { FaultyFiles } from "../support/faulty-files.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

interface Found {
  offsets: number[];
  damage: { position: number; bytes: number; isTail: boolean }[];
  end: number;
}

function stamped(offset: number, values: readonly string[]): Buffer {
  const batch = batchOf(values);
  stampBatch(batch, 0, offset, 0);
  return batch;
}

function scan(bytes: Buffer, options: Partial<ScanRange> = {}, unreadableFrom?: number): Found {
  const disk = new SimulatedFiles(1);
  const files = new FaultyFiles(disk);
  const descriptor = files.open("/log", "create");
  files.write(descriptor, bytes, 0, bytes.length, 0);
  if (unreadableFrom !== undefined) failReads(files, unreadableFrom);
  const found: Found = { offsets: [], damage: [], end: -1 };
  const range = {
    start: 0,
    end: bytes.length,
    offset: 0,
    offsetLimit: Number.POSITIVE_INFINITY,
    allowsGaps: false,
  };
  found.end = scanBatches(
    files,
    descriptor,
    { ...range, ...options },
    {
      batch: (buffer, position) => {
        found.offsets.push(Number(buffer.readBigInt64BE(position)));
        return true;
      },
      damage: (position, size, _reason, isTail) => found.damage.push({ position, bytes: size, isTail }),
    },
  );
  return found;
}

/** Reads that touch one page fail as a bad sector does. */
function failReads(files: FaultyFiles, position: number): void {
  const read = files.read.bind(files);
  files.read = (descriptor, target, targetPosition, bytes, from) => {
    if (from <= position && position < from + bytes) throw Object.assign(new Error("EIO"), { code: "EIO" });
    return read(descriptor, target, targetPosition, bytes, from);
  };
}

const A = stamped(0, ["a", "b"]);
const B = stamped(2, ["c"]);
const C = stamped(3, ["d".repeat(300)]);
const D = stamped(4, ["e"]);
const WHOLE = Buffer.concat([A, B, C, D]);

test("sound batches are told in order", () => {
  expect(scan(WHOLE)).toEqual({ offsets: [0, 2, 3, 4], damage: [], end: 5 });
  expect(scan(Buffer.alloc(0))).toEqual({ offsets: [], damage: [], end: 0 });
});

test("every truncation gives the whole batches and names the rest as the tail", () => {
  for (let length = 0; length < WHOLE.length; length += 1) {
    const ends = [A.length, A.length + B.length, A.length + B.length + C.length];
    const whole = ends.filter((end) => end <= length);
    const last = whole.at(-1) ?? 0;
    const damage = last === length ? [] : [{ position: last, bytes: length - last, isTail: true }];
    const found = scan(WHOLE.subarray(0, length));
    expect(found).toEqual({
      offsets: [0, 2, 3].slice(0, whole.length),
      damage,
      end: [0, 2, 3, 4][whole.length]!,
    });
  }
});

test("every flipped bit of a batch in the middle costs that batch alone", () => {
  for (let bit = 0; bit < B.length * 8; bit += 1) {
    const isLeaderEpoch = bit >= 12 * 8 && bit < 16 * 8;
    const bytes = Buffer.from(WHOLE);
    bytes[A.length + (bit >> 3)]! ^= 1 << (bit & 7);
    const expected = isLeaderEpoch
      ? { offsets: [0, 2, 3, 4], damage: [], end: 5 }
      : { offsets: [0, 3, 4], damage: [{ position: A.length, bytes: B.length, isTail: false }], end: 5 };
    expect([bit, scan(bytes)]).toEqual([bit, expected]);
  }
});

test("foreign bytes in the middle are passed over, however long", () => {
  for (const size of [1, 60, 61, 5000, 3_000_000]) {
    const bytes = Buffer.concat([A, B, Buffer.alloc(size, 2), C, D]);
    const found = scan(bytes);
    expect(found.offsets).toEqual([0, 2, 3, 4]);
    expect(found.damage).toEqual([{ position: A.length + B.length, bytes: size, isTail: false }]);
  }
});

test("a batch inside a damaged batch's value is not taken for one of the log", () => {
  const inner = stamped(3, ["inner"]).toString("latin1");
  const value = Buffer.from(inner, "latin1").toString("latin1");
  const outer = stamped(2, [value]);
  const bytes = Buffer.concat([A, outer, stamped(3, ["next"])]);
  bytes[A.length + 17]! ^= 1;
  expect(scan(bytes)).toEqual({
    offsets: [0, 3],
    damage: [{ position: A.length, bytes: outer.length, isTail: false }],
    end: 4,
  });
});

test("offsets that were given out before, or that belong to the next segment, are damage", () => {
  expect(scan(Buffer.concat([A, A])).damage).toEqual([{ position: A.length, bytes: A.length, isTail: true }]);
  expect(scan(WHOLE, { offsetLimit: 4 }).offsets).toEqual([0, 2, 3]);
});

test("a gap is believed where gaps may be, or when the next batch goes on from it", () => {
  const far = stamped(10, ["far"]);
  expect(scan(Buffer.concat([A, far]))).toMatchObject({ offsets: [0], end: 2 });
  expect(scan(Buffer.concat([A, far]), { allowsGaps: true })).toMatchObject({ offsets: [0, 10], end: 11 });
  expect(scan(Buffer.concat([A, far, stamped(11, ["x"])]))).toMatchObject({
    offsets: [0, 10, 11],
    damage: [],
  });
});

test("an unreadable page costs the batches that lie on it", () => {
  const batches = Array.from({ length: 100 }, (_, index) => stamped(index, ["z".repeat(200)]));
  const bytes = Buffer.concat(batches);
  const size = batches[0]!.length;
  const found = scan(bytes, {}, 9000);
  const lost = batches
    .map((_, index) => index)
    .filter((index) => (index + 1) * size > 8192 && index * size < 12_288);
  expect(found.offsets).toEqual(batches.map((_, index) => index).filter((index) => !lost.includes(index)));
  expect(found.damage).toEqual([{ position: lost[0]! * size, bytes: lost.length * size, isTail: false }]);
});

test("no bytes make it throw, and it accounts for every one of them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 90 }), fc.constantFrom(A, B, C, D))),
      (parts) => {
        const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
        const found = scan(bytes, { allowsGaps: true });
        const damaged = found.damage.reduce((sum, { bytes: size }) => sum + size, 0);
        expect(damaged).toBeLessThanOrEqual(bytes.length);
        expect(found.offsets).toEqual([...found.offsets].sort((left, right) => left - right));
        if (found.offsets.length === 0) expect(damaged).toBe(bytes.length);
      },
    ),
  );
});

test("an absurd length is not allocated for", () => {
  const bytes = Buffer.from(WHOLE);
  bytes.writeInt32BE(0x7fff_fff0, A.length + 8);
  writeInt64(bytes, A.length, 2);
  expect(scan(bytes).offsets).toEqual([0, 3, 4]);
});
