/**
 * Single messages, as the native protocol takes them: the broker gathers them into batches of its own, and what it will have built of
 * them is built here too, so that the oracle knows it again.
 */

import { ObeliskError } from "../../src/base/errors.ts";
import type { PendingBatch } from "../../src/broker/batcher.ts";
import type { Partition } from "../../src/broker/partition.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import type { Life } from "./life.ts";
import type { PartitionOracle, SentBatch } from "./partition-oracle.ts";

const BATCH_BYTES_MAX = 64 * 1024;

/** The messages of a batch that is open, and what it would be if it were closed now. */
interface Gathering {
  readonly messages: { timestampMs: number; value: Buffer }[];
  sent: SentBatch | null;
}

export class Messages {
  readonly #open = new Map<PendingBatch, Gathering>();
  #count = 0;

  send(life: Life, partition: Partition, oracle: PartitionOracle): void {
    const timestampMs = life.clock.nowMs();
    this.#count += 1;
    const value = Buffer.from(`${oracle.name}/message/${this.#count}/${"m".repeat(life.random() * 400)}`);
    let batch: PendingBatch;
    try {
      batch = life.broker!.batcher.append(partition, timestampMs, null, 0, 0, value, 0, value.length);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      life.judge.record(`message ${this.#count} to ${oracle.name}: ${thrown.code}`);
      return;
    }
    life.judge.record(`message ${this.#count} to ${oracle.name}`);
    this.#gather(life, batch, oracle, { timestampMs, value });
  }

  #gather(
    life: Life,
    batch: PendingBatch,
    oracle: PartitionOracle,
    message: Gathering["messages"][number],
  ): void {
    const known = this.#open.get(batch);
    const gathering = known ?? { messages: [], sent: null };
    gathering.messages.push(message);
    gathering.sent = built(gathering.messages);
    oracle.sent(gathering.sent);
    if (known !== undefined) return;
    this.#open.set(batch, gathering);
    const waiter = `the outcome of messages of ${oracle.name} (${this.#count})`;
    life.waiters.add(waiter);
    batch.listen({
      batchCompleted: () => {
        this.#open.delete(batch);
        if (life.isOver) return;
        life.waiters.delete(waiter);
        const { sent, messages } = gathering;
        life.judge.record(`${batch.error ?? "acknowledged"}: ${messages.length} messages of ${oracle.name}`);
        if (batch.isDurable) oracle.acknowledged(sent!, batch.baseOffset);
      },
    });
  }
}

function built(messages: Gathering["messages"]): SentBatch {
  const builder = new BatchBuilder(BATCH_BYTES_MAX);
  for (const { timestampMs, value } of messages)
    builder.append(timestampMs, null, 0, 0, value, 0, value.length);
  const timestampMs = Math.max(...messages.map((message) => message.timestampMs));
  return { bytes: Buffer.from(builder.finish()), timestampMs, isIdempotent: false, owedAt: -1 };
}
