/**
 * CRC-32C (Castagnoli), the checksum of record batches: polynomial 0x1EDC6F41, reflected, initial value and final
 * exclusive-or 0xFFFFFFFF. The check value of "123456789" is 0xE3069283.
 *
 * Two ways to the same number. The native addon uses the processor's instruction, three streams of it side by side, and costs about
 * 200 ns for the call and its view; the table here (eight bytes a step) costs 0.55 ns a byte and no call. So short inputs take the
 * table, long ones the addon. The two lines cross near 450 bytes. Where the addon cannot be loaded, because there is none for the
 * platform, the table does everything. Which version of the addon, and why it is not the newest: docs/decisions/checksum-addon.md.
 *
 * `require` and not `import`, so that a missing addon is a slower program and not one that does not start; the
 * bundler follows it all the same and puts the addon into the executable.
 */

/** From this size on the addon is faster. */
export const CRC32C_NATIVE_BYTES_MIN = 450;

type NativeCrc32c = (input: Uint8Array, initial?: number) => number;

const native = loadNative();
const [T0, T1, T2, T3, T4, T5, T6, T7] = buildTables();

/** CRC-32C of `buffer[position, end)`, as an unsigned 32-bit number. `before` is that of the bytes that come before it. */
export function crc32c(buffer: Buffer, position: number, end: number, before = 0): number {
  if (native === null || end - position < CRC32C_NATIVE_BYTES_MIN)
    return crc32cByTable(buffer, position, end, before);
  return native(buffer.subarray(position, end), before);
}

/** The same without the addon. */
export function crc32cByTable(buffer: Buffer, position: number, end: number, before = 0): number {
  let crc = ~before;
  let at = position;
  for (const wholeEnd = end - 7; at < wholeEnd; at += 8) {
    crc ^= buffer[at]! | (buffer[at + 1]! << 8) | (buffer[at + 2]! << 16) | (buffer[at + 3]! << 24);
    crc =
      T7[crc & 0xff]! ^
      T6[(crc >>> 8) & 0xff]! ^
      T5[(crc >>> 16) & 0xff]! ^
      T4[crc >>> 24]! ^
      T3[buffer[at + 4]!]! ^
      T2[buffer[at + 5]!]! ^
      T1[buffer[at + 6]!]! ^
      T0[buffer[at + 7]!]!;
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ T0[(crc ^ buffer[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** Whether the addon does the work for long inputs; for `inspect`-like output and for tests. */
export function isCrc32cNative(): boolean {
  return native !== null;
}

function loadNative(): NativeCrc32c | null {
  try {
    const addon: { crc32c: NativeCrc32c } = require("@node-rs/crc32");
    return addon.crc32c;
  } catch {
    return null; // no addon for this platform: the table is used
  }
}

type Tables = [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** Table k holds the effect of a byte that is followed by k zero bytes. */
function buildTables(): Tables {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[0]![byte] = crc;
  }
  for (let table = 1; table < 8; table += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const previous = tables[table - 1]![byte]!;
      tables[table]![byte] = (previous >>> 8) ^ tables[0]![previous & 0xff]!;
    }
  }
  return tables as Tables;
}
