/** One message into its partition's open batch, which it shares with whoever else writes (broker/batcher.ts). */

import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Partition } from "../../broker/partition.ts";
import type { Topic } from "../../broker/topic.ts";
import type { MessageReader } from "../../protocol/record/message-json.ts";
import { partitionFor, storeError } from "./message-batches.ts";

/** Where a message is, once it is committed. */
export interface StoredPlace {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
}

/**
 * Stores the message that the reader stands on; it is copied before this returns, so that the reader may go on. Resolves when it is
 * committed. @throws ObeliskError when it is refused, or could not be stored
 */
export async function storeOne(
  broker: Broker,
  clock: Clock,
  topic: Topic,
  reader: MessageReader,
): Promise<StoredPlace> {
  const { batcher, counters } = broker;
  const partition = partitionFor(topic, reader, topic.nextPartition());
  const timestampMs = reader.timestampMs >= 0 ? reader.timestampMs : clock.nowMs();
  const { keyBuffer, keyStart, keyEnd, valueBuffer, valueStart, valueEnd, headers } = reader;
  try {
    checkRecord(partition, keyBuffer !== null, timestampMs);
  } catch (thrown) {
    counters.messagesReceived += 1;
    counters.messagesFailed += 1;
    throw thrown;
  }
  const batch = batcher.append(
    partition,
    timestampMs,
    keyBuffer,
    keyStart,
    keyEnd,
    valueBuffer,
    valueStart,
    valueEnd,
    headers,
  );
  const index = batch.count - 1;
  if (!batch.isCompleted) await new Promise<void>((resolve) => batch.listen({ batchCompleted: resolve }));
  if (batch.error !== null) throw storeError(partition, batch.error, null, false);
  const timestamp = batch.logAppendTimeMs >= 0 ? batch.logAppendTimeMs : timestampMs;
  return { partition: partition.index, offset: batch.baseOffset + index, timestamp };
}

/** @throws ObeliskError what the topic refuses */
function checkRecord(partition: Partition, hasKey: boolean, timestampMs: number): void {
  partition.checkWritable();
  const fault = partition.faultOfRecord(hasKey, timestampMs);
  if (fault === null) return;
  const { code, detail } = fault;
  throw new ObeliskError(code, { detail, topic: partition.topic, partition: partition.index });
}
