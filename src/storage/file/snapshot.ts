/**
 * `producers.snapshot`: a partition's state beside its log, and the place in the log up to which it holds.
 *
 *   at  type     field
 *    0  4 bytes  "OBPS"
 *    4  uint16   version, 2
 *    6  uint16   reserved, 0
 *    8  uint32   whole length of the file
 *   12  int64    start offset of the partition
 *   20  int64    checkpoint: offset (-1: there is none, and the next four fields are 0)
 *   28  int64    checkpoint: base offset of its segment
 *   36  uint32   checkpoint: position in that segment's log
 *   40  int64    largest timestamp of that segment up to there, or -1
 *   48  int32    relative offset of it
 *   52  int64    when the active segment took its first batch, ms; -1: it has none
 *   60  int64    times: base offset of the first segment whose time index holds the timestamps of records
 *   68  uint32   count of leader epochs, then for each: int32 epoch, int64 start offset
 *       uint32   count of holes, then for each: int64 segment base offset, uint32 position, uint32 bytes
 *       uint32   length of the owner's state, then the state
 *       uint32   CRC-32C of everything before it
 *
 * Version 1 has no "times": all time indexes hold the timestamps of batch headers, which clients were free to set wrong.
 *
 * It is replaced whole, and only when the log is synced up to the checkpoint, so it is never ahead of the log. Losing it
 * costs time, not data: the log is read from its start instead.
 */

import { readInt64, writeInt64 } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { ObeliskError } from "../../base/errors.ts";
import type { LeaderEpochStart } from "../leader-epochs.ts";

export const SNAPSHOT_FILE = "producers.snapshot";

/** Bytes of a segment that are no valid batch, known and skipped. */
export interface Hole {
  position: number;
  bytes: number;
}

export interface StoredHole extends Hole {
  segment: number;
}

export interface Checkpoint {
  offset: number;
  segment: number;
  position: number;
  maxTimestamp: number;
  maxTimestampOffset: number;
  state: Buffer;
}

export interface Snapshot {
  startOffset: number;
  checkpoint: Checkpoint | null;
  /** Of the segment that was active then; -1 when it was empty. */
  firstAtMs: number;
  /** Segments before it have time indexes with the timestamps of headers. */
  timesFrom: number;
  epochs: readonly LeaderEpochStart[];
  holes: readonly StoredHole[];
}

const SNAPSHOT_MAGIC = 0x4f425053;
const SNAPSHOT_VERSION = 2;
const HEAD_BYTES = 68;
/** Version 1, which is read and never written. */
const OLD_VERSION = 1;
const OLD_HEAD_BYTES = 60;
const EPOCH_BYTES = 12;
const HOLE_BYTES = 16;
const COUNT_BYTES = 4;
const CRC_BYTES = 4;
const TAIL_BYTES_MIN = 3 * COUNT_BYTES + CRC_BYTES;
const BYTES_MIN = HEAD_BYTES + TAIL_BYTES_MIN;

export function encodeSnapshot(snapshot: Snapshot): Buffer {
  const { checkpoint, epochs, holes } = snapshot;
  const state = checkpoint?.state ?? Buffer.alloc(0);
  const bytes = BYTES_MIN + epochs.length * EPOCH_BYTES + holes.length * HOLE_BYTES + state.length;
  const target = Buffer.alloc(bytes);
  target.writeUInt32BE(SNAPSHOT_MAGIC, 0);
  target.writeUInt16BE(SNAPSHOT_VERSION, 4);
  target.writeUInt32BE(bytes, 8);
  writeInt64(target, 12, snapshot.startOffset);
  writeInt64(target, 20, checkpoint?.offset ?? -1);
  writeInt64(target, 28, checkpoint?.segment ?? 0);
  target.writeUInt32BE(checkpoint?.position ?? 0, 36);
  writeInt64(target, 40, checkpoint?.maxTimestamp ?? 0);
  target.writeInt32BE(checkpoint?.maxTimestampOffset ?? 0, 48);
  writeInt64(target, 52, snapshot.firstAtMs);
  writeInt64(target, 60, snapshot.timesFrom);
  let at = target.writeUInt32BE(epochs.length, HEAD_BYTES);
  for (const { epoch, startOffset } of epochs) {
    target.writeInt32BE(epoch, at);
    writeInt64(target, at + 4, startOffset);
    at += EPOCH_BYTES;
  }
  at = target.writeUInt32BE(holes.length, at);
  for (const hole of holes) {
    writeInt64(target, at, hole.segment);
    target.writeUInt32BE(hole.position, at + 8);
    target.writeUInt32BE(hole.bytes, at + 12);
    at += HOLE_BYTES;
  }
  at = target.writeUInt32BE(state.length, at);
  state.copy(target, at);
  target.writeUInt32BE(crc32c(target, 0, bytes - CRC_BYTES), bytes - CRC_BYTES);
  return target;
}

/** @throws ObeliskError DAMAGED_DATA with what is wrong as its detail */
export function decodeSnapshot(source: Buffer): Snapshot {
  checkFrame(source);
  const isOld = source.readUInt16BE(4) === OLD_VERSION;
  const headBytes = isOld ? OLD_HEAD_BYTES : HEAD_BYTES;
  const epochCount = checkCount(source, headBytes, EPOCH_BYTES);
  const epochsEnd = headBytes + COUNT_BYTES + epochCount * EPOCH_BYTES;
  const holeCount = checkCount(source, epochsEnd, HOLE_BYTES);
  const holesEnd = epochsEnd + COUNT_BYTES + holeCount * HOLE_BYTES;
  const stateBytes = checkCount(source, holesEnd, 1);
  const stateStart = holesEnd + COUNT_BYTES;
  if (stateStart + stateBytes + CRC_BYTES !== source.length) throw damaged("its parts do not fill it");
  return {
    startOffset: readInt64(source, 12),
    checkpoint: decodeCheckpoint(source, source.subarray(stateStart, stateStart + stateBytes)),
    firstAtMs: readInt64(source, 52),
    timesFrom: isOld ? Number.MAX_SAFE_INTEGER : readInt64(source, 60),
    epochs: Array.from({ length: epochCount }, (_, index) => {
      const at = headBytes + COUNT_BYTES + index * EPOCH_BYTES;
      return { epoch: source.readInt32BE(at), startOffset: readInt64(source, at + 4) };
    }),
    holes: Array.from({ length: holeCount }, (_, index) => {
      const at = epochsEnd + COUNT_BYTES + index * HOLE_BYTES;
      return {
        segment: readInt64(source, at),
        position: source.readUInt32BE(at + 8),
        bytes: source.readUInt32BE(at + 12),
      };
    }),
  };
}

function checkFrame(source: Buffer): void {
  if (source.length < OLD_HEAD_BYTES + TAIL_BYTES_MIN) throw damaged(`it has only ${source.length} bytes`);
  if (source.readUInt32BE(0) !== SNAPSHOT_MAGIC) throw damaged("it does not begin with OBPS");
  const version = source.readUInt16BE(4);
  if (version !== SNAPSHOT_VERSION && version !== OLD_VERSION)
    throw damaged(`its version ${version} is unknown`);
  if (source.readUInt32BE(8) !== source.length) throw damaged("length mismatch");
  if (source.readUInt32BE(source.length - CRC_BYTES) !== crc32c(source, 0, source.length - CRC_BYTES)) {
    throw damaged("CRC mismatch");
  }
  if (source.readUInt16BE(6) !== 0) throw damaged("its reserved bytes are not zero");
}

/** The count at `position`, if that many items of `itemBytes` can follow it. */
function checkCount(source: Buffer, position: number, itemBytes: number): number {
  const room = source.length - CRC_BYTES - position - COUNT_BYTES;
  const count = room < 0 ? 0 : source.readUInt32BE(position);
  if (room < 0 || count * itemBytes > room) throw damaged("a count in it is too large");
  return count;
}

function decodeCheckpoint(source: Buffer, state: Buffer): Checkpoint | null {
  const offset = readInt64(source, 20);
  if (offset < 0) return null;
  return {
    offset,
    segment: readInt64(source, 28),
    position: source.readUInt32BE(36),
    maxTimestamp: readInt64(source, 40),
    maxTimestampOffset: source.readInt32BE(48),
    state: Buffer.from(state),
  };
}

function damaged(detail: string): ObeliskError {
  return new ObeliskError("DAMAGED_DATA", { detail });
}
