/** CRCs of parts from those of wholes, against the sum over the bytes. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { crc32c } from "../../src/base/crc32c.ts";
import { crc32cOfPart } from "../../src/base/crc32c-join.ts";

test("the CRC of a part is that of its bytes, wherever the whole is cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(3000), (array, at) => {
      const bytes = Buffer.from(array);
      const cut = Math.min(at, bytes.length);
      const part = crc32cOfPart(crc32c(bytes, 0, cut), crc32c(bytes, 0, bytes.length), bytes.length - cut);
      expect(part).toBe(crc32c(bytes, cut, bytes.length));
    }),
  );
});

test("a part may be longer than 32 bits count", () => {
  // So many zeros multiply by x^(8 * 2^40): two times in a row, or at once.
  const once = crc32cOfPart(0x1234_5678, 0, 2 ** 40);
  expect(crc32cOfPart(once, 0, 2 ** 40)).toBe(crc32cOfPart(0x1234_5678, 0, 2 ** 41));
});

test("sums go on from those of the bytes before, with the addon and without", () => {
  const bytes = Buffer.from("123456789".repeat(200));
  for (const cut of [0, 1, 5, 900, 1799, 1800]) {
    const before = crc32c(bytes, 0, cut);
    expect(crc32c(bytes, cut, bytes.length, before)).toBe(crc32c(bytes, 0, bytes.length));
  }
});
