/** CRC-32C against published check values, and its two ways against a bitwise definition and each other. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { CRC32C_NATIVE_BYTES_MIN, crc32c, crc32cByTable, isCrc32cNative } from "../../src/base/crc32c.ts";

function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("gives the published values of RFC 3720 and the check value", () => {
  const ascending = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
  const cases: [Buffer, number][] = [
    [Buffer.alloc(0), 0],
    [Buffer.from("123456789"), 0xe3069283],
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [ascending, 0x46dd794e],
    [Buffer.from(ascending).reverse(), 0x113fdb5c],
  ];
  for (const [bytes, expected] of cases) {
    expect(crc32c(bytes, 0, bytes.length)).toBe(expected);
    expect(crc32cByTable(bytes, 0, bytes.length)).toBe(expected);
  }
});

test("looks at the given range only", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(40), fc.nat(40), (bytes, before, after) => {
      const buffer = Buffer.alloc(before + bytes.length + after, 0xa5);
      buffer.set(bytes, before);
      return crc32c(buffer, before, before + bytes.length) === crc32cBitwise(bytes);
    }),
  );
});

test("gives the same by table and by addon on both sides of the threshold", () => {
  const buffer = Buffer.alloc(3 * CRC32C_NATIVE_BYTES_MIN);
  for (let index = 0; index < buffer.length; index += 1) buffer[index] = Math.imul(index, 2654435761) >>> 24;
  for (let bytes = CRC32C_NATIVE_BYTES_MIN - 20; bytes < 2 * CRC32C_NATIVE_BYTES_MIN; bytes += 7) {
    expect(crc32c(buffer, 3, 3 + bytes)).toBe(crc32cByTable(buffer, 3, 3 + bytes));
    expect(crc32c(buffer, 3, 3 + bytes)).toBe(crc32cBitwise(buffer.subarray(3, 3 + bytes)));
  }
});

test("gives the same by table and by addon around the lengths at which the addon takes more at a time, from any alignment", () => {
  // It takes three stretches side by side: of 256 bytes, and of 8 KiB.
  const lengths = [3 * 256, 6 * 256, 3 * 8192, 6 * 8192, 65_536, 100_000];
  const buffer = Buffer.alloc(110_000);
  for (let index = 0; index < buffer.length; index += 1) buffer[index] = Math.imul(index, 2654435761) >>> 24;
  for (const length of lengths) {
    for (let start = 0; start < 9; start += 1) {
      for (const bytes of [length - 9, length - 1, length, length + 1, length + 8]) {
        const before = Math.imul(bytes, start) >>> 0;
        const byAddon = crc32c(buffer, start, start + bytes, before);
        expect([start, bytes, byAddon]).toEqual([
          start,
          bytes,
          crc32cByTable(buffer, start, start + bytes, before),
        ]);
      }
    }
  }
});

test("goes on after bytes that came before, by either way", () => {
  const buffer = Buffer.alloc(5000);
  for (let index = 0; index < buffer.length; index += 1) buffer[index] = Math.imul(index, 2654435761) >>> 24;
  const whole = crc32c(buffer, 0, 5000);
  for (const cut of [0, 1, 300, CRC32C_NATIVE_BYTES_MIN - 1, CRC32C_NATIVE_BYTES_MIN + 1, 4999, 5000]) {
    expect(crc32c(buffer, cut, 5000, crc32c(buffer, 0, cut))).toBe(whole);
    expect(crc32cByTable(buffer, cut, 5000, crc32cByTable(buffer, 0, cut))).toBe(whole);
  }
});

test.skipIf(process.platform !== "linux" || process.arch !== "x64")("has its addon on 64-bit Linux", () => {
  expect(isCrc32cNative()).toBe(true);
});
