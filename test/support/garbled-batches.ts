/** Batches whose CRC matches and whose records do not open, as a faulty or hostile producer sends them; and how to send them. */

import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import {
  BATCH_CRC,
  BATCH_HEADER_BYTES,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_RECORD_COUNT,
  computeBatchCrc,
} from "../../src/protocol/record/batch.ts";
import { batchOf } from "./batches.ts";
import { WireClient } from "./kafka-wire.ts";

/** A gzip batch that holds two records and says that it holds one. */
export function understatedBatch(): Buffer {
  const batch = batchOf(["first of two", "second of two"], { codec: "gzip" });
  batch.writeInt32BE(0, BATCH_LAST_OFFSET_DELTA);
  batch.writeInt32BE(1, BATCH_RECORD_COUNT);
  return sealed(batch);
}

/** A gzip batch of `count` records whose compressed bytes are none. */
export function undecodableBatch(count: number): Buffer {
  const batch = batchOf(
    Array.from({ length: count }, (_, index) => `${index}`),
    { codec: "gzip" },
  );
  batch.fill(0xff, BATCH_HEADER_BYTES);
  return sealed(batch);
}

/** Sends one batch to partition 0 of a topic; the base offset it got. Throws when it was refused. */
export async function sendBatch(port: number, topic: string, records: Buffer): Promise<number> {
  const client = await WireClient.connect(port);
  try {
    const partitionData = [{ index: 0, records }];
    const response = await client.ask(produceApi, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: topic, partitionData }],
    });
    const { errorCode, baseOffset } = response.responses[0]!.partitionResponses[0]!;
    if (errorCode !== 0) throw new Error(`the batch was refused with ${errorCode}`);
    return baseOffset;
  } finally {
    client.close();
  }
}

function sealed(batch: Buffer): Buffer {
  batch.writeUInt32BE(computeBatchCrc(batch, 0, batch.length), BATCH_CRC);
  return batch;
}
