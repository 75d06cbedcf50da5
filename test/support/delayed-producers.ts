/**
 * The sequencer's own check of idempotent producers, by a plain list of what each has stored: not the code that it is compared with.
 */

import type { ActiveProducer } from "../../src/broker/partition.ts";
import {
  batchBaseSequence,
  batchLastOffsetDelta,
  batchProducerEpoch,
  batchProducerId,
} from "../../src/protocol/record/batch.ts";

interface StoredSequence {
  epoch: number;
  first: number;
  last: number;
  baseOffset: number;
}

/** As many as a client may have in flight. */
const SEQUENCES_KEPT = 5;

export class DelayedProducers {
  readonly #stored = new Map<number, StoredSequence[]>();

  get idMax(): number {
    return Math.max(-1, ...this.#stored.keys());
  }

  list(): ActiveProducer[] {
    return [...this.#stored].map(([producerId, sequences]) => {
      const { epoch, last } = sequences.at(-1)!;
      return { producerId, epoch, lastSequence: last, lastAtMs: -1 };
    });
  }

  /** -1: new; else the base offset that a duplicate got, or why it is refused. */
  check(batch: Buffer): number | "OUT_OF_ORDER_SEQUENCE_NUMBER" | "INVALID_PRODUCER_EPOCH" {
    const stored = this.#stored.get(batchProducerId(batch, 0));
    const newest = stored?.at(-1);
    if (newest === undefined) return -1;
    const { epoch, first, last } = sequenceOf(batch);
    if (epoch < newest.epoch) return "INVALID_PRODUCER_EPOCH";
    if (epoch > newest.epoch) return first === 0 ? -1 : "OUT_OF_ORDER_SEQUENCE_NUMBER";
    const same = stored!.find((each) => each.epoch === epoch && each.first === first && each.last === last);
    if (same !== undefined) return same.baseOffset;
    return first === (newest.last + 1) % 2 ** 31 ? -1 : "OUT_OF_ORDER_SEQUENCE_NUMBER";
  }

  record(batch: Buffer, baseOffset: number): void {
    const producerId = batchProducerId(batch, 0);
    if (producerId < 0) return;
    const sequence = { ...sequenceOf(batch), baseOffset };
    const stored = (this.#stored.get(producerId) ?? []).filter(({ epoch }) => epoch === sequence.epoch);
    this.#stored.set(producerId, [...stored, sequence].slice(-SEQUENCES_KEPT));
  }
}

function sequenceOf(batch: Buffer): { epoch: number; first: number; last: number } {
  const first = batchBaseSequence(batch, 0);
  const last = (first + batchLastOffsetDelta(batch, 0)) % 2 ** 31;
  return { epoch: batchProducerEpoch(batch, 0), first, last };
}
