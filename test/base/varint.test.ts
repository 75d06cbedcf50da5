/** Varints: known encodings, round trips against BigInt arithmetic, every truncation, and encodings that are too long. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ObeliskError } from "../../src/base/errors.ts";
import {
  unsignedVarintBytes,
  VarintReader,
  varintBytes,
  varlongBytes,
  writeUnsignedVarint,
  writeVarint,
  writeVarlong,
} from "../../src/base/varint.ts";

type Kind = "unsignedVarint" | "varint" | "varlong";

const WRITERS = { unsignedVarint: writeUnsignedVarint, varint: writeVarint, varlong: writeVarlong };
const SIZES = { unsignedVarint: unsignedVarintBytes, varint: varintBytes, varlong: varlongBytes };
const VALUES: Record<Kind, fc.Arbitrary<number>> = {
  unsignedVarint: fc.integer({ min: 0, max: 0xffffffff }),
  varint: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  varlong: fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -70_000, max: 70_000 })),
};

function encode(kind: Kind, value: number): Buffer {
  const buffer = Buffer.alloc(12);
  return buffer.subarray(0, WRITERS[kind](buffer, 0, value));
}

function decode(kind: Kind, bytes: Buffer, end = bytes.length): number {
  const reader = new VarintReader();
  reader.reset(bytes, 0, end);
  return reader[kind]();
}

/** The definition, in BigInt. */
function encodeSlowly(kind: Kind, value: number): Buffer {
  let rest = BigInt(value);
  if (kind !== "unsignedVarint") rest = rest < 0n ? -rest * 2n - 1n : rest * 2n;
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

for (const kind of ["unsignedVarint", "varint", "varlong"] as const) {
  describe(kind, () => {
    test("writes by the definition, says its size, and reads back", () => {
      fc.assert(
        fc.property(VALUES[kind], (value) => {
          const bytes = encode(kind, value);
          expect(bytes).toEqual(encodeSlowly(kind, value));
          expect(SIZES[kind](value)).toBe(bytes.length);
          expect(decode(kind, bytes)).toBe(value);
        }),
        { numRuns: 1000 },
      );
    });

    test("refuses every truncation, does not look beyond the end and does not move", () => {
      fc.assert(
        fc.property(VALUES[kind], (value) => {
          const bytes = encode(kind, value);
          const reader = new VarintReader();
          for (let end = 0; end < bytes.length; end += 1) {
            reader.reset(bytes, 0, end);
            expect(() => reader[kind]()).toThrow(ObeliskError);
            expect(reader.position).toBe(0);
          }
        }),
      );
    });

    test("accepts a padded zero and refuses one that is too long", () => {
      const bytesMax = kind === "varlong" ? 10 : 5;
      for (let length = 1; length <= 12; length += 1) {
        const bytes = Buffer.alloc(length, 0x80);
        bytes[length - 1] = 0;
        if (length <= bytesMax) expect(decode(kind, bytes)).toBe(0);
        else expect(() => decode(kind, bytes)).toThrow(ObeliskError);
      }
    });
  });
}

test("holds the limits of each type", () => {
  expect(encode("varint", -0x80000000).toString("hex")).toBe("ffffffff0f");
  expect(decode("varint", Buffer.from("ffffffff0f", "hex"))).toBe(-0x80000000);
  expect(() => decode("varint", Buffer.from("ffffffff1f", "hex"))).toThrow("longer than 32 bits");
  expect(decode("varlong", encode("varlong", Number.MIN_SAFE_INTEGER))).toBe(Number.MIN_SAFE_INTEGER);
  expect(decode("varlong", encode("varlong", Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
  // 2^53, -2^53, and both ends of int64
  for (const hex of [
    "8080808080808020",
    "ffffffffffffff1f",
    "feffffffffffffffff01",
    "ffffffffffffffffff01",
  ]) {
    expect(() => decode("varlong", Buffer.from(hex, "hex"))).toThrow("53 bits");
  }
  expect(() => decode("varlong", Buffer.from("ffffffffffffffffff02", "hex"))).toThrow("64 bits");
});

test("leaves the position after the number", () => {
  const buffer = Buffer.alloc(32);
  let position = writeVarint(buffer, 0, -3);
  position = writeVarlong(buffer, position, 1_700_000_000_000);
  position = writeUnsignedVarint(buffer, position, 300);
  const reader = new VarintReader();
  reader.reset(buffer, 0, position);
  expect([reader.varint(), reader.varlong(), reader.unsignedVarint()]).toEqual([-3, 1_700_000_000_000, 300]);
  expect(reader.position).toBe(position);
});
