/**
 * What the native protocol asks of the broker, and nothing more: `Broker` implements it as it is. `Place` is the broker's partition, which
 * the protocol only passes on.
 */

import type { PendingBatch } from "../../broker/batcher.ts";

export interface MessageTopic<Place> {
  readonly name: string;
  readonly partitions: readonly Place[];
  /** Where messages without a key go next. */
  nextPartition(): Place;
}

export interface MessageBroker<Place> {
  readonly counters: { messagesReceived: number; messagesFailed: number };
  readonly topics: {
    get(name: string): MessageTopic<Place> | undefined;
    /** @throws ObeliskError when there is no such topic and it may not be created */
    ensure(name: string): Promise<MessageTopic<Place>>;
  };
  readonly batcher: {
    /** Copies the record into the partition's open batch. @throws ObeliskError when it cannot be stored */
    append(
      partition: Place,
      timestampMs: number,
      key: Buffer | null,
      keyStart: number,
      keyEnd: number,
      value: Buffer | null,
      valueStart: number,
      valueEnd: number,
    ): PendingBatch;
  };
}
