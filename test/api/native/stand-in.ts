/** A broker for the native protocol whose batches complete when the test says so, and which remembers what it was given. */

import type { MessageBroker, MessageTopic } from "../../../src/api/native/message-broker.ts";
import { ObeliskError } from "../../../src/base/errors.ts";
import type { PendingBatch, PendingBatchListener } from "../../../src/broker/batcher.ts";

export class StandInBatch implements PendingBatch {
  isCompleted = false;
  isDurable = false;
  readonly count = 1;
  readonly baseOffset = -1;
  readonly logAppendTimeMs = -1;
  readonly error = null;
  readonly listeners: PendingBatchListener[] = [];

  listen(listener: PendingBatchListener): void {
    if (this.isCompleted) listener.batchCompleted();
    else this.listeners.push(listener);
  }

  complete(isDurable = true): void {
    this.isDurable = isDurable;
    this.isCompleted = true;
    for (const listener of this.listeners) listener.batchCompleted();
  }
}

/** "topic-2" is partition 2 of "topic". */
export type Place = string;

export class StandInBroker implements MessageBroker<Place> {
  /** "PARTITION TIMESTAMP KEY VALUE", in the order of arrival. */
  readonly messages: string[] = [];
  /** The open batch of each partition. */
  readonly open = new Map<Place, StandInBatch>();
  readonly known = new Map<string, MessageTopic<Place>>();
  /** Names of `ensure` that wait. */
  readonly creating = new Map<string, (error: Error | null) => void>();
  failure: Error | null = null;
  readonly counters = { messagesReceived: 0, messagesFailed: 0 };
  readonly topics: MessageBroker<Place>["topics"] = {
    get: (name) => this.known.get(name),
    ensure: (name) =>
      new Promise((resolve, reject) => {
        this.creating.set(name, (error) => {
          this.creating.delete(name);
          if (error === null) resolve(this.add(name));
          else reject(error);
        });
      }),
  };
  readonly batcher: MessageBroker<Place>["batcher"] = {
    append: (partition, timestampMs, key, keyStart, keyEnd, value, valueStart, valueEnd) => {
      if (this.failure !== null) throw this.failure;
      const keyText = key === null ? "-" : key.toString("utf8", keyStart, keyEnd);
      const valueText = value === null ? "-" : value.toString("utf8", valueStart, valueEnd);
      this.messages.push(
        `${partition} ${timestampMs} ${keyText} ${valueText.length > 40 ? valueText.length : valueText}`,
      );
      const batch = this.open.get(partition) ?? new StandInBatch();
      this.open.set(partition, batch);
      return batch;
    },
  };

  constructor(...names: string[]) {
    for (const name of names) this.add(name);
  }

  add(name: string, partitions = 1): MessageTopic<Place> {
    const places = Array.from({ length: partitions }, (_, index) => `${name}-${index}`);
    let next = -1;
    const topic = { name, partitions: places, nextPartition: () => places[(next += 1) % partitions]! };
    this.known.set(name, topic);
    return topic;
  }

  /** Ends the partition's open batch. */
  complete(place: Place, isDurable = true): void {
    const batch = this.open.get(place);
    if (batch === undefined) throw new Error(`${place} has no open batch`);
    this.open.delete(place);
    batch.complete(isDurable);
  }
}

export const REFUSED = new ObeliskError("DISK_FULL");
