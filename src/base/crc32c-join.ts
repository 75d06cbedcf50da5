/**
 * The CRC-32C of a part, computed from those of the whole and of what comes before the part, without their bytes:
 *
 *     [======== before ========|==== part ====]        crc(part) = crc(both) ^ (crc(before) moved on by the part's length)
 *
 * A CRC is the rest of a division of polynomials over GF(2), and the bytes after a part multiply it by x^(8 * their count): that
 * is a few multiplications, by squaring. In the reflected form that CRC-32C has, bit 31 is x^0 and bit 0 is x^31.
 */

const POLYNOMIAL = 0x82f6_3b78;
const X_8 = 0x0080_0000;
/** x^(8 * 2^k), enough for any file position. */
const POWERS = powers(53);

/** The CRC of a part of `partBytes` bytes, from those of what comes before it and of both together. */
export function crc32cOfPart(before: number, both: number, partBytes: number): number {
  return (both ^ movedOn(before, partBytes)) >>> 0;
}

/** `crc` times x^(8 * bytes). */
function movedOn(crc: number, bytes: number): number {
  let product = crc;
  let rest = bytes;
  for (let power = 0; rest > 0; power += 1) {
    if (rest % 2 === 1) product = multiply(POWERS[power]!, product);
    rest = Math.floor(rest / 2);
  }
  return product;
}

function multiply(first: number, second: number): number {
  let product = 0;
  let shifted = second;
  for (let bits = first; bits !== 0; bits <<= 1) {
    if (bits < 0) product ^= shifted;
    shifted = (shifted & 1) === 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product;
}

function powers(count: number): Int32Array {
  const all = new Int32Array(count);
  all[0] = X_8;
  for (let slot = 1; slot < count; slot += 1) all[slot] = multiply(all[slot - 1]!, all[slot - 1]!);
  return all;
}
