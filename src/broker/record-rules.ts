/**
 * What a topic's settings ask of records, beyond what every batch must be (protocol/record/admit.ts):
 *
 *   timestamps within message.timestamp.before.max.ms and after.max.ms of the clock, where producers set them
 *   a key for each record of a compacted topic
 *   compression.type: a batch that comes with another codec is compressed anew
 *
 * Records are only opened where a setting that is not Kafka's default asks for it, or where the header shows a fault. Of compressed
 * records the header's timestamps count: it is the largest for admit.ts. What would inflate to more than `INFLATED_BYTES_MAX` stays
 * closed, and is stored as it came: everybody waits while a batch is opened.
 */

import { type ErrorCode, ObeliskError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import {
  ATTRIBUTE_CODEC_MASK,
  BATCH_ATTRIBUTES,
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH,
  batchBytes,
  batchCodec,
  batchMaxTimestamp,
  computeBatchCrc,
  LOG_OVERHEAD,
} from "../protocol/record/batch.ts";
import { CODECS, type Codec, compress, decompress } from "../protocol/record/compression.ts";
import { RecordCursor } from "../protocol/record/records.ts";
import type { PartitionRules } from "./owned-partition.ts";
import type { RecordError, RecordFault } from "./partition.ts";

/** Of one batch: some 30 ms of the thread that serves everybody. */
export const INFLATED_BYTES_MAX = 8 * MiB;
/** Records that are named in a refusal. */
const RECORD_ERRORS_MAX = 1000;

export interface RulesFault {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly records: readonly RecordError[];
}

const cursor = new RecordCursor();

/** Why the topic does not take the batch at `position`, which was let in; null when it does. */
export function faultOfRules(
  buffer: Buffer,
  position: number,
  rules: PartitionRules,
  nowMs: number,
): RulesFault | null {
  if (rules.isCompacted) {
    const records = recordErrors(buffer, position, () => (cursor.keyStart === -1 ? NO_KEY : null));
    if (records.length > 0) return { code: "INVALID_RECORD", detail: NO_KEYS, records };
  }
  return rules.isLogAppendTime ? null : faultOfTimes(buffer, position, rules, nowMs);
}

/** Why the topic does not take a record; null when it does. As `faultOfRules`, before it is in a batch with others. */
export function faultOfRecord(
  hasKey: boolean,
  timestampMs: number,
  { isCompacted, isLogAppendTime, timestampBeforeMaxMs, timestampAfterMaxMs }: PartitionRules,
  nowMs: number,
): RecordFault | null {
  if (isCompacted && !hasKey) return { code: "INVALID_RECORD", detail: NO_KEY };
  if (isLogAppendTime) return null;
  const detail = faultOfTime(timestampMs, nowMs - timestampBeforeMaxMs, nowMs + timestampAfterMaxMs);
  return detail === null ? null : { code: "INVALID_TIMESTAMP", detail };
}

/** The batch at `position` as the topic's codec makes it; null when it is to be stored as it is. */
export function recompressed(buffer: Buffer, position: number, codec: Codec): Buffer | null {
  const from = CODECS[batchCodec(buffer, position)]!;
  if (from === codec) return null;
  const end = position + batchBytes(buffer, position);
  const source = buffer.subarray(position + BATCH_HEADER_BYTES, end);
  if (source.length > INFLATED_BYTES_MAX) return null;
  try {
    const records = compress(codec, decompress(from, source, INFLATED_BYTES_MAX));
    const batch = Buffer.concat([buffer.subarray(position, position + BATCH_HEADER_BYTES), records]);
    batch.writeInt32BE(batch.length - LOG_OVERHEAD, BATCH_LENGTH);
    const attributes = batch.readInt16BE(BATCH_ATTRIBUTES) & ~ATTRIBUTE_CODEC_MASK;
    batch.writeInt16BE(attributes | CODECS.indexOf(codec), BATCH_ATTRIBUTES);
    batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
    return batch;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return null; // garbage stays as it came, and so does what is too large
    throw thrown;
  }
}

const NO_KEYS = "records without a key cannot be in a compacted topic";
const NO_KEY = "a record of a compacted topic needs a key";

function faultOfTimes(
  buffer: Buffer,
  position: number,
  { timestampBeforeMaxMs, timestampAfterMaxMs }: PartitionRules,
  nowMs: number,
): RulesFault | null {
  const earliestMs = nowMs - timestampBeforeMaxMs;
  const latestMs = nowMs + timestampAfterMaxMs;
  if (batchMaxTimestamp(buffer, position) <= latestMs && earliestMs <= 0) return null;
  const records = recordErrors(buffer, position, () => faultOfTime(cursor.timestampMs, earliestMs, latestMs));
  if (records.length === 0) return null;
  const detail =
    "timestamps are too far from the broker's clock (message.timestamp.before.max.ms, after.max.ms)";
  return { code: "INVALID_TIMESTAMP", detail, records };
}

function faultOfTime(timestampMs: number, earliestMs: number, latestMs: number): string | null {
  if (timestampMs > latestMs) return `the timestamp ${timestampMs} is too far ahead of the broker's clock`;
  if (timestampMs < 0 || timestampMs >= earliestMs) return null;
  return `the timestamp ${timestampMs} is too far behind the broker's clock`;
}

/** What `faultOf` says of the records, one after the other under the cursor. None when they cannot be opened. */
function recordErrors(buffer: Buffer, position: number, faultOf: () => string | null): RecordError[] {
  const errors: RecordError[] = [];
  try {
    cursor.open(buffer, position, INFLATED_BYTES_MAX);
    for (let batchIndex = 0; cursor.next() && errors.length < RECORD_ERRORS_MAX; batchIndex += 1) {
      const batchIndexErrorMessage = faultOf();
      if (batchIndexErrorMessage !== null) errors.push({ batchIndex, batchIndexErrorMessage });
    }
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
  } finally {
    cursor.close();
  }
  return errors;
}
