/**
 * What one partition remembers of its idempotent producers, so that a retried batch is stored once.
 *
 * For each producer id: its epoch, its last five committed batches (base sequence, last sequence, base offset), because a
 * client may have five requests in flight, and those that are in flight here: accepted, and not committed yet. Sequences count records and
 * wrap from 2^31-1 to 0.
 *
 *   unknown producer                        accepted, whatever its epoch and sequence: it may have been evicted
 *   only batches that could not be stored   the first of them is accepted, what follows it is OUT_OF_ORDER_SEQUENCE_NUMBER
 *   same epoch, batch among those           duplicate: of a committed one answered with the offset it got, of one in flight with its outcome
 *   same epoch, follows the last            accepted
 *   same epoch, anything else               OUT_OF_ORDER_SEQUENCE_NUMBER
 *   older epoch                             INVALID_PRODUCER_EPOCH
 *   newer epoch                             accepted when it starts at 0, else OUT_OF_ORDER_SEQUENCE_NUMBER
 *
 *     check -> accept -> ProducedBatch.committed        the offset is known then, or as soon as it is assigned
 *                     -> failed                         it is not stored: neither is what follows it
 *           -> refused                                  it was not even taken
 *
 *   - `check` decides and changes nothing.
 *   - When a batch fails, those of its producer that were accepted after it cannot be stored: `failed` gives them, to be refused with
 *     OUT_OF_ORDER_SEQUENCE_NUMBER, which a client takes for a reason to send again what comes first. The next sequence is then the one
 *     after the last batch that is left; after the first batch of an epoch it is the epoch before that counts again.
 *   - A batch whose outcome nobody knows stays in flight until somebody does, whatever its client was told: sent again, it gets the
 *     outcome then.
 *
 * The whole is stored with each checkpoint of the log (`encode`, `restore`) and replayed from the batches after it. Bounded: beyond
 * `PRODUCERS_MAX` the one that was silent longest is evicted, and any that was silent for `expirationMs`; not while a batch of it is in
 * flight. Ids that the server did not assign (those derived from keys of requests, which come once each) are bounded by themselves, so
 * that they evict nobody else.
 *
 * `idMax` outlives those that are evicted: a producer that was silent for long may still go on, so its id must not be assigned
 * again when the row that counts them is lost (producer-ids.ts).
 */

import { fail } from "../base/assert.ts";
import { readInt64 } from "../base/bytes.ts";
import type { ErrorCode } from "../base/errors.ts";
import {
  BATCH_BASE_SEQUENCE,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
} from "../protocol/record/batch.ts";
import type { RecoveryListener } from "../storage/contract.ts";
import type { ActiveProducer } from "./partition.ts";
import { PRODUCER_ID_MAX } from "./producer-id-range.ts";
import {
  BATCHES_KEPT,
  decodeProducers,
  encodeProducers,
  type StoredBatch,
  type StoredProducer,
} from "./producer-state.ts";

/** Producers remembered by one partition, and as many whose ids were not assigned: 10,000 of them are about 2 MB. */
export const PRODUCERS_MAX = 10_000;

export const ACCEPTED = -1;
export const OUT_OF_ORDER = -2;
export const OLD_EPOCH = -3;
/** `duplicate` is the batch that it repeats. */
export const DUPLICATE = -4;

/** What a producer is told of a verdict that refuses its batch. */
export function refusalOf(verdict: number): ErrorCode {
  if (verdict === OUT_OF_ORDER) return "OUT_OF_ORDER_SEQUENCE_NUMBER";
  if (verdict === OLD_EPOCH) return "INVALID_PRODUCER_EPOCH";
  return fail("the verdict refuses nothing");
}

const NO_ID = -1;

interface ProducerEntry<Append> {
  readonly producerId: number;
  readonly epoch: number;
  /** By the steady clock (base/clock.ts), like every time here. */
  lastAtMs: number;
  /** Oldest first: committed ones, then those in flight. */
  batches: ProducedBatch<Append>[];
  /** Where to begin while there are none: the sequence of a batch that could not be stored, and comes again. -1: anywhere. */
  awaitedSequence: number;
  /** Of the epoch before, until a batch of this one is committed. */
  before: ProducerEntry<Append> | null;
}

/** A batch of an idempotent producer. `Append` is what its partition knows of one in flight. */
export class ProducedBatch<Append> implements StoredBatch {
  readonly entry: ProducerEntry<Append>;
  readonly baseSequence: number;
  readonly lastSequence: number;
  /** -1 until it is assigned. */
  baseOffset = -1;
  /** null: it is committed. */
  append: Append | null;

  constructor(
    entry: ProducerEntry<Append>,
    baseSequence: number,
    lastSequence: number,
    append: Append | null,
  ) {
    this.entry = entry;
    this.baseSequence = baseSequence;
    this.lastSequence = lastSequence;
    this.append = append;
  }

  committed(baseOffset: number): void {
    if (!(baseOffset >= 0)) fail("a batch is committed without an offset");
    this.baseOffset = baseOffset;
    this.append = null;
    this.entry.before = null;
  }
}

export class Producers<Append = never> {
  /** In the order of last use: the first is the one that was silent longest. Those whose ids were assigned, and the others. */
  readonly #assigned = new Map<number, ProducerEntry<Append>>();
  readonly #others = new Map<number, ProducerEntry<Append>>();
  readonly #expirationMs: number;
  #idMax = NO_ID;
  #duplicate: ProducedBatch<Append> | null = null;

  /** A producer that was silent for `expirationMs` is evicted. */
  constructor(expirationMs: number) {
    this.#expirationMs = expirationMs;
  }

  get count(): number {
    return this.#assigned.size + this.#others.size;
  }

  /** The largest producer id of all that were ever remembered, up to `PRODUCER_ID_MAX`; -1 when there was none. */
  get idMax(): number {
    return this.#idMax;
  }

  /** What the last `check` found when it said DUPLICATE. */
  get duplicate(): ProducedBatch<Append> {
    return this.#duplicate ?? fail("no duplicate was found");
  }

  /** ACCEPTED, DUPLICATE or one of the refusals above. */
  check(buffer: Buffer, position: number, nowMs: number): number {
    const producerId = readInt64(buffer, position + BATCH_PRODUCER_ID);
    if (producerId < 0) return ACCEPTED;
    const epoch = buffer.readInt16BE(position + BATCH_PRODUCER_EPOCH);
    const baseSequence = buffer.readInt32BE(position + BATCH_BASE_SEQUENCE);
    const entry = this.#entriesFor(producerId).get(producerId);
    if (entry === undefined || this.#isExpired(entry, nowMs)) return ACCEPTED;
    if (epoch < entry.epoch) return OLD_EPOCH;
    if (epoch > entry.epoch) return baseSequence === 0 ? ACCEPTED : OUT_OF_ORDER;
    const newest = entry.batches[entry.batches.length - 1];
    const awaited = newest === undefined ? entry.awaitedSequence : sequenceAfter(newest.lastSequence, 1);
    if (awaited === -1 || baseSequence === awaited) return ACCEPTED;
    const lastSequence = sequenceAfter(baseSequence, buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA));
    for (const batch of entry.batches) {
      if (batch.baseSequence !== baseSequence || batch.lastSequence !== lastSequence) continue;
      this.#duplicate = batch;
      return DUPLICATE;
    }
    return OUT_OF_ORDER;
  }

  /** Remembers a batch that `check` has accepted as in flight; null when it has no producer id. */
  accept(buffer: Buffer, position: number, append: Append, nowMs: number): ProducedBatch<Append> | null {
    return this.#add(buffer, position, append, nowMs);
  }

  /**
   * A batch that `check` has accepted could not be taken. What its producer has sent after it must not be either, before it comes again:
   * of a known producer the sequences tell, an unknown one is remembered for it.
   */
  refused(buffer: Buffer, position: number, nowMs: number): void {
    const producerId = readInt64(buffer, position + BATCH_PRODUCER_ID);
    if (producerId < 0) return;
    const known = this.#entriesFor(producerId).get(producerId);
    if (known !== undefined && !this.#isExpired(known, nowMs)) return;
    const entry = this.#entryFor(producerId, buffer.readInt16BE(position + BATCH_PRODUCER_EPOCH), nowMs);
    entry.awaitedSequence = buffer.readInt32BE(position + BATCH_BASE_SEQUENCE);
  }

  /** Remembers a batch that is committed at `baseOffset`. */
  record(buffer: Buffer, position: number, baseOffset: number, nowMs: number): void {
    this.#add(buffer, position, null, nowMs)?.committed(baseOffset);
  }

  /** The batch is not stored, and will not be. What was accepted after it cannot be either: it is given, in its order. */
  failed(batch: ProducedBatch<Append>): Append[] {
    const { entry } = batch;
    const index = entry.batches.indexOf(batch);
    if (index < 0) return []; // with one before it
    const [, ...following] = entry.batches.splice(index);
    entry.awaitedSequence = batch.baseSequence;
    if (entry.batches.length === 0) this.#goBack(entry);
    return following.map(({ append }) => append ?? fail("a batch was committed before the one it follows"));
  }

  /** Those that are not expired, each as its newest stored batch tells; `lastAtMs` is on the axis of `nowMs`. */
  list(nowMs: number): ActiveProducer[] {
    const found: ActiveProducer[] = [];
    for (const entry of this.#all()) {
      if (this.#isExpired(entry, nowMs)) continue;
      const { producerId, epoch, lastAtMs, batches } = entry;
      const lastSequence = batches.findLast(({ append }) => append === null)?.lastSequence ?? -1;
      found.push({ producerId, epoch, lastSequence, lastAtMs });
    }
    return found;
  }

  /** What the log that is opened at `nowMs` tells: the last checkpoint's state and the batches after it, or all batches. */
  recoveryAt(nowMs: number): RecoveryListener {
    return {
      restore: (state) => this.restore(state, nowMs),
      replay: (buffer, position) => this.record(buffer, position, readInt64(buffer, position), nowMs),
      lost: (offset) => this.evictFrom(offset),
    };
  }

  /** Batches at and after `offset` are gone: one that comes again is no duplicate, and must be stored. */
  evictFrom(offset: number): void {
    for (const entry of this.#all()) {
      entry.batches = entry.batches.filter(({ baseOffset }) => baseOffset < offset);
      if (entry.batches.length === 0) this.#entriesFor(entry.producerId).delete(entry.producerId);
    }
  }

  /** The state as it is when everything below `offset` is committed, and nothing else. */
  encode(offset: number): Buffer {
    const producers: StoredProducer[] = [];
    for (const entry of this.#all()) {
      const stored = storedBelow(entry, offset);
      if (stored !== null) producers.push(stored);
    }
    return encodeProducers({ idMax: this.#idMax, producers });
  }

  /**
   * Replaces everything by what `encode` wrote. A time ahead of `nowMs` becomes it: the clock was set back.
   * @throws ObeliskError DAMAGED_DATA when it is not that; then nothing is remembered
   */
  restore(state: Buffer, nowMs: number): void {
    this.#assigned.clear();
    this.#others.clear();
    this.#idMax = NO_ID;
    const { idMax, producers } = decodeProducers(state);
    this.#idMax = idMax;
    for (const { producerId, epoch, lastAtMs, batches } of producers) {
      const entry = newEntry<Append>(producerId, epoch, Math.min(lastAtMs, nowMs), null);
      for (const { baseSequence, lastSequence, baseOffset } of batches) {
        const batch = new ProducedBatch<Append>(entry, baseSequence, lastSequence, null);
        batch.baseOffset = baseOffset;
        entry.batches.push(batch);
      }
      this.#entriesFor(producerId).set(producerId, entry);
      this.#recordId(producerId);
    }
  }

  #add(buffer: Buffer, position: number, append: Append | null, nowMs: number): ProducedBatch<Append> | null {
    const producerId = readInt64(buffer, position + BATCH_PRODUCER_ID);
    if (producerId < 0) return null;
    this.#recordId(producerId);
    const epoch = buffer.readInt16BE(position + BATCH_PRODUCER_EPOCH);
    const baseSequence = buffer.readInt32BE(position + BATCH_BASE_SEQUENCE);
    const lastSequence = sequenceAfter(baseSequence, buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA));
    const entry = this.#entryFor(producerId, epoch, nowMs);
    const batch = new ProducedBatch(entry, baseSequence, lastSequence, append);
    const { batches } = entry;
    batches.push(batch);
    while (batches.length > BATCHES_KEPT && batches[0]!.append === null) batches.shift();
    return batch;
  }

  /** Now the last in the order of use. */
  #entryFor(producerId: number, epoch: number, nowMs: number): ProducerEntry<Append> {
    const entries = this.#entriesFor(producerId);
    const known = entries.get(producerId);
    const isKnown = known !== undefined && !this.#isExpired(known, nowMs);
    const entry =
      isKnown && known.epoch === epoch ? known : newEntry(producerId, epoch, nowMs, isKnown ? known : null);
    entry.lastAtMs = nowMs;
    entries.delete(producerId);
    entries.set(producerId, entry);
    if (known === undefined) this.#evict(entries, nowMs);
    return entry;
  }

  #entriesFor(producerId: number): Map<number, ProducerEntry<Append>> {
    return producerId <= PRODUCER_ID_MAX ? this.#assigned : this.#others;
  }

  *#all(): Generator<ProducerEntry<Append>> {
    yield* this.#assigned.values();
    yield* this.#others.values();
  }

  /** Nothing is left of the epoch: what was known before counts again, if anything was. */
  #goBack(entry: ProducerEntry<Append>): void {
    const entries = this.#entriesFor(entry.producerId);
    if (entries.get(entry.producerId) !== entry) return;
    let before = entry.before;
    while (before !== null && before.batches.length === 0) before = before.before;
    if (before !== null) entries.set(entry.producerId, before);
  }

  #recordId(producerId: number): void {
    if (producerId > this.#idMax && producerId <= PRODUCER_ID_MAX) this.#idMax = producerId;
  }

  #evict(entries: Map<number, ProducerEntry<Append>>, nowMs: number): void {
    for (const [producerId, entry] of entries) {
      if (entries.size <= PRODUCERS_MAX && !this.#isExpired(entry, nowMs)) return;
      const isInFlight = (entry.batches.at(-1)?.append ?? null) !== null;
      if (!isInFlight) entries.delete(producerId);
    }
  }

  #isExpired(entry: ProducerEntry<Append>, nowMs: number): boolean {
    return nowMs - entry.lastAtMs >= this.#expirationMs;
  }
}

function newEntry<Append>(
  producerId: number,
  epoch: number,
  lastAtMs: number,
  before: ProducerEntry<Append> | null,
): ProducerEntry<Append> {
  return { producerId, epoch, lastAtMs, batches: [], awaitedSequence: -1, before };
}

/** What is known of a producer by what is stored below `offset`; null when that is nothing. */
function storedBelow<Append>(entry: ProducerEntry<Append>, offset: number): StoredProducer | null {
  for (let known: ProducerEntry<Append> | null = entry; known !== null; known = known.before) {
    const { producerId, epoch, lastAtMs } = known;
    const batches = known.batches.filter(({ baseOffset }) => baseOffset >= 0 && baseOffset < offset);
    if (batches.length > 0) return { producerId, epoch, lastAtMs, batches: batches.slice(-BATCHES_KEPT) };
  }
  return null;
}

/** The sequence `count` places after `sequence`; 0 follows 2^31-1. */
function sequenceAfter(sequence: number, count: number): number {
  const next = sequence + count;
  return next > 0x7fffffff ? next - 0x8000_0000 : next;
}
