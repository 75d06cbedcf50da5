/** The message of the Go Obelisk: golden bytes, round trips, every truncation, hostile lengths. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { ObeliskError } from "../../../src/base/errors.ts";
import {
  encodeNativeFrame,
  MessageCursor,
  NATIVE_MESSAGE_BYTES_MAX,
  NATIVE_PREFIX_BYTES,
  nativeFrameBytes,
  writeNativeFrame,
} from "../../../src/protocol/native/message.ts";

interface Fields {
  timestampMs: number;
  topic: string;
  key: string;
  value: string;
}

function decode(buffer: Buffer, position = NATIVE_PREFIX_BYTES, end = buffer.length): Fields | null {
  const cursor = new MessageCursor();
  if (!cursor.read(buffer, position, end)) return null;
  return {
    timestampMs: cursor.timestampMs,
    topic: buffer.toString("latin1", cursor.topicStart, cursor.topicEnd),
    key: buffer.toString("latin1", cursor.keyStart, cursor.keyEnd),
    value: buffer.toString("latin1", cursor.valueStart, cursor.valueEnd),
  };
}

function encode({ timestampMs, topic, key, value }: Fields): Buffer {
  const bytes = (text: string) => Buffer.from(text, "latin1");
  return encodeNativeFrame(timestampMs, bytes(topic), bytes(key), bytes(value));
}

const EXAMPLE: Fields = { timestampMs: 1_700_000_000_123, topic: "orders", key: "k1", value: "hello" };

test("the bytes are those of the Go Obelisk", () => {
  expect(encode(EXAMPLE).toString("hex")).toBe(
    "21000000" +
      "c0d47e3dfe9c9717" +
      "06000000" +
      "6f7264657273" +
      "02000000" +
      "6b31" +
      "05000000" +
      "68656c6c6f",
  );
});

test("every message comes back as it went in, wherever it lies in the buffer", () => {
  const text = (maxLength: number) =>
    fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  const fields = fc.record({
    timestampMs: fc.integer({ min: -9_000_000_000_000, max: 9_000_000_000_000 }),
    topic: text(255),
    key: text(40),
    value: text(300),
  });
  fc.assert(
    fc.property(fields, fc.nat({ max: 30 }), (message, before) => {
      const frame = encode(message);
      const buffer = Buffer.alloc(before + frame.length + 7, 0xff);
      frame.copy(buffer, before);
      expect(frame.readUInt32LE(0)).toBe(frame.length - NATIVE_PREFIX_BYTES);
      expect(decode(buffer, before + NATIVE_PREFIX_BYTES, before + frame.length)).toEqual(message);
    }),
  );
});

test("nanoseconds are rounded down to milliseconds exactly, over all of int64", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanoseconds) => {
      const frame = encode(EXAMPLE);
      frame.writeBigInt64LE(nanoseconds, NATIVE_PREFIX_BYTES);
      const rounded = nanoseconds / 1_000_000n - (nanoseconds % 1_000_000n < 0n ? 1n : 0n);
      expect(decode(frame)?.timestampMs).toBe(Number(rounded));
    }),
  );
});

test("every truncation and every surplus is refused", () => {
  const frame = encode(EXAMPLE);
  for (let end = NATIVE_PREFIX_BYTES; end < frame.length; end += 1) {
    expect(decode(frame, NATIVE_PREFIX_BYTES, end)).toBeNull();
  }
  expect(decode(Buffer.concat([frame, Buffer.of(0)]))).toBeNull();
});

test("hostile inner lengths are refused", () => {
  for (const place of [12, 12 + 4 + 6, 12 + 4 + 6 + 4 + 2]) {
    for (const length of [0xffff_ffff, 0x8000_0000, 0x7fff_ffff, 256, 7]) {
      const frame = encode(EXAMPLE);
      frame.writeUInt32LE(length, place);
      expect(decode(frame)).toBeNull();
    }
  }
});

test("a topic may have 255 bytes and not one more", () => {
  const longest = { ...EXAMPLE, topic: "t".repeat(255) };
  expect(decode(encode(longest))).toEqual(longest);
  expect(() => encode({ ...EXAMPLE, topic: "t".repeat(256) })).toThrow(ObeliskError);
  const frame = Buffer.alloc(nativeFrameBytes(256, 0, 0));
  frame.writeUInt32LE(256, 12);
  expect(decode(frame)).toBeNull();
});

test("what cannot be sent is refused before a byte is written", () => {
  const empty = Buffer.alloc(0);
  const target = Buffer.alloc(64);
  const tooLong = Buffer.alloc(NATIVE_MESSAGE_BYTES_MAX);
  expect(() => writeNativeFrame(target, 0, 0, empty, empty, tooLong)).toThrow(
    "larger than the native protocol allows",
  );
  expect(() => encodeNativeFrame(2 ** 53, empty, empty, empty)).toThrow(
    "does not fit 64 bits of nanoseconds",
  );
  expect(target.equals(Buffer.alloc(64))).toBe(true);
});

test("frames written after each other are the frames one by one", () => {
  const parts = [EXAMPLE, { ...EXAMPLE, key: "" }, { ...EXAMPLE, value: "" }].map(encode);
  const target = Buffer.alloc(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    const { timestampMs, topic, key, value } = decode(part)!;
    position = writeNativeFrame(
      target,
      position,
      timestampMs,
      Buffer.from(topic),
      Buffer.from(key),
      Buffer.from(value),
    );
  }
  expect([position, target.toString("hex")]).toEqual([target.length, Buffer.concat(parts).toString("hex")]);
});

test("the log that the Go Obelisk wrote is read to its end", () => {
  const log = readFileSync(join(import.meta.dir, "../../storage/fixtures/go-data/topics/topic-0.log"));
  const topics = new Set<string>();
  let count = 0;
  for (let position = 0; position < log.length; count += 1) {
    const end = position + NATIVE_PREFIX_BYTES + log.readUInt32LE(position);
    const message = decode(log, position + NATIVE_PREFIX_BYTES, end)!;
    expect(
      encode(message)
        .subarray(12)
        .equals(log.subarray(position + 12, end)),
    ).toBe(true);
    topics.add(message.topic);
    position = end;
  }
  expect([count, [...topics]]).toEqual([114, ["topic-0"]]);
});
