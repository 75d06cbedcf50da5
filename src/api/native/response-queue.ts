/**
 * What one connection is still owed: a queue of runs, in the order of its messages. A run is a number of messages that get
 * the same response at the same time, because they lie in the same batch (or were refused alike).
 *
 *     front                                                    back
 *     [batch 7: 64 messages][refused: 1][batch 7: 3][batch 8: 40]
 *
 * Three parallel circles hold batch, response and count of each run: no object for a message, none for a run. A run with a
 * batch gets its response when the batch completes; one without has it from the start.
 *
 * It only listens to the batch at the front: what is after it cannot be answered earlier anyway.
 */

import type { PendingBatch, PendingBatchListener } from "../../broker/batcher.ts";
import { NativeStatus } from "../../protocol/native/responses.ts";

const CAPACITY_MIN = 16;

/** Takes the responses in order: `count` times the same. */
export interface ResponseWriter {
  writeResponses(response: NativeStatus, count: number): void;
}

export class ResponseQueue {
  /** Messages not yet answered. */
  count = 0;
  #batches: (PendingBatch | null)[] = new Array(CAPACITY_MIN).fill(null);
  #responses = new Uint8Array(CAPACITY_MIN);
  #counts = new Uint32Array(CAPACITY_MIN);
  #front = 0;
  #runs = 0;
  #listenedTo: PendingBatch | null = null;

  /** One more message that is answered when `batch` completes. */
  pushPending(batch: PendingBatch): void {
    this.#push(batch, NativeStatus.OK);
  }

  /** One more message, whose response is known. */
  pushCompleted(response: NativeStatus): void {
    this.#push(null, response);
  }

  /** Gives out every response at the front that is known, then listens to the batch that comes next. Returns how many messages. */
  drain(writer: ResponseWriter, listener: PendingBatchListener): number {
    const countBefore = this.count;
    while (this.#runs > 0) {
      const batch = this.#batches[this.#front]!;
      if (batch !== null && !batch.isCompleted) {
        this.#listen(batch, listener);
        break;
      }
      const hasFailed = batch !== null && !batch.isDurable;
      const response = hasFailed
        ? NativeStatus.PUBLISH_FAILED
        : (this.#responses[this.#front] as NativeStatus);
      writer.writeResponses(response, this.#shift());
    }
    return countBefore - this.count;
  }

  clear(): void {
    this.#batches.fill(null);
    this.#runs = 0;
    this.count = 0;
    this.#listenedTo = null;
  }

  #listen(batch: PendingBatch, listener: PendingBatchListener): void {
    if (this.#listenedTo === batch) return;
    this.#listenedTo = batch;
    batch.listen(listener);
  }

  #push(batch: PendingBatch | null, response: NativeStatus): void {
    this.count += 1;
    if (this.#runs > 0) {
      const last = (this.#front + this.#runs - 1) & (this.#counts.length - 1);
      if (this.#batches[last] === batch && this.#responses[last] === response) {
        this.#counts[last]! += 1;
        return;
      }
      if (this.#runs === this.#counts.length) this.#grow();
    }
    const next = (this.#front + this.#runs) & (this.#counts.length - 1);
    this.#batches[next] = batch;
    this.#responses[next] = response;
    this.#counts[next] = 1;
    this.#runs += 1;
  }

  #shift(): number {
    const count = this.#counts[this.#front]!;
    this.#batches[this.#front] = null;
    this.#front = (this.#front + 1) & (this.#counts.length - 1);
    this.#runs -= 1;
    this.count -= count;
    return count;
  }

  #grow(): void {
    const capacity = this.#counts.length;
    const batches: (PendingBatch | null)[] = new Array(capacity * 2).fill(null);
    const responses = new Uint8Array(capacity * 2);
    const counts = new Uint32Array(capacity * 2);
    for (let index = 0; index < this.#runs; index += 1) {
      const from = (this.#front + index) & (capacity - 1);
      batches[index] = this.#batches[from]!;
      responses[index] = this.#responses[from]!;
      counts[index] = this.#counts[from]!;
    }
    this.#batches = batches;
    this.#responses = responses;
    this.#counts = counts;
    this.#front = 0;
  }
}
