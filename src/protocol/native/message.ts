/**
 * The native protocol's message, as the Go Obelisk's clients send it. All integers are little-endian.
 *
 *     uint32 frame length | int64 timestamp, ns | uint32, topic | uint32, key | uint32, value
 *                          \_________________ the message: what the frame length counts ______/
 *
 *   - topic: at most 255 bytes. Which names are allowed is the broker's business.
 *   - key and value may be empty. The three lengths and the timestamp use up the message exactly: a byte more or less is refused.
 *   - The timestamp is turned into milliseconds (rounded down) without a BigInt; every int64 has its exact millisecond.
 *
 * Reading moves positions in a cursor that is used again and again; nothing is copied and no object is made.
 */

import { ObeliskError } from "../../base/errors.ts";
import { MiB } from "../../base/units.ts";

/** Longest message, in the Go Obelisk and here. */
export const NATIVE_MESSAGE_BYTES_MAX = 10 * MiB;
export const NATIVE_TOPIC_BYTES_MAX = 255;
/** Timestamp and three lengths: a message cannot be shorter. */
export const NATIVE_MESSAGE_BYTES_MIN = 20;
export const NATIVE_PREFIX_BYTES = 4;

const NANOSECONDS_PER_MS = 1_000_000;
const HIGH = 0x1_0000_0000;

export class MessageCursor {
  timestampMs = 0;
  topicStart = 0;
  topicEnd = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** The upper half of the last timestamp (it stays the same for four seconds), and what it comes to. */
  #high = 0;
  #highMs = 0;
  #highRest = 0;

  /**
   * Finds the fields of the message `buffer[position, end)`; false when it is not one. The cursor is then undefined.
   * Lengths are read as int32: what is negative then is beyond any buffer, and positions stay small integers (two times as fast).
   */
  read(buffer: Buffer, position: number, end: number): boolean {
    if (end - position < NATIVE_MESSAGE_BYTES_MIN) return false;
    const topicBytes = buffer.readInt32LE(position + 8);
    if (topicBytes < 0 || topicBytes > NATIVE_TOPIC_BYTES_MAX) return false;
    const topicEnd = position + 12 + topicBytes;
    if (topicEnd + 8 > end) return false;
    const keyBytes = buffer.readInt32LE(topicEnd);
    if (keyBytes < 0 || keyBytes > end - topicEnd - 8) return false;
    const keyEnd = topicEnd + 4 + keyBytes;
    const valueBytes = buffer.readInt32LE(keyEnd);
    if (valueBytes !== end - keyEnd - 4) return false;
    this.topicStart = position + 12;
    this.topicEnd = topicEnd;
    this.keyStart = topicEnd + 4;
    this.keyEnd = keyEnd;
    this.valueStart = keyEnd + 4;
    this.valueEnd = end;
    this.#readTimestamp(buffer, position);
    return true;
  }

  /**
   * floor(ns / 1e6) of an int64, exactly: with high = q * 1e6 + r (0 <= r < 1e6) it is q * 2^32 + floor((r * 2^32 + low) / 1e6),
   * and no step passes 2^53. One division of the whole number would round first and could land a millisecond off.
   */
  #readTimestamp(buffer: Buffer, position: number): void {
    const high = buffer.readInt32LE(position + 4);
    if (high !== this.#high) {
      const quotient = Math.floor(high / NANOSECONDS_PER_MS);
      this.#high = high;
      this.#highMs = quotient * HIGH;
      this.#highRest = (high - quotient * NANOSECONDS_PER_MS) * HIGH;
    }
    const low = buffer.readUInt32LE(position);
    this.timestampMs = this.#highMs + Math.floor((this.#highRest + low) / NANOSECONDS_PER_MS);
  }
}

/** Size of a frame (prefix and message) with fields of these sizes. */
export function nativeFrameBytes(topicBytes: number, keyBytes: number, valueBytes: number): number {
  return NATIVE_PREFIX_BYTES + NATIVE_MESSAGE_BYTES_MIN + topicBytes + keyBytes + valueBytes;
}

/**
 * Writes one frame at `position` of `target`, which must have room, and returns the position after it.
 * @throws ObeliskError INVALID_TIMESTAMP outside the years 1677 to 2262, INVALID_TOPIC_EXCEPTION, MESSAGE_TOO_LARGE
 */
export function writeNativeFrame(
  target: Buffer,
  position: number,
  timestampMs: number,
  topic: Buffer,
  key: Buffer,
  value: Buffer,
): number {
  const messageBytes = nativeFrameBytes(topic.length, key.length, value.length) - NATIVE_PREFIX_BYTES;
  checkMessage(topic.length, messageBytes);
  target.writeUInt32LE(messageBytes, position);
  writeMilliseconds(target, position + 4, timestampMs);
  let next = writeField(target, position + 12, topic);
  next = writeField(target, next, key);
  return writeField(target, next, value);
}

/** One frame in a buffer of its own. @throws as `writeNativeFrame` */
export function encodeNativeFrame(timestampMs: number, topic: Buffer, key: Buffer, value: Buffer): Buffer {
  const bytes = nativeFrameBytes(topic.length, key.length, value.length);
  checkMessage(topic.length, bytes - NATIVE_PREFIX_BYTES);
  const frame = Buffer.allocUnsafe(bytes);
  writeNativeFrame(frame, 0, timestampMs, topic, key, value);
  return frame;
}

function writeMilliseconds(target: Buffer, position: number, timestampMs: number): void {
  const highMs = Math.floor(timestampMs / HIGH);
  const lowNanoseconds = (timestampMs - highMs * HIGH) * NANOSECONDS_PER_MS;
  const carry = Math.floor(lowNanoseconds / HIGH);
  const high = highMs * NANOSECONDS_PER_MS + carry;
  if (!Number.isInteger(timestampMs) || high < -HIGH / 2 || high >= HIGH / 2) {
    throw new ObeliskError("INVALID_TIMESTAMP", {
      detail: `the timestamp ${timestampMs} ms does not fit 64 bits of nanoseconds`,
    });
  }
  target.writeUInt32LE(lowNanoseconds - carry * HIGH, position);
  target.writeInt32LE(high, position + 4);
}

function writeField(target: Buffer, position: number, field: Buffer): number {
  target.writeUInt32LE(field.length, position);
  field.copy(target, position + 4);
  return position + 4 + field.length;
}

function checkMessage(topicBytes: number, messageBytes: number): void {
  if (topicBytes > NATIVE_TOPIC_BYTES_MAX) {
    throw new ObeliskError("INVALID_TOPIC_EXCEPTION", { bytes: topicBytes, limit: NATIVE_TOPIC_BYTES_MAX });
  }
  if (messageBytes > NATIVE_MESSAGE_BYTES_MAX) {
    throw new ObeliskError("MESSAGE_TOO_LARGE", {
      detail: "the message is larger than the native protocol allows",
      bytes: messageBytes,
      limit: NATIVE_MESSAGE_BYTES_MAX,
    });
  }
}
