/**
 * Batches of one partition that are written and not committed, in the order of their offsets, each with those who are told its outcome:
 * once, when the high watermark has come so far, or that it never will.
 */

import { fail } from "../base/assert.ts";
import { ERRORS, type ErrorCode, NO_ERROR, wireCode } from "../base/errors.ts";
import { Ring } from "../base/ring.ts";
import type { AppendListener, AppendOutcome } from "./partition.ts";
import type { ProducedBatch, Producers } from "./producers.ts";

/** One such batch, which becomes its own outcome. */
export class PendingAppend implements AppendOutcome {
  errorCode = NO_ERROR;
  errorMessage: string | null = null;
  baseOffset: number;
  logAppendTimeMs: number;
  /** What its producer is remembered by; null when it has none. */
  batch: ProducedBatch<PendingAppend> | null = null;
  readonly endOffset: number;
  readonly #listener: AppendListener;
  /** Who sent the same batch again meanwhile. */
  #joined: AppendListener[] | null = null;

  constructor(baseOffset: number, endOffset: number, logAppendTimeMs: number, listener: AppendListener) {
    this.baseOffset = baseOffset;
    this.endOffset = endOffset;
    this.logAppendTimeMs = logAppendTimeMs;
    this.#listener = listener;
  }

  join(listener: AppendListener): void {
    this.#joined ??= [];
    this.#joined.push(listener);
  }

  refuse(error: ErrorCode): void {
    this.errorCode = wireCode(error);
    this.errorMessage = `${ERRORS[error].sentence}; the records were not committed`;
    this.baseOffset = -1;
    this.logAppendTimeMs = -1;
  }

  tell(): void {
    this.#listener.appended(this);
    if (this.#joined !== null) for (const listener of this.#joined) listener.appended(this);
  }
}

export class PendingAppends {
  readonly #appends = new Ring<PendingAppend>();
  readonly #producers: Producers<PendingAppend>;

  constructor(producers: Producers<PendingAppend>) {
    this.#producers = producers;
  }

  add(append: PendingAppend): void {
    const last = this.#appends.last();
    if (last !== undefined && !(append.baseOffset >= last.endOffset))
      fail("a batch is to be committed before the one that was written before it");
    this.#appends.push(append);
  }

  /** Everything below `highWatermark` is committed. */
  committed(highWatermark: number): void {
    for (let append = this.#appends.peek(); append !== undefined; append = this.#appends.peek()) {
      if (append.endOffset > highWatermark) return;
      this.#appends.shift();
      append.batch?.committed(append.baseOffset);
      append.tell();
    }
  }

  /** Nothing of it will ever be committed, so neither will what its producers have sent after it. */
  failed(error: ErrorCode): void {
    for (let append = this.#appends.shift(); append !== undefined; append = this.#appends.shift()) {
      if (append.batch !== null) this.#producers.failed(append.batch);
      append.refuse(error);
      append.tell();
    }
  }
}
