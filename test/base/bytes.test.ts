import { expect, test } from "bun:test";
import fc from "fast-check";
import { readInt64, writeInt64 } from "../../src/base/bytes.ts";

test("every safe integer is read back as it was written, in the bytes of a 64-bit integer", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const buffer = Buffer.alloc(12, 0xaa);
      writeInt64(buffer, 2, value);
      expect([readInt64(buffer, 2), buffer.readBigInt64BE(2)]).toEqual([value, BigInt(value)]);
      expect([buffer[1], buffer[10]]).toEqual([0xaa, 0xaa]);
    }),
  );
});

test("a value that does not fit 53 bits is refused, not rounded", () => {
  for (const value of [2n ** 53n, -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64BE(value);
    expect(() => readInt64(buffer, 0)).toThrow("outside the supported 53 bits");
  }
});
