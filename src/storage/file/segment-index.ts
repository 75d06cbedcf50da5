/**
 * Where in a segment an offset or a time lies. Two sparse indexes, in the formats of Kafka's index files, and as the same
 * bytes in memory:
 *
 *     offset index   8 bytes each   int32 relative offset, int32 position
 *     time index    12 bytes each   int64 timestamp, int32 relative offset
 *
 *   - An entry of the offset index names the last offset of the batch that starts at the position. One is written for
 *     the first batch after each `INDEX_INTERVAL_BYTES` of log.
 *   - An entry of the time index says: the largest timestamp so far, and the last offset of the first batch that has it. So
 *     timestamps rise strictly. One is written beside an offset entry, and one when the segment is sealed.
 *   - Both are hints: whoever follows an entry verifies the batch that it finds there.
 *
 * This is the index of an active segment, which grows in memory; a sealed one's is searched in its files (sealed-index.ts).
 */

import { readInt64, writeInt64 } from "../../base/bytes.ts";
import { KiB } from "../../base/units.ts";

export const INDEX_INTERVAL_BYTES = 4 * KiB;
export const OFFSET_ENTRY_BYTES = 8;
export const TIME_ENTRY_BYTES = 12;
const ENTRIES_AT_START = 8;
const NO_TIMESTAMP = -1;

/** The look-ups of a segment's index, in memory or on disk. Offsets are relative to the segment's base. */
export interface IndexLookup {
  /** The largest timestamp recorded, or -1. */
  readonly maxTimestamp: number;
  /** The last relative offset of the first batch that has the largest timestamp. */
  readonly maxTimestampOffset: number;
  /** The slot of the last entry that names a relative offset of at most this, or -1. */
  slotOf(relativeOffset: number): number;
  /** The last relative offset of the batch that the entry names. */
  offsetAt(slot: number): number;
  /** Where that batch starts. */
  positionAt(slot: number): number;
  /** A relative offset before which no batch reaches `timestamp`; the last one of a batch, or 0. */
  offsetBefore(timestamp: number): number;
}

export class SegmentIndex implements IndexLookup {
  #offsets: Buffer = Buffer.allocUnsafeSlow(ENTRIES_AT_START * OFFSET_ENTRY_BYTES);
  #offsetsBytes = 0;
  #times: Buffer = Buffer.allocUnsafeSlow(ENTRIES_AT_START * TIME_ENTRY_BYTES);
  #timesBytes = 0;
  #bytesSinceEntry = 0;
  #maxTimestamp = NO_TIMESTAMP;
  #maxTimestampOffset = 0;
  /** How many bytes of both the copies on disk have; -1 when that is unknown. */
  copiedBytes = -1;
  readonly #intervalBytes: number;

  private constructor(intervalBytes: number) {
    this.#intervalBytes = intervalBytes;
  }

  /** An empty index that can grow, with an entry for each `intervalBytes` of log. */
  static growing(intervalBytes = INDEX_INTERVAL_BYTES): SegmentIndex {
    return new SegmentIndex(intervalBytes);
  }

  /** The offset index as its file has it. Lent. */
  get offsets(): Buffer {
    return this.#offsets.subarray(0, this.#offsetsBytes);
  }

  /** The time index as its file has it, without the entry that sealing adds. Lent. */
  get times(): Buffer {
    return this.#times.subarray(0, this.#timesBytes);
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  get maxTimestampOffset(): number {
    return this.#maxTimestampOffset;
  }

  /** Records an appended batch by its last relative offset, place, size and largest timestamp. */
  record(relativeOffset: number, position: number, bytes: number, timestamp: number): void {
    if (timestamp > this.#maxTimestamp) {
      this.#maxTimestamp = timestamp;
      this.#maxTimestampOffset = relativeOffset;
    }
    if (this.#bytesSinceEntry > this.#intervalBytes) {
      this.#addOffset(relativeOffset, position);
      this.#addTime();
      this.#bytesSinceEntry = 0;
    }
    this.#bytesSinceEntry += bytes;
  }

  /** Adds the last time entry, so that the file alone holds the segment's largest timestamp. */
  seal(): void {
    this.#addTime();
  }

  /**
   * Loads an active segment's index from its copies: entries below `position`, which must have passed `faultOfIndex`.
   * The largest timestamp is given too, because the files hold it only up to their last entry.
   */
  restore(offsets: Buffer, times: Buffer, position: number, maxTimestamp: number, maxOffset: number): void {
    this.#bytesSinceEntry = position;
    let offsetLast = -1;
    for (
      let at = 0;
      at < offsets.length && offsets.readInt32BE(at + 4) < position;
      at += OFFSET_ENTRY_BYTES
    ) {
      offsetLast = offsets.readInt32BE(at);
      this.#addOffset(offsetLast, offsets.readInt32BE(at + 4));
      this.#bytesSinceEntry = position - offsets.readInt32BE(at + 4);
    }
    for (let at = 0; at < times.length && times.readInt32BE(at + 8) <= offsetLast; at += TIME_ENTRY_BYTES) {
      this.#maxTimestamp = readInt64(times, at);
      this.#maxTimestampOffset = times.readInt32BE(at + 8);
      this.#addTime();
    }
    this.#maxTimestamp = maxTimestamp;
    this.#maxTimestampOffset = maxOffset;
  }

  slotOf(relativeOffset: number): number {
    let low = 0;
    let high = this.#offsetsBytes / OFFSET_ENTRY_BYTES;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsetAt(middle) <= relativeOffset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  offsetAt(slot: number): number {
    return this.#offsets.readInt32BE(slot * OFFSET_ENTRY_BYTES);
  }

  positionAt(slot: number): number {
    return this.#offsets.readInt32BE(slot * OFFSET_ENTRY_BYTES + 4);
  }

  offsetBefore(timestamp: number): number {
    let low = 0;
    let high = this.#timesBytes / TIME_ENTRY_BYTES;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (readInt64(this.#times, middle * TIME_ENTRY_BYTES) < timestamp) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : this.#times.readInt32BE((low - 1) * TIME_ENTRY_BYTES + 8);
  }

  /**
   * The last entry of the time index before a relative offset: no batch up to it has a later timestamp than the entry, and none before its
   * own one as late. Offset 0 and -1 without one.
   */
  timeEntryBefore(relativeOffset: number): { relativeOffset: number; timestamp: number } {
    let low = 0;
    let high = this.#timesBytes / TIME_ENTRY_BYTES;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#times.readInt32BE(middle * TIME_ENTRY_BYTES + 8) < relativeOffset) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return { relativeOffset: 0, timestamp: NO_TIMESTAMP };
    const at = (low - 1) * TIME_ENTRY_BYTES;
    return { relativeOffset: this.#times.readInt32BE(at + 8), timestamp: readInt64(this.#times, at) };
  }

  #addOffset(relativeOffset: number, position: number): void {
    this.#offsets = withRoom(this.#offsets, this.#offsetsBytes, OFFSET_ENTRY_BYTES);
    this.#offsets.writeInt32BE(relativeOffset, this.#offsetsBytes);
    this.#offsets.writeInt32BE(position, this.#offsetsBytes + 4);
    this.#offsetsBytes += OFFSET_ENTRY_BYTES;
  }

  #addTime(): void {
    const isNewer =
      this.#timesBytes === 0
        ? this.#maxTimestamp > NO_TIMESTAMP
        : this.#maxTimestamp > readInt64(this.#times, this.#timesBytes - TIME_ENTRY_BYTES);
    if (!isNewer) return;
    this.#times = withRoom(this.#times, this.#timesBytes, TIME_ENTRY_BYTES);
    writeInt64(this.#times, this.#timesBytes, this.#maxTimestamp);
    this.#times.writeInt32BE(this.#maxTimestampOffset, this.#timesBytes + 8);
    this.#timesBytes += TIME_ENTRY_BYTES;
  }
}

/**
 * Why these bytes are no index of a segment with `logBytes` bytes, or null. Offsets, positions and timestamps must rise
 * and lie within the segment. O(entries).
 */
export function faultOfIndex(offsets: Buffer, times: Buffer, logBytes: number): string | null {
  if (offsets.length % OFFSET_ENTRY_BYTES !== 0) return `the offset index has ${offsets.length} bytes`;
  if (times.length % TIME_ENTRY_BYTES !== 0) return `the time index has ${times.length} bytes`;
  let offsetLast = -1;
  let positionLast = 0;
  for (let at = 0; at < offsets.length; at += OFFSET_ENTRY_BYTES) {
    const offset = offsets.readInt32BE(at);
    const position = offsets.readInt32BE(at + 4);
    if (offset <= offsetLast || position <= positionLast || position >= logBytes) {
      return `entry ${at / OFFSET_ENTRY_BYTES} of the offset index does not follow the one before it`;
    }
    offsetLast = offset;
    positionLast = position;
  }
  return faultOfTimes(times);
}

function faultOfTimes(times: Buffer): string | null {
  let highLast = -1;
  let lowLast = 0;
  let offsetLast = -1;
  for (let at = 0; at < times.length; at += TIME_ENTRY_BYTES) {
    const high = times.readInt32BE(at);
    const low = times.readUInt32BE(at + 4);
    const offset = times.readInt32BE(at + 8);
    const isRising = high > highLast || (high === highLast && low > lowLast);
    if (!isRising || high < 0 || high > 0x1f_ffff || offset < 0 || offset <= offsetLast) {
      return `entry ${at / TIME_ENTRY_BYTES} of the time index does not follow the one before it`;
    }
    highLast = high;
    lowLast = low;
    offsetLast = offset;
  }
  return null;
}

function withRoom(buffer: Buffer, used: number, needed: number): Buffer {
  if (used + needed <= buffer.length) return buffer;
  const larger = Buffer.allocUnsafeSlow(buffer.length * 2);
  buffer.copy(larger, 0, 0, used);
  return larger;
}
