/** The primitive types as bytes, and each limit that keeps hostile bytes from costing more than they weigh. */

import { describe, expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { ELEMENTS_MAX, Reader } from "../../../src/protocol/kafka/reader.ts";

const over = (hex: string) => {
  const buffer = Buffer.from(hex.replaceAll(" ", ""), "hex");
  return new Reader(buffer, 0, buffer.length);
};

/** What a reading threw. */
function refusalOf(read: () => unknown): { code: string; position: number | undefined } {
  try {
    read();
  } catch (error) {
    if (error instanceof ObeliskError) return { code: error.code, position: error.facts.position };
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("values", () => {
  test("fixed sizes are big-endian and signed", () => {
    const reader = over("80 01 8000 80000000 ffffffffffffffff 0123456789abcdef0123456789abcdef");
    expect(reader.int8()).toBe(-128);
    expect(reader.bool()).toBe(true);
    expect(reader.int16()).toBe(-32768);
    expect(reader.int32()).toBe(-(2 ** 31));
    expect(reader.int64()).toBe(-1);
    expect(reader.uuid()).toBe("01234567-89ab-cdef-0123-456789abcdef");
    expect(reader.position).toBe(reader.end);
  });

  test("unsigned varints have seven bits in a byte, lowest first", () => {
    const reader = over("00 7f 8001 ff7f 808001 ffffffff0f");
    const values = [0, 127, 128, 16383, 16384, 0xffff_ffff];
    expect(values.map(() => reader.unsignedVarint())).toEqual(values);
  });

  test("plain lengths are int16 for strings and int32 for bytes; -1 is null", () => {
    const reader = over("0002 6869 ffff 0000 00000001 aa ffffffff 00000000");
    expect(reader.string()).toBe("hi");
    expect(reader.nullableString()).toBeNull();
    expect(reader.nullableString()).toBe("");
    expect(reader.bytes()).toEqual(Buffer.from("aa", "hex"));
    expect(reader.nullableBytes()).toBeNull();
    expect(reader.nullableBytes()).toEqual(Buffer.alloc(0));
    expect(reader.position).toBe(reader.end);
  });

  test("compact lengths are one more than the length; 0 is null", () => {
    const reader = over("03 6869 00 01 02 aa 00 01");
    expect(reader.compactString()).toBe("hi");
    expect(reader.compactNullableString()).toBeNull();
    expect(reader.compactNullableString()).toBe("");
    expect(reader.compactBytes()).toEqual(Buffer.from("aa", "hex"));
    expect(reader.compactNullableBytes()).toBeNull();
    expect(reader.compactNullableBytes()).toEqual(Buffer.alloc(0));
    expect(reader.position).toBe(reader.end);
  });

  test("arrays tell null from empty", () => {
    expect(over("ffffffff").nullableArrayCount(1)).toBe(-1);
    expect(over("00000000").nullableArrayCount(1)).toBe(0);
    expect(over("00").compactNullableArrayCount(1)).toBe(-1);
    expect(over("01").compactNullableArrayCount(1)).toBe(0);
  });

  test("what is negative is null, a negative count of tags none, and a varint has 32 bits, as for Kafka's readers", () => {
    expect(over("8000").nullableString()).toBeNull();
    expect(over("ffffffff0f").compactNullableString()).toBeNull();
    expect(over("fffffffe").nullableBytes()).toBeNull();
    expect(over("ffffffff0f").compactNullableBytes()).toBeNull();
    expect(over("fffffffe").nullableArrayCount(1)).toBe(-1);
    expect(over("ffffffff0f").compactNullableArrayCount(1)).toBe(-1);
    expect(over("ffffffff0f").tagCount()).toBe(-1);
    expect(over("ffffffff7f").unsignedVarint()).toBe(0xffff_ffff);
  });

  test("an int64 of 64 bits is the nearest number", () => {
    const reader = over("7fffffffffffffff 8000000000000000 0020000000000001 ffffffffffffffff");
    const values = [2 ** 63, -(2 ** 63), 2 ** 53, -1];
    expect(values.map(() => reader.nearestInt64())).toEqual(values);
  });

  test("unknown tagged fields are passed over", () => {
    const reader = over("02 05 03 aabbcc 8001 00");
    reader.skipTags();
    expect(reader.position).toBe(reader.end);
  });

  test("bytes are a view of the frame", () => {
    const buffer = Buffer.from("00000001aa", "hex");
    const value = new Reader(buffer, 0, 5).bytes();
    buffer[4] = 0xbb;
    expect(value).toEqual(Buffer.from("bb", "hex"));
  });
});

describe("refusals", () => {
  test("nothing is read after the end, though the buffer goes on", () => {
    const reader = new Reader(Buffer.from("0000000000000001", "hex"), 1, 4);
    expect(refusalOf(() => reader.int32())).toEqual({ code: "PROTOCOL_ERROR", position: 1 });
    expect(reader.int16()).toBe(0);
    expect(refusalOf(() => reader.int16())).toEqual({ code: "PROTOCOL_ERROR", position: 3 });
  });

  const cases: [what: string, hex: string, read: (reader: Reader) => unknown, position: number][] = [
    ["a string longer than the frame", "7fff 61", (reader) => reader.string(), 2],
    ["a null string where there must be one", "ffff", (reader) => reader.string(), 2],
    ["a string of negative length", "fffe", (reader) => reader.string(), 2],
    ["a compact string longer than a plain one can be", "818002", (reader) => reader.compactString(), 3],
    ["a compact null string where there must be one", "00", (reader) => reader.compactString(), 1],
    ["a compact string longer than the frame", "ffffffff0f 61", (reader) => reader.compactString(), 5],
    ["bytes longer than the frame", "7fffffff", (reader) => reader.bytes(), 4],
    ["bytes of negative length", "80000000", (reader) => reader.bytes(), 4],
    ["an array that cannot fit", "7fffffff", (reader) => reader.arrayCount(1), 4],
    ["an array one element too long", "00000002 00000000 000000", (reader) => reader.arrayCount(4), 4],
    ["a null array where there must be one", "ffffffff", (reader) => reader.arrayCount(1), 4],
    ["an array of negative length", "fffffffe", (reader) => reader.arrayCount(1), 4],
    ["a compact array that cannot fit", "ffffffff07", (reader) => reader.compactArrayCount(1), 5],
    ["a compact array of negative length", "ffffffff0f", (reader) => reader.compactArrayCount(1), 5],
    ["a compact null array where there must be one", "00", (reader) => reader.compactArrayCount(1), 1],
    ["a varint of six bytes", "808080808001", (reader) => reader.unsignedVarint(), 5],
    ["a tagged field longer than the frame", "01 00 05", (reader) => reader.skipTags(), 3],
    ["a tagged field of negative size", "01 00 ffffffff0f", (reader) => reader.skipTags(), 7],
    ["more tagged fields than bytes", "ffffffff07", (reader) => reader.skipTags(), 5],
  ];

  test.each(cases)("%s", (_what, hex, read, position) => {
    expect(refusalOf(() => read(over(hex)))).toEqual({ code: "PROTOCOL_ERROR", position });
  });

  test("a 64-bit integer outside 53 bits, where it must be exact", () => {
    expect(refusalOf(() => over("7fffffffffffffff").int64()).code).toBe("CORRUPT_MESSAGE");
    expect(over("7fffffffffffffff").nearestInt64()).toBe(2 ** 63);
  });

  test("a frame with more array elements than the limit, however they are spread", () => {
    const buffer = Buffer.alloc(ELEMENTS_MAX + 16);
    buffer.writeInt32BE(ELEMENTS_MAX, 0);
    buffer.writeInt32BE(1, 4);
    const reader = new Reader(buffer, 0, buffer.length);
    expect(reader.arrayCount(1)).toBe(ELEMENTS_MAX);
    expect(refusalOf(() => reader.arrayCount(1))).toEqual({ code: "PROTOCOL_ERROR", position: 8 });
  });

  test("more text than the limit, however many strings it is in", () => {
    const reader = new Reader(Buffer.from("0003616263 0002646566".replaceAll(" ", ""), "hex"), 0, 10, 10, 4);
    expect(reader.string()).toBe("abc");
    expect(refusalOf(() => reader.string())).toEqual({ code: "PROTOCOL_ERROR", position: 9 });
  });

  test("tagged fields count as elements do", () => {
    const reader = new Reader(Buffer.from([2, 0, 0, 1, 0, 3, 2, 0, 0]), 0, 9, 3);
    reader.skipTags();
    expect(refusalOf(() => reader.skipTags())).toEqual({ code: "PROTOCOL_ERROR", position: 6 });
  });
});

test("what was decoded is known in bytes: elements and texts, but no views", () => {
  const bytes = Buffer.from("00000003 0003616263 00000002ffff 00".replaceAll(" ", ""), "hex");
  const reader = new Reader(bytes, 0, bytes.length);
  expect(reader.decodedBytes).toBe(0);
  reader.arrayCount(2);
  expect(reader.decodedBytes).toBe(3 * 256);
  reader.string();
  expect(reader.decodedBytes).toBe(3 * 256 + 3 * 3);
  reader.bytes();
  expect(reader.decodedBytes).toBe(3 * 256 + 3 * 3);
});
