/** Record batches for tests, built with the project's own builder. */

import { readWhole } from "../../src/base/byte-source.ts";
import { BatchBuilder, type FinishOptions } from "../../src/protocol/record/builder.ts";
import { readRecords } from "../../src/protocol/record/records.ts";
import type { RecordSpan } from "../../src/storage/contract.ts";

const BYTES_MAX = 64 * 1024 * 1024;

/** A batch with one record for each value (null keys), its timestamps counting up from `timestampMs`. */
export function batchOf(values: readonly string[], options: FinishOptions = {}, timestampMs = 1000): Buffer {
  const builder = new BatchBuilder(BYTES_MAX);
  for (const [index, text] of values.entries()) {
    const value = Buffer.from(text);
    builder.append(timestampMs + index, null, 0, 0, value, 0, value.length);
  }
  return builder.finish(options);
}

/** The bytes of a span of a log or a partition. */
export async function bytesOf(requested: RecordSpan | Promise<RecordSpan>): Promise<Buffer> {
  return await readWhole(await requested);
}

/** Offset and value of every record in a run of batches. */
export function recordsIn(batches: Buffer): [number, string | null][] {
  const records: [number, string | null][] = [];
  for (let position = 0; position < batches.length; ) {
    const end = position + 12 + batches.readInt32BE(position + 8);
    for (const record of readRecords(batches.subarray(position, end))) {
      records.push([record.offset, record.value?.toString() ?? null]);
    }
    position = end;
  }
  return records;
}
