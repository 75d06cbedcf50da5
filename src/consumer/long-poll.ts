/**
 * The long poll. A fetch asks several partitions at once and is answered when one of these holds:
 *
 *   an error, no partition, or no time to wait    at once, with what there is
 *   at least `minBytes` (all partitions together)  at once, or as soon as a high watermark moves far enough
 *   `maxWaitMs` are over                           with what there is, maybe nothing
 *
 *     looking ---> reading ---> done      reading waits for the disk
 *        |         ^     |
 *        v         |     v  (fewer than minBytes)
 *        '-------> waiting
 *
 * - What is read is measured and checked, and held by nobody: the response is read again as it is sent (base/byte-source.ts). So a
 *   response takes no memory, and nobody waits for it.
 * - All that lies in the ring of recent batches is answered in the same turn, without a promise.
 * - The response holds at most `maxBytes`, each partition at most its own share, but the first partition that has
 *   anything gives at least one batch (KIP-74), so that no consumer is ever stuck at a large batch.
 * - Reading starts after the partition that was served first last time, so that a busy one cannot starve others.
 * - A waiting fetch counts what comes, and reads it once when there is enough. A partition that moves costs a
 *   look at that partition, however many the fetch asks for.
 * - Several partitions that move in one turn wake a fetch once: it reads in a microtask.
 *
 * Its limits are the host's (fetch.ts), and the wait itself (`WAIT_MS_MAX`).
 */

import { fail } from "../base/assert.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { NO_ERROR } from "../base/errors.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import { MINUTE_MS } from "../base/units.ts";
import type { RecordSpan } from "../storage/contract.ts";
import type { FetchSlot, SlotListener } from "./fetch-slot.ts";

/** No client asks for more; it only bounds how long an abandoned fetch stays. */
export const WAIT_MS_MAX = 5 * MINUTE_MS;
/** What a client is asked to wait when too many fetches are open. */
export const THROTTLE_MS = 500;

/** What all fetches share; `Fetches` (fetch.ts) is it. */
export interface FetchHost {
  readonly clock: Clock;
  /** Records in one response, whatever the client allows. */
  readonly responseBytesMax: number;
  /** A fetch starts to wait: false when too many do. */
  enter(fetch: Fetch): boolean;
  /** A fetch waits no longer. */
  leave(fetch: Fetch): void;
  /** A fetch has its records, and is about to tell. */
  fetchDone(fetch: Fetch): void;
}

export interface FetchOptions {
  readonly minBytes: number;
  readonly maxWaitMs: number;
  readonly maxBytes: number;
}

/** Where the next fetch of the same client starts to read. One for each connection. */
export class FetchRotation {
  nextIndex = 0;
}

export interface FetchListener {
  /** The slots are filled. `failure` is our own fault, else null. */
  fetchDone(fetch: Fetch, failure: unknown): void;
}

const LOOKING = 0;
const READING = 1;
const WAITING = 2;
const DONE = 3;

export class Fetch implements SlotListener {
  readonly slots: readonly FetchSlot[];
  readonly #host: FetchHost;
  readonly #rotation: FetchRotation;
  readonly #listener: FetchListener;
  readonly #minBytes: number;
  readonly #maxBytes: number;
  readonly #maxWaitMs: number;
  /** How long the client is asked to wait before its next fetch. */
  throttleTimeMs = 0;
  /** How long it has waited for records, as the client asked. */
  waitedMs = 0;
  #waitingSinceMs = 0;
  #state = LOOKING;
  #timer: Timer | null = null;
  #isExpired: boolean;
  #isWakeQueued = false;
  #isListening = false;
  /** What all slots together have counted while the fetch waits. */
  #countedBytes = 0;

  constructor(
    host: FetchHost,
    slots: readonly FetchSlot[],
    options: FetchOptions,
    rotation: FetchRotation,
    listener: FetchListener,
  ) {
    this.#host = host;
    this.slots = slots;
    this.#rotation = rotation;
    this.#listener = listener;
    this.#maxBytes = Math.min(Math.max(options.maxBytes, 0), host.responseBytesMax);
    this.#minBytes = Math.min(options.minBytes, this.#maxBytes);
    this.#maxWaitMs = Math.min(options.maxWaitMs, WAIT_MS_MAX);
    this.#isExpired = this.#maxWaitMs <= 0 || options.minBytes <= 0;
  }

  get isWaiting(): boolean {
    return this.#state === WAITING;
  }

  get isDone(): boolean {
    return this.#state >= DONE;
  }

  /** Called once, by the host. */
  start(): void {
    if (this.#state !== LOOKING) fail("a fetch was started twice");
    if (this.#look() || this.#mayNotWait()) this.#read();
    else this.#wait();
  }

  slotMoved(slot: FetchSlot): void {
    if (this.#state !== WAITING) return;
    if (slot.partition!.isUnavailable) slot.leave();
    else if (this.#isWakeQueued || (this.#minBytes > 1 && !this.#isEnough(slot))) return;
    if (!this.#isWakeQueued) this.#queueRead();
  }

  /** The time is over: responds with what there is. */
  expire(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isExpired = true;
    if (this.#state === WAITING) this.#read();
  }

  /** Ends the fetch without a response: its connection is gone. */
  cancel(): void {
    this.#stopWaiting();
    this.#state = DONE;
  }

  /** Examines every slot; returns whether any has something that may be read now. */
  #look(): boolean {
    let hasRecords = false;
    for (const slot of this.slots) if (slot.examine()) hasRecords = true;
    return hasRecords;
  }

  #mayNotWait(): boolean {
    if (this.#isExpired || this.slots.length === 0) return true;
    for (const slot of this.slots) if (slot.errorCode !== NO_ERROR) return true;
    return false;
  }

  /** Reads all slots, from the one after that which was served first last time. */
  #read(): void {
    if (this.#state === WAITING) this.waitedMs += this.#host.clock.monotonicMs() - this.#waitingSinceMs;
    this.#look();
    this.#state = READING;
    try {
      const first = this.slots.length === 0 ? 0 : this.#rotation.nextIndex % this.slots.length;
      this.#readFrom(first, 0, 0);
    } catch (thrown) {
      this.#finish(thrown);
    }
  }

  /** Reads slots `first + done ...`, `bytes` being what those before gave. Goes on in a promise where the disk is needed. */
  #readFrom(first: number, done: number, bytes: number): void {
    const count = this.slots.length;
    let total = bytes;
    for (let step = done; step < count; step += 1) {
      const index = (first + step) % count;
      const slot = this.slots[index]!;
      const records = this.#readSlot(slot, total);
      if (records instanceof Promise) {
        void this.#readLater(records, first, step, total);
        return;
      }
      if (total === 0 && records.length > 0) this.#rotation.nextIndex = index + 1;
      total += records.length;
    }
    this.#finishOrWait(total);
  }

  /** What the slot adds after `total` bytes. Sets the slot's records or its error. */
  #readSlot(slot: FetchSlot, total: number): RecordSpan | Promise<RecordSpan> {
    if (slot.partition === null || slot.errorCode !== NO_ERROR) return slot.records;
    const bytesMax = Math.min(slot.bytesMax, this.#maxBytes - total);
    slot.seenHighWatermark = slot.partition.highWatermark;
    const hasRoom = bytesMax > 0 || total === 0;
    const isWanted = slot.isOutside || (slot.offset < slot.partition.highWatermark && hasRoom);
    try {
      const records = isWanted ? slot.partition.span(slot.offset, bytesMax, total === 0) : slot.records;
      if (!(records instanceof Promise)) slot.keep(records);
      return records;
    } catch (thrown) {
      slot.refuse(thrown);
      return slot.records;
    }
  }

  async #readLater(records: Promise<RecordSpan>, first: number, step: number, total: number): Promise<void> {
    const index = (first + step) % this.slots.length;
    const slot = this.slots[index]!;
    try {
      try {
        slot.keep(await records);
      } catch (thrown) {
        slot.refuse(thrown);
      }
      if (this.#state !== READING) return;
      if (total === 0 && slot.records.length > 0) this.#rotation.nextIndex = index + 1;
      this.#readFrom(first, step + 1, total + slot.records.length);
    } catch (thrown) {
      this.#finish(thrown);
    }
  }

  #finishOrWait(bytes: number): void {
    if (bytes < this.#minBytes && !this.#mayNotWait()) {
      this.#countedBytes = 0;
      for (const slot of this.slots) {
        slot.drop();
        this.#countedBytes += slot.countedBytes;
      }
      this.#wait();
      this.#lookAgain();
      return;
    }
    this.#finish(null);
  }

  #finish(failure: unknown): void {
    if (this.#state >= DONE) return;
    this.#stopWaiting();
    this.#state = DONE;
    if (failure === null) for (const slot of this.slots) slot.countRead();
    this.#host.fetchDone(this);
    this.#listener.fetchDone(this, failure);
  }

  #wait(): void {
    if (!this.#isListening && !this.#host.enter(this)) {
      this.throttleTimeMs = Math.min(THROTTLE_MS, this.#maxWaitMs);
      for (const slot of this.slots) slot.keep(slot.records);
      this.#finish(null);
      return;
    }
    this.#state = WAITING;
    this.#waitingSinceMs = this.#host.clock.monotonicMs();
    this.#timer ??= this.#host.clock.after(this.#maxWaitMs, () => {
      loopTurns.enter("Fetch");
      this.expire();
    });
    if (this.#isListening) return;
    this.#isListening = true;
    for (const slot of this.slots) slot.listen(this);
  }

  /** Something may have moved while the disk was read. */
  #lookAgain(): void {
    if (this.#state !== WAITING) return;
    for (const slot of this.slots) {
      const { partition } = slot;
      if (partition === null) continue;
      if (partition.refusal !== null || partition.highWatermark !== slot.seenHighWatermark)
        this.slotMoved(slot);
    }
  }

  /** Counts what the slot has gained; true when all together have enough, or when it must be read in earnest. */
  #isEnough(slot: FetchSlot): boolean {
    const before = slot.countedBytes;
    if (!this.#canCount(slot)) return true;
    this.#countedBytes += slot.countedBytes - before;
    return this.#countedBytes >= this.#minBytes;
  }

  #canCount(slot: FetchSlot): boolean {
    try {
      return slot.count();
    } catch (thrown) {
      slot.refuse(thrown);
      return false;
    }
  }

  #queueRead(): void {
    this.#isWakeQueued = true;
    queueMicrotask(() => {
      this.#isWakeQueued = false;
      if (this.#state === WAITING) this.#read();
    });
  }

  #stopWaiting(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#host.leave(this);
    for (const slot of this.slots) slot.stopListening();
  }
}
