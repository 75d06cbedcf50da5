/** Frames as bytes, and what happens where a frame outgrows its slab, its one-byte size or the copying of records. */

import { describe, expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { COPY_BYTES_MAX, Writer } from "../../../src/protocol/kafka/writer.ts";
import { frameOf, heldParts } from "../../support/encoded.ts";

/** The hex of the frame that `write` fills, without its length. */
function hexOf(write: (writer: Writer) => void): string {
  const writer = new Writer();
  writer.begin();
  write(writer);
  const encoded = writer.finish();
  const { bytes } = encoded;
  const frame = frameOf(encoded);
  expect(frame.length).toBe(bytes);
  expect(frame.readInt32BE(0)).toBe(bytes - 4);
  return frame.toString("hex", 4);
}

describe("values", () => {
  const cases: [what: string, write: (writer: Writer) => void, hex: string][] = [
    ["a boolean", (writer) => writer.bool(true), "01"],
    ["an int8", (writer) => writer.int8(-128), "80"],
    ["an int16", (writer) => writer.int16(-2), "fffe"],
    ["an int32", (writer) => writer.int32(-2), "fffffffe"],
    ["an int64", (writer) => writer.int64(-2), "fffffffffffffffe"],
    ["a float64", (writer) => writer.float64(0.5), "3fe0000000000000"],
    ["a large int64", (writer) => writer.int64(2 ** 53 - 1), "001fffffffffffff"],
    [
      "a uuid",
      (writer) => writer.uuid("01234567-89ab-cdef-0123-456789abcdef"),
      "0123456789abcdef0123456789abcdef",
    ],
    ["a small varint", (writer) => writer.unsignedVarint(127), "7f"],
    ["the largest varint", (writer) => writer.unsignedVarint(0xffff_ffff), "ffffffff0f"],
    ["a string", (writer) => writer.string("hü"), "000368c3bc"],
    ["a null string", (writer) => writer.nullableString(null), "ffff"],
    ["a compact string", (writer) => writer.compactString("hü"), "0468c3bc"],
    ["a compact null string", (writer) => writer.compactNullableString(null), "00"],
    ["bytes", (writer) => writer.bytes(Buffer.from("aabb", "hex")), "00000002aabb"],
    ["null bytes", (writer) => writer.nullableBytes(null), "ffffffff"],
    ["compact bytes", (writer) => writer.compactBytes(Buffer.from("aabb", "hex")), "03aabb"],
    ["compact null bytes", (writer) => writer.compactNullableBytes(null), "00"],
    ["a null array", (writer) => writer.arrayCount(-1), "ffffffff"],
    ["a compact null array", (writer) => writer.compactArrayCount(-1), "00"],
  ];

  test.each(cases)("%s", (_what, write, hex) => expect(hexOf(write)).toBe(hex));

  test("a compact string whose length takes two bytes", () => {
    const text = "x".repeat(127);
    expect(hexOf((writer) => writer.compactString(text))).toBe(`8001${Buffer.from(text).toString("hex")}`);
  });

  test("the size of a tagged field takes as many bytes as it needs", () => {
    const tagged = (length: number) =>
      hexOf((writer) => {
        const mark = writer.beginTag(3);
        writer.raw(Buffer.alloc(length, 0xaa));
        writer.endTag(mark);
      });
    expect(tagged(127)).toBe(`037f${"aa".repeat(127)}`);
    expect(tagged(128)).toBe(`038001${"aa".repeat(128)}`);
  });

  test("a text that is no uuid and a text too long for its length are refused", () => {
    expect(() => hexOf((writer) => writer.uuid("01234567"))).toThrow(ObeliskError);
    expect(() => hexOf((writer) => writer.uuid("x".repeat(32)))).toThrow(ObeliskError);
    expect(() => hexOf((writer) => writer.string("x".repeat(32_768)))).toThrow(ObeliskError);
    expect(hexOf((writer) => writer.string("x".repeat(32_767))).length).toBe(2 * (2 + 32_767));
  });
});

describe("frames", () => {
  test("frames that are cut from one slab keep their bytes", () => {
    const writer = new Writer();
    const frames = Array.from({ length: 1000 }, (_, index) => {
      writer.begin();
      for (let count = 0; count < 100; count += 1) writer.int32(index);
      return writer.finish();
    });
    frames.forEach(({ parts }, index) => {
      const expected = Buffer.alloc(404);
      expected.writeInt32BE(400, 0);
      for (let position = 4; position < 404; position += 4) expected.writeInt32BE(index, position);
      expect(parts).toEqual([expected]);
    });
  });

  const SLAB_BYTES = 64 * 1024;
  const BYTES = Buffer.from("some bytes that are long enough to be told from what lay there before");
  const values: [what: string, write: (writer: Writer) => void][] = [
    ["a boolean", (writer) => writer.bool(true)],
    ["an int64", (writer) => writer.int64(2 ** 53 - 1)],
    ["a small varint", (writer) => writer.unsignedVarint(127)],
    ["a large varint", (writer) => writer.unsignedVarint(0xffff_ffff)],
    ["a string", (writer) => writer.string("a text that is longer than the loop")],
    ["a compact string", (writer) => writer.compactString("hü")],
    ["bytes", (writer) => writer.bytes(BYTES)],
    ["compact bytes", (writer) => writer.compactBytes(BYTES)],
    ["raw bytes", (writer) => writer.raw(BYTES)],
  ];

  test.each(values)("%s is whole wherever the slab ends inside of it", (_what, write) => {
    const expected = hexOf(write);
    for (let free = 0; free <= 120; free += 1) {
      const found = hexOf((writer) => {
        for (let rest = SLAB_BYTES - 4 - free; rest > 0; rest -= COPY_BYTES_MAX) {
          writer.raw(Buffer.alloc(Math.min(rest, COPY_BYTES_MAX), 0xee));
        }
        write(writer);
      });
      expect(found.slice(2 * (SLAB_BYTES - 4 - free))).toBe(expected);
    }
  });

  test("a frame that outgrows its slab moves and stays one part", () => {
    const writer = new Writer();
    writer.begin();
    for (let index = 0; index < 100_000; index += 1) writer.int32(index);
    const parts = heldParts(writer.finish());
    expect(parts.length).toBe(1);
    for (let index = 0; index < 100_000; index += 1) {
      if (parts[0]!.readInt32BE(4 + index * 4) !== index) throw new Error(`${index} is wrong`);
    }
  });

  test("records up to the limit are copied, larger ones become a part without a copy", () => {
    const small = Buffer.alloc(COPY_BYTES_MAX, 1);
    const large = Buffer.alloc(COPY_BYTES_MAX + 1, 2);
    const writer = new Writer();
    writer.begin();
    writer.bytes(small);
    writer.bytes(large);
    writer.int16(7);
    writer.bytes(large);
    const encoded = writer.finish();
    const { bytes } = encoded;
    const parts = heldParts(encoded);
    expect(parts.length).toBe(4);
    expect(parts[1]).toBe(large);
    expect(parts[3]).toBe(large);
    expect(parts[0]!.length).toBe(4 + 4 + small.length + 4);
    expect(parts[2]!.toString("hex")).toBe("000700004001");
    expect(bytes).toBe(parts.reduce((sum, part) => sum + part.length, 0));
    expect(parts[0]!.readInt32BE(0)).toBe(bytes - 4);
  });

  test("a frame that was not finished is dropped", () => {
    const writer = new Writer();
    writer.begin();
    writer.bytes(Buffer.alloc(COPY_BYTES_MAX + 1));
    writer.begin();
    writer.int8(5);
    expect(writer.finish().parts).toEqual([Buffer.from("0000000105", "hex")]);
  });
});
