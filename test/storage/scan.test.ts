/** The scanner on one segment's bytes: what it calls valid, damaged, and the tail. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { writeInt64 } from "../../src/base/bytes.ts";
import { stampBatch } from "../../src/protocol/record/batch.ts";
import { type ScanVisitor, scanBatches } from "../../src/storage/scan.ts";
import type { ScanRange } from "../../src/storage/scan-range.ts";
import { batchOf } from "../support/batches.ts";
import { RefusingFiles } from "../support/refusing-files.ts";
import { SimulatedFiles } from "../support/simulated-files.ts";

interface Found {
  offsets: number[];
  damage: { position: number; bytes: number; isTail: boolean }[];
  end: number;
}

/** What the disk refuses in one place, and the stretch around it that is not judged. */
interface Unjudged {
  position: number;
  bytes: number;
  refusals: { position: number; bytes: number }[];
}

function stamped(offset: number, values: readonly string[]): Buffer {
  const batch = batchOf(values);
  stampBatch(batch, 0, offset, 0);
  return batch;
}

/** `refused`: positions that the disk refuses to read; `unjudged` takes them, and without it they end the scan. */
function scan(
  bytes: Buffer,
  options: Partial<ScanRange> = {},
  refused: readonly number[] = [],
  unjudged?: Unjudged[],
): Found {
  const disk = new SimulatedFiles(1);
  const files = new RefusingFiles(disk);
  const descriptor = files.open("/log", "create");
  files.write(descriptor, bytes, 0, bytes.length, 0);
  files.refused = refused.map((start) => ({ file: "/log", start, end: start + 1 }));
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
      ...(unjudged === undefined ? {} : { unreadable: takerOf(unjudged) }),
    },
  );
  return found;
}

function takerOf(unjudged: Unjudged[]): NonNullable<ScanVisitor["unreadable"]> {
  return (position, bytes, refusals) => {
    for (const { error } of refusals) expect(error).toMatchObject({ code: "EIO" });
    unjudged.push({ position, bytes, refusals: refusals.map(({ error: _, ...place }) => place) });
  };
}

const A = stamped(0, ["a", "b"]);
const B = stamped(2, ["c"]);
const C = stamped(3, ["d".repeat(300)]);
const D = stamped(4, ["e"]);
const WHOLE = Buffer.concat([A, B, C, D]);

test("valid batches are reported in order", () => {
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

test("foreign bytes in the middle are skipped, however long", () => {
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

test("offsets that an earlier batch has, or that belong to the next segment, are damage", () => {
  expect(scan(Buffer.concat([A, A])).damage).toEqual([{ position: A.length, bytes: A.length, isTail: true }]);
  expect(scan(WHOLE, { offsetLimit: 4 }).offsets).toEqual([0, 2, 3]);
});

test("a gap is accepted where gaps may be, or when the next batch goes on from it", () => {
  const far = stamped(10, ["far"]);
  expect(scan(Buffer.concat([A, far]))).toMatchObject({ offsets: [0], end: 2 });
  expect(scan(Buffer.concat([A, far]), { allowsGaps: true })).toMatchObject({ offsets: [0, 10], end: 11 });
  expect(scan(Buffer.concat([A, far, stamped(11, ["x"])]))).toMatchObject({
    offsets: [0, 10, 11],
    damage: [],
  });
});

/** A hundred batches of one size, and those of them that touch one of the pages. */
function onPages(...pages: number[]): { bytes: Buffer; size: number; offsets: number[]; lost: number[] } {
  const batches = Array.from({ length: 100 }, (_, index) => stamped(index, ["z".repeat(200)]));
  const size = batches[0]!.length;
  const offsets = batches.map((_, index) => index);
  const isHit = (index: number) =>
    pages.some((page) => (index + 1) * size > page * 4096 && index * size < (page + 1) * 4096);
  return { bytes: Buffer.concat(batches), size, offsets, lost: offsets.filter(isHit) };
}

test("a page that the disk refuses is no damage: who only judges is told of it, and of the batches on it", () => {
  const { bytes, size, offsets, lost } = onPages(2);
  const unjudged: Unjudged[] = [];
  expect(scan(bytes, {}, [9000], unjudged)).toEqual({
    offsets: offsets.filter((offset) => !lost.includes(offset)),
    damage: [],
    end: 100,
  });
  const refusals = [{ position: 8192, bytes: 4096 }];
  expect(unjudged).toEqual([{ position: lost[0]! * size, bytes: lost.length * size, refusals }]);
});

test("pages side by side are one place, others have their own, and damage between them stays damage", () => {
  const { bytes, size, offsets, lost } = onPages(1, 2, 5);
  const hit = lost.at(-1)! + 2;
  bytes[hit * size + 80]! ^= 1;
  const unjudged: Unjudged[] = [];
  const found = scan(bytes, {}, [4096, 9000, 5 * 4096], unjudged);
  expect(found.offsets).toEqual(offsets.filter((offset) => offset !== hit && !lost.includes(offset)));
  expect(found.damage).toEqual([{ position: hit * size, bytes: size, isTail: false }]);
  expect(unjudged.map(({ refusals }) => refusals)).toEqual([
    [{ position: 4096, bytes: 8192 }],
    [{ position: 5 * 4096, bytes: 4096 }],
  ]);
});

test("zeros that stand for what was refused are not taken for a producer's", () => {
  const batch = stamped(1, ["\0".repeat(20_000)]);
  const bytes = Buffer.concat([stamped(0, ["a"]), batch, stamped(2, ["b"])]);
  const unjudged: Unjudged[] = [];
  expect(scan(bytes, {}, [8192], unjudged)).toEqual({ offsets: [0, 2], damage: [], end: 3 });
  expect(unjudged).toHaveLength(1);
});

test("what the disk refuses ends the scan of everybody else, where it is needed and not before", () => {
  const { bytes, offsets, lost } = onPages(2);
  expect(() => scan(bytes, {}, [9000])).toThrow(expect.objectContaining({ code: "EIO" }));
  const end = (lost[0]! * bytes.length) / offsets.length;
  expect(scan(bytes, { end }, [9000])).toEqual({
    offsets: offsets.slice(0, lost[0]!),
    damage: [],
    end: lost[0]!,
  });
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

test("no memory is allocated for an absurd length", () => {
  const bytes = Buffer.from(WHOLE);
  bytes.writeInt32BE(0x7fff_fff0, A.length + 8);
  writeInt64(bytes, A.length, 2);
  expect(scan(bytes).offsets).toEqual([0, 3, 4]);
});
