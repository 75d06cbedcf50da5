/** Small batches for the tests of this folder. */
import { BATCH_CRC, computeBatchCrc } from "../../../src/protocol/record/batch.ts";
import { BatchBuilder, type FinishOptions } from "../../../src/protocol/record/builder.ts";

export const START_MS = 1_700_000_000_000;

/** A batch of `count` records with key, value, one header and timestamps a millisecond apart. */
export function buildBatch(count: number, options: FinishOptions = {}): Buffer {
  const builder = new BatchBuilder(1_000_000);
  for (let index = 0; index < count; index += 1) {
    const key = Buffer.from(`key-${index}`);
    const value = Buffer.from(`value ${index} of some length, of some length`);
    const headers = [{ key: "h", value: Buffer.from([index & 0xff]) }];
    builder.append(START_MS + index, key, 0, key.length, value, 0, value.length, headers);
  }
  return builder.finish(options);
}

/** The batch with a true CRC after a test has changed it; returns it. */
export function resealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  return batch;
}
