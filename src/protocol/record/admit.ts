/**
 * Lets a producer's batch in: the checks of validate.ts, then its records, then the two things in its header that are made
 * right in place (the CRC is computed anew when either is touched):
 *
 *   max timestamp      becomes the largest timestamp of the records, as with Kafka. Several clients leave -1, 0 or the first
 *                      record's, and searches by time, which go by the header, would then pass by what the batch holds.
 *   log append time    a client's word that it is the server: taken back. Only the topic's setting counts.
 *
 * Records that are not compressed are walked (record-walk.ts), so all of this holds exactly. Compressed ones stay
 * closed: the header is believed as long as it can be right. A count that cannot be there is refused (record-room.ts). The max
 * timestamp cannot be right when it lies before the base timestamp, or is 0 or -1, which is how an unset field looks; then
 * the records are inflated, up to `ADMIT_INFLATED_BYTES_MAX` in one turn, and checked as well. Beyond that, or without the
 * codec, the largest timestamp stays unknown, and the time of arrival stands for it: searches then look into the batch for whatever
 * happened before it came.
 */

import { readInt64 } from "../../base/bytes.ts";
import { ObeliskError } from "../../base/errors.ts";
import { MiB } from "../../base/units.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAX_TIMESTAMP,
  batchBaseTimestamp,
  batchBytes,
  batchCodec,
  batchRecordCount,
  isLogAppendTime,
  isMaxTimestampCredible,
  NO_TIMESTAMP,
  setMaxTimestamp,
} from "./batch.ts";
import { faultOfCount, inflatedBytesMax } from "./record-room.ts";
import { RecordWalk } from "./record-walk.ts";
import { RecordCursor } from "./records.ts";
import { type BatchFault, isTimestamp, type ValidateOptions, validateBatch } from "./validate.ts";

/**
 * What headers that cannot be right may cost in one turn of the loop: 1.2 million of the smallest records, some 30 ms of the one thread
 * that serves everybody. A request may bring thousands of such batches.
 */
export const ADMIT_INFLATED_BYTES_MAX = 8 * MiB;

/** A max timestamp that no batch has. */
const NONSENSE = -2;

/** In this turn, at the most. */
let inflatedBytes = 0;

const walk = new RecordWalk();
const cursor = new RecordCursor();

/**
 * Checks the one batch that `buffer[position, end)` holds, of which `batchBytes` are the batch's, and corrects its header. Null:
 * it may be appended. A batch that is refused may have been changed.
 */
export function admitBatch(
  buffer: Buffer,
  position: number,
  end: number,
  options: ValidateOptions,
  nowMs: number,
): BatchFault | null {
  const fault = validateBatch(buffer, position, end, options);
  if (fault !== null) return fault;
  if (batchCodec(buffer, position) === 0) return admitPlain(buffer, position, options);
  const detail = faultOfCount(buffer, position);
  if (detail !== null) return { code: "INVALID_RECORD", detail };
  return options.isLogAppendTime ? null : admitCompressed(buffer, position, nowMs);
}

function admitPlain(buffer: Buffer, position: number, options: ValidateOptions): BatchFault | null {
  const end = position + batchBytes(buffer, position);
  const count = batchRecordCount(buffer, position);
  const detail = walk.faultOf(buffer, position + BATCH_HEADER_BYTES, end, count);
  if (detail !== null) return { code: "INVALID_RECORD", detail };
  return options.isLogAppendTime ? null : complete(buffer, position);
}

function admitCompressed(buffer: Buffer, position: number, nowMs: number): BatchFault | null {
  const maxTimestampMs = claimedMax(buffer, position);
  if (maxTimestampMs !== NONSENSE && isMaxTimestampCredible(buffer, position)) {
    if (isLogAppendTime(buffer, position)) setMaxTimestamp(buffer, position, maxTimestampMs);
    return null;
  }
  const leftBytes = ADMIT_INFLATED_BYTES_MAX - inflatedBytes;
  if (leftBytes > 0) return admitOpened(buffer, position, nowMs, leftBytes);
  return stampArrival(buffer, position, nowMs);
}

/** Inflates up to `leftBytes`. */
function admitOpened(buffer: Buffer, position: number, nowMs: number, leftBytes: number): BatchFault | null {
  try {
    cursor.open(buffer, position, leftBytes);
    spend(cursor.buffer.length);
    const count = batchRecordCount(buffer, position);
    const detail = walk.faultOf(cursor.buffer, 0, cursor.buffer.length, count);
    return detail === null ? complete(buffer, position) : { code: "INVALID_RECORD", detail };
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    spend(Math.min(inflatedBytesMax(buffer, position), leftBytes));
    if (thrown.code === "GARBLED_RECORDS") return { code: "INVALID_RECORD", detail: thrown.message };
    return stampArrival(buffer, position, nowMs);
  } finally {
    cursor.close();
  }
}

function spend(bytes: number): void {
  if (inflatedBytes === 0) {
    setImmediate(() => {
      inflatedBytes = 0;
    });
  }
  inflatedBytes += bytes;
}

/** The largest timestamp stays unknown. */
function stampArrival(buffer: Buffer, position: number, nowMs: number): null {
  setMaxTimestamp(buffer, position, Math.max(batchBaseTimestamp(buffer, position), nowMs));
  return null;
}

/** Writes what the walk has found, if the header says something else. */
function complete(buffer: Buffer, position: number): BatchFault | null {
  const largestMs = batchBaseTimestamp(buffer, position) + walk.maxTimestampDelta;
  if (!Number.isSafeInteger(largestMs)) {
    return { code: "INVALID_TIMESTAMP", detail: "the timestamp of a record is out of range" };
  }
  const maxTimestampMs = Math.max(largestMs, NO_TIMESTAMP);
  if (claimedMax(buffer, position) !== maxTimestampMs || isLogAppendTime(buffer, position))
    setMaxTimestamp(buffer, position, maxTimestampMs);
  return null;
}

function claimedMax(buffer: Buffer, position: number): number {
  const at = position + BATCH_MAX_TIMESTAMP;
  return isTimestamp(buffer, at) ? readInt64(buffer, at) : NONSENSE;
}
