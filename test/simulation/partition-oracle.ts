/**
 * What one partition owes the world, judged from outside: by what it acknowledged to producers and showed to readers.
 *
 *   owed    acknowledged, or read by somebody: at its offset, with its bytes, for ever
 *   sent    everything that was ever sent there; nothing else may be read
 *
 *   - When a batch becomes owed, a power cut in this moment must leave it.
 *   - Two owed batches never share an offset, and a batch of an idempotent producer is owed at one place only.
 *   - The high watermark never falls, not even over a restart: what lies below it was shown to readers.
 *
 * Where batches are synced later than they are acknowledged, a power cut takes what the disk does not hold yet from what is owed, and
 * the high watermark may fall with it. A partition whose topic is removed owes nothing more.
 */

import {
  BATCH_MAGIC,
  batchBaseOffset,
  batchBytes,
  batchCrc,
  batchLastOffset,
  batchLastOffsetDelta,
  batchLeaderEpoch,
  batchRecordCount,
} from "../../src/protocol/record/batch.ts";
import type { Judge } from "./judge.ts";

/** A batch as its producer has it. Base offset and leader epoch are the broker's to fill in. */
export interface SentBatch {
  readonly bytes: Buffer;
  readonly timestampMs: number;
  /** A retry of it must not be stored a second time. */
  readonly isIdempotent: boolean;
  /** Where it is owed; -1 when it is not. */
  owedAt: number;
}

interface Owed {
  readonly baseOffset: number;
  readonly endOffset: number;
  readonly batch: SentBatch;
}

export class PartitionOracle {
  readonly name: string;
  readonly #judge: Judge;
  readonly #isDurable: (bytes: Buffer) => boolean;
  /** By CRC, which covers everything that its producer wrote after it. */
  readonly #sent = new Map<number, SentBatch>();
  /** By base offset, ascending. */
  #owed: Owed[] = [];
  readonly #isSyncedLater: boolean;
  highWatermark = 0;
  /** Of the batches that were read. */
  #epochMax = 0;

  /** `isDurable`: whether the disk keeps bytes of this partition over a power cut. */
  constructor(name: string, judge: Judge, isDurable: (bytes: Buffer) => boolean, isSyncedLater: boolean) {
    this.#isSyncedLater = isSyncedLater;
    this.name = name;
    this.#judge = judge;
    this.#isDurable = isDurable;
  }

  sent(batch: SentBatch): void {
    this.#sent.set(batchCrc(batch.bytes, 0), batch);
  }

  acknowledged(batch: SentBatch, baseOffset: number): void {
    this.#owe(batch, baseOffset, baseOffset + batchLastOffsetDelta(batch.bytes, 0) + 1, "acknowledged");
  }

  /** The high watermark and the leader epoch as the partition has them now. */
  observe(highWatermark: number, leaderEpoch: number): void {
    if (highWatermark < this.highWatermark)
      this.#broken(`the high watermark fell from ${this.highWatermark} to ${highWatermark}`);
    if (leaderEpoch < this.#epochMax)
      this.#broken(`the leader epoch is ${leaderEpoch}, and batches of epoch ${this.#epochMax} were read`);
    this.highWatermark = highWatermark;
  }

  /** The power is about to go: what the disk does not hold is not owed any more. */
  powerCut(): void {
    if (!this.#isSyncedLater) return;
    for (const { batch } of this.#owed)
      if (!this.#isDurable(batch.bytes.subarray(BATCH_MAGIC))) batch.owedAt = -1;
    this.#owed = this.#owed.filter(({ batch }) => batch.owedAt !== -1);
    this.highWatermark = this.#owed.at(-1)?.endOffset ?? 0;
    this.#epochMax = 0;
  }

  /** A response to a read from `offset`, with the high watermark when it came; returns the offset after it. */
  readResponse(response: Buffer, offset: number, highWatermark: number): number {
    let next = offset;
    for (let at = 0; at < response.length; at += batchBytes(response, at)) {
      const baseOffset = batchBaseOffset(response, at);
      const endOffset = batchLastOffset(response, at) + 1;
      if (endOffset > highWatermark)
        this.#broken(`offset ${endOffset - 1} was read at a high watermark of ${highWatermark}`);
      if (endOffset <= next) this.#broken(`a read from ${next} gave the batch at ${baseOffset}`);
      if (baseOffset > next) this.#checkNothingOwed(next, baseOffset);
      if (batchRecordCount(response, at) === 0) this.#checkNothingOwed(baseOffset, endOffset);
      else this.#readBatch(response, at, baseOffset, endOffset);
      next = endOffset;
    }
    return next;
  }

  /** Nothing came after `offset` although `highWatermark` lies there: what is between was lost before anybody knew of it. */
  readNothing(offset: number, highWatermark: number): void {
    if (offset < highWatermark) this.#checkNothingOwed(offset, highWatermark);
  }

  /** A reader has come from the start to `offset`: nothing that is owed lies after it. */
  readUpTo(offset: number): void {
    const last = this.#owed.at(-1);
    if (last !== undefined && last.endOffset > offset)
      this.#broken(`the acknowledged batch at ${last.baseOffset} is gone: the log ends at ${offset}`);
  }

  refusedRead(offset: number, code: string): void {
    if (code === "OFFSET_OUT_OF_RANGE" && offset <= this.highWatermark)
      this.#broken(`offset ${offset} is out of range, with a high watermark of ${this.highWatermark}`);
  }

  /** What a search found for the first record at or after `timestampMs`, made when the high watermark was `limit`. */
  foundByTime(
    timestampMs: number,
    limit: number,
    found: { offset: number; timestampMs: number } | null,
  ): void {
    if (found !== null && found.timestampMs < timestampMs)
      this.#broken(`a search for ${timestampMs} found offset ${found.offset} of ${found.timestampMs}`);
    const before = found?.offset ?? Number.POSITIVE_INFINITY;
    const missed = this.#owed.find(
      ({ batch, endOffset }) => batch.timestampMs >= timestampMs && endOffset <= Math.min(limit, before),
    );
    if (missed !== undefined)
      this.#broken(
        `a search for ${timestampMs} (up to ${limit}) found ${found?.offset ?? "nothing"} and missed offset ${missed.baseOffset} of ${missed.batch.timestampMs}`,
      );
  }

  #readBatch(response: Buffer, at: number, baseOffset: number, endOffset: number): void {
    const batch = this.#sent.get(batchCrc(response, at));
    if (batch === undefined || !isSame(batch.bytes, response, at))
      this.#broken(`offset ${baseOffset} holds bytes that nobody sent`);
    else {
      this.#epochMax = Math.max(this.#epochMax, batchLeaderEpoch(response, at));
      this.#owe(batch, baseOffset, endOffset, "read");
    }
  }

  #owe(batch: SentBatch, baseOffset: number, endOffset: number, how: string): void {
    const slot = this.#slotOf(baseOffset);
    const same = this.#owed[slot];
    if (same?.baseOffset === baseOffset && same.batch === batch) return;
    const before = this.#owed[slot - 1];
    const isTaken =
      (same !== undefined && same.baseOffset < endOffset) ||
      (before !== undefined && before.endOffset > baseOffset);
    if (isTaken)
      this.#broken(`offset ${baseOffset} was ${how}, and another batch was acknowledged or read there`);
    else if (batch.owedAt !== -1 && batch.isIdempotent)
      this.#broken(`the batch at ${batch.owedAt} of an idempotent producer was ${how} at ${baseOffset} too`);
    else if (!this.#isSyncedLater && !this.#isDurable(batch.bytes.subarray(BATCH_MAGIC)))
      this.#broken(`the batch at ${baseOffset} was ${how}, and the disk does not hold it`);
    else {
      this.#owed.splice(slot, 0, { baseOffset, endOffset, batch });
      batch.owedAt = baseOffset;
    }
  }

  #checkNothingOwed(start: number, end: number): void {
    const slot = this.#slotOf(start);
    for (const owed of [this.#owed[slot - 1], this.#owed[slot]]) {
      if (owed !== undefined && owed.baseOffset < end && owed.endOffset > start)
        this.#broken(
          `the acknowledged batch at ${owed.baseOffset} is gone: reads skip ${start} to ${end - 1}`,
        );
    }
  }

  /** The first owed batch that does not begin before `offset`. */
  #slotOf(offset: number): number {
    let low = 0;
    let high = this.#owed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#owed[middle]!.baseOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #broken(what: string): void {
    this.#judge.broken(`${this.name}: ${what}`);
  }
}

/** All but what the broker fills in: base offset and leader epoch. */
function isSame(sent: Buffer, response: Buffer, at: number): boolean {
  const end = at + sent.length;
  return (
    batchBytes(response, at) === sent.length &&
    response.compare(sent, BATCH_MAGIC, sent.length, at + BATCH_MAGIC, end) === 0
  );
}
