/**
 * Reads the files of the Go Obelisk. Little-endian, no checksum anywhere, never written by us.
 *
 *   topics/TOPIC.log   frames, end to end      uint32 length of what follows (1 .. 10 MiB), then the message:
 *                                              int64 timestamp (ns), uint32 + topic, uint32 + key, uint32 + value
 *   topics/TOPIC.idx   int64 positions         entry n is where message n starts in the log
 *   consumers/NAME.json                        {"TOPIC": next message number}
 *
 * A frame is good when it lies whole in the file, its three lengths use it up exactly, and it carries the topic that the
 * file is named after. That is strong enough to find the next good frame after damage: first by the index, then by looking for
 * the topic's bytes. A flipped bit inside a key or a value cannot be noticed.
 *
 * Message numbers are the index's where it has the position, else one more than the last. Memory is bounded by the
 * largest frame; a file may grow while it is read.
 */

import type { Files } from "../../../base/files.ts";
import { MiB } from "../../../base/units.ts";
import type { Finding, FindingKind } from "../../contract.ts";
import { FileWindow } from "./file-window.ts";
import { GoIndex } from "./go-index.ts";

/** The Go Obelisk refused larger messages. */
export const GO_MESSAGE_BYTES_MAX = 10 * MiB;
const LENGTH_BYTES = 4;
const TOPIC_POSITION = LENGTH_BYTES + 8;
/** Timestamp and three lengths. */
const MESSAGE_BYTES_MIN = 20;
/** A saved offsets file is a few lines; a larger one is something else. */
const CONSUMER_FILE_BYTES_MAX = 4 * MiB;
const NANOSECONDS_PER_MILLISECOND = 1_000_000n;

export interface GoFrame {
  /** The message's number as the Go Obelisk counted, which is what its consumers saved. */
  number: number;
  /** Where the frame starts in the log, and how long it is with its length field. */
  position: number;
  bytes: number;
  /** Rounded down; 0 for times before 1970. */
  timestampMs: number;
  /** `buffer[keyStart, keyEnd)`: lent until the next frame is read. */
  buffer: Buffer;
  keyStart: number;
  keyEnd: number;
  valueStart: number;
  valueEnd: number;
}

export type GoLogItem = { frame: GoFrame; finding: null } | { frame: null; finding: Finding };

/**
 * Every good frame of a log in order, and every damage at its place. `file` names the log in findings; `topic` is what
 * its frames must carry.
 * @throws the system's errors
 */
export function* scanGoLog(files: Files, path: string, file: string, topic: string): Generator<GoLogItem> {
  const indexPath = indexNameOf(path);
  const indexFile = indexNameOf(file);
  const log = new FileWindow(files, path);
  const index = files.exists(indexPath) ? new GoIndex(files, indexPath, indexFile) : null;
  try {
    if (index === null) yield found(indexFile, 0, 0, "missing-index", "the log has no index");
    yield* scan(log, index, file, Buffer.from(topic));
  } finally {
    log.close();
    index?.close();
  }
}

/** The index beside a log, also when both have been imported and renamed. */
function indexNameOf(log: string): string {
  return log.replace(/\.log(?=(\.imported(-\d+)?)?$)/, ".idx");
}

export type GoOffsets = { offsets: Map<string, number> } | { fault: string };

/** The saved offsets of one consumer: topic -> number of the next message. */
export function readGoOffsets(files: Files, path: string): GoOffsets {
  if (files.fileSize(path) > CONSUMER_FILE_BYTES_MAX) return { fault: "it is too large for saved offsets" };
  let value: unknown;
  try {
    value = JSON.parse(files.readFile(path).toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return { fault: `it is not JSON: ${error.message}` };
    throw error;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { fault: "it is not a JSON object" };
  const offsets = new Map<string, number>();
  for (const [topic, offset] of Object.entries(value)) {
    if (!Number.isSafeInteger(offset) || offset < 0)
      return { fault: `the offset of ${JSON.stringify(topic)} is not a number` };
    offsets.set(topic, offset);
  }
  return { offsets };
}

function* scan(log: FileWindow, index: GoIndex | null, file: string, topic: Buffer): Generator<GoLogItem> {
  const frame = emptyFrame();
  let position = 0;
  let count = 0;
  while (position < log.size) {
    if (decodeFrame(log, position, topic, frame)) {
      const stray = index?.place(position) ?? null;
      if (stray !== null) yield { frame: null, finding: stray };
      frame.number = index?.number ?? count;
      yield { frame, finding: null };
      position += frame.bytes;
    } else {
      const next = findFrame(log, position, index, topic, frame);
      const kind = next === -1 ? "torn-tail" : "damaged-frame";
      const end = next === -1 ? log.size : next;
      yield found(file, position, end - position, kind, describeFrame(log, position));
      index?.skip(position, next === -1 ? Number.MAX_SAFE_INTEGER : end);
      position = end;
    }
    count += 1;
  }
  for (const finding of index?.finish() ?? []) yield { frame: null, finding };
}

function emptyFrame(): GoFrame {
  return {
    number: 0,
    position: 0,
    bytes: 0,
    timestampMs: 0,
    buffer: Buffer.alloc(0),
    keyStart: 0,
    keyEnd: 0,
    valueStart: 0,
    valueEnd: 0,
  };
}

/** Fills `frame` from the log at `position`; false when no good frame lies there. */
function decodeFrame(log: FileWindow, position: number, topic: Buffer, frame: GoFrame): boolean {
  if (position + LENGTH_BYTES + MESSAGE_BYTES_MIN + topic.length > log.size) return false;
  let at = log.load(position, TOPIC_POSITION);
  const length = log.buffer.readUInt32LE(at);
  if (length < MESSAGE_BYTES_MIN || length > GO_MESSAGE_BYTES_MAX) return false;
  const bytes = LENGTH_BYTES + length;
  if (position + bytes > log.size) return false;
  at = log.load(position, bytes);
  const buffer = log.buffer;
  const end = at + bytes;
  const topicEnd = fieldEnd(buffer, at + TOPIC_POSITION, end);
  if (topicEnd === -1 || topic.compare(buffer, at + TOPIC_POSITION + LENGTH_BYTES, topicEnd) !== 0)
    return false;
  const keyEnd = fieldEnd(buffer, topicEnd, end);
  if (keyEnd === -1) return false;
  const valueEnd = fieldEnd(buffer, keyEnd, end);
  if (valueEnd !== end) return false;
  frame.position = position;
  frame.bytes = bytes;
  frame.timestampMs = milliseconds(buffer, at + LENGTH_BYTES);
  frame.buffer = buffer;
  frame.keyStart = topicEnd + LENGTH_BYTES;
  frame.keyEnd = keyEnd;
  frame.valueStart = keyEnd + LENGTH_BYTES;
  frame.valueEnd = valueEnd;
  return true;
}

/** Where the length-prefixed field at `position` ends; -1 when it does not fit before `end`. */
function fieldEnd(buffer: Buffer, position: number, end: number): number {
  if (position + LENGTH_BYTES > end) return -1;
  const fieldEnds = position + LENGTH_BYTES + buffer.readUInt32LE(position);
  return fieldEnds <= end ? fieldEnds : -1;
}

function milliseconds(buffer: Buffer, position: number): number {
  return Math.max(0, Number(buffer.readBigInt64LE(position) / NANOSECONDS_PER_MILLISECOND));
}

/**
 * The first good frame after the damage at `position`: at a place that the index names, else wherever the topic's bytes
 * stand as in a frame; -1 when there is none.
 */
function findFrame(
  log: FileWindow,
  position: number,
  index: GoIndex | null,
  topic: Buffer,
  frame: GoFrame,
): number {
  const indexed = index?.find(position, (candidate) => decodeFrame(log, candidate, topic, frame)) ?? -1;
  if (indexed !== -1) return indexed;
  const pattern = Buffer.alloc(LENGTH_BYTES + topic.length);
  pattern.writeUInt32LE(topic.length);
  topic.copy(pattern, LENGTH_BYTES);
  let from = position + 1 + TOPIC_POSITION;
  for (;;) {
    const place = log.search(pattern, from);
    if (place === -1) return -1;
    if (decodeFrame(log, place - TOPIC_POSITION, topic, frame)) return place - TOPIC_POSITION;
    from = place + 1;
  }
}

function describeFrame(log: FileWindow, position: number): string {
  const rest = log.size - position;
  if (rest < LENGTH_BYTES) return `${rest} bytes cannot hold a frame's length`;
  const length = log.buffer.readUInt32LE(log.load(position, LENGTH_BYTES));
  if (length === 0 || length > GO_MESSAGE_BYTES_MAX) return `a frame cannot have a length of ${length}`;
  if (length + LENGTH_BYTES > rest)
    return `the frame needs ${length + LENGTH_BYTES} bytes; ${rest} are there`;
  return "the frame's body does not decode";
}

function found(file: string, position: number, bytes: number, kind: FindingKind, detail: string): GoLogItem {
  return { frame: null, finding: { file, position, bytes, kind, detail } };
}
