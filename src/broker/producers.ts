/**
 * What one partition remembers of its idempotent producers, so that a retried batch is stored once.
 *
 * For each producer id: its epoch and its last five batches (base sequence, last sequence, base offset), because a
 * client may have five requests in flight. Sequences count records and wrap from 2^31-1 to 0.
 *
 *   unknown producer                        accepted, whatever its epoch and sequence: it may have been forgotten
 *   same epoch, batch among the last five   duplicate: answered with the offset it got the first time
 *   same epoch, follows the last            accepted
 *   same epoch, anything else               OUT_OF_ORDER_SEQUENCE_NUMBER
 *   older epoch                             INVALID_PRODUCER_EPOCH
 *   newer epoch                             accepted when it starts at 0, else OUT_OF_ORDER_SEQUENCE_NUMBER
 *
 * `check` decides and changes nothing; `record` is called once the batch is in the log. The whole is stored with each
 * checkpoint of the log (`encode`, `restore`) and replayed from the batches behind it. Bounded: beyond `PRODUCERS_MAX`
 * the one that was silent longest is forgotten, and any that was silent for `expirationMs`.
 *
 * `idMax` outlives those that are forgotten: a producer that was silent for long may still go on, so its id must not be given out
 * again when the row that counts them is lost (producer-ids.ts).
 *
 * State, version 2, big-endian:  int8 version, int64 largest producer id (-1: none), int32 producers, then for each
 *   int64 producer id, int16 epoch, int64 last timestamp ms, int8 batches, then for each, oldest first
 *     int32 base sequence, int32 last sequence, int64 base offset
 * Version 1, which is read and never written, has no largest producer id: it is that of the producers which are there.
 */

import { readInt64, writeInt64 } from "../base/bytes.ts";
import { ObeliskError } from "../base/errors.ts";
import {
  BATCH_BASE_SEQUENCE,
  BATCH_LAST_OFFSET_DELTA,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
} from "../protocol/record/batch.ts";
import type { RecoveryListener } from "../storage/contract.ts";

/** A client keeps at most five requests in flight, so no retry is older than five batches. */
const BATCHES_KEPT = 5;
/** Producers remembered by one partition: 10,000 of them are about 2 MB. */
export const PRODUCERS_MAX = 10_000;

const STATE_VERSION = 2;
const STATE_HEADER_BYTES = 13;
const OLD_STATE_VERSION = 1;
const OLD_STATE_HEADER_BYTES = 5;
const PRODUCER_BYTES = 19;
const BATCH_BYTES = 16;

export const ACCEPTED = -1;
export const OUT_OF_ORDER = -2;
export const OLD_EPOCH = -3;

const NO_ID = -1;
/** Above it is no id of ours but one that a client made up: half of what a number can hold, so that as many are left to give out. */
export const PRODUCER_ID_MAX = 2 ** 52;

interface ProducerEntry {
  epoch: number;
  /** By the steady clock (base/clock.ts), like every time here. */
  lastAtMs: number;
  /** Oldest first; at most `BATCHES_KEPT`. */
  batches: { baseSequence: number; lastSequence: number; baseOffset: number }[];
}

export class Producers {
  /** In the order of last use: the first is the one that was silent longest. */
  readonly #entries = new Map<number, ProducerEntry>();
  readonly #expirationMs: number;
  #idMax = NO_ID;

  /** A producer that was silent for `expirationMs` is forgotten. */
  constructor(expirationMs: number) {
    this.#expirationMs = expirationMs;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** The largest producer id of all that were ever remembered, up to `PRODUCER_ID_MAX`; -1 when there was none. */
  get idMax(): number {
    return this.#idMax;
  }

  /** ACCEPTED, one of the refusals above, or the base offset (0 or more) that a duplicate got. */
  check(buffer: Buffer, position: number, nowMs: number): number {
    const producerId = readInt64(buffer, position + BATCH_PRODUCER_ID);
    if (producerId < 0) return ACCEPTED;
    const epoch = buffer.readInt16BE(position + BATCH_PRODUCER_EPOCH);
    const baseSequence = buffer.readInt32BE(position + BATCH_BASE_SEQUENCE);
    const entry = this.#entries.get(producerId);
    if (entry === undefined || this.#isExpired(entry, nowMs)) return ACCEPTED;
    if (epoch < entry.epoch) return OLD_EPOCH;
    if (epoch > entry.epoch) return baseSequence === 0 ? ACCEPTED : OUT_OF_ORDER;
    const lastSequence = sequenceAfter(baseSequence, buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA));
    for (const batch of entry.batches) {
      if (batch.baseSequence === baseSequence && batch.lastSequence === lastSequence) return batch.baseOffset;
    }
    const newest = entry.batches[entry.batches.length - 1];
    if (newest === undefined) return ACCEPTED;
    return baseSequence === sequenceAfter(newest.lastSequence, 1) ? ACCEPTED : OUT_OF_ORDER;
  }

  /** Remembers a batch that was stored at `baseOffset`. */
  record(buffer: Buffer, position: number, baseOffset: number, nowMs: number): void {
    const producerId = readInt64(buffer, position + BATCH_PRODUCER_ID);
    if (producerId < 0) return;
    this.#recordId(producerId);
    const epoch = buffer.readInt16BE(position + BATCH_PRODUCER_EPOCH);
    const baseSequence = buffer.readInt32BE(position + BATCH_BASE_SEQUENCE);
    const lastSequence = sequenceAfter(baseSequence, buffer.readInt32BE(position + BATCH_LAST_OFFSET_DELTA));
    const known = this.#entries.get(producerId);
    const goesOn = known !== undefined && known.epoch === epoch && !this.#isExpired(known, nowMs);
    const entry = goesOn ? known : { epoch, lastAtMs: nowMs, batches: [] };
    entry.lastAtMs = nowMs;
    entry.batches.push({ baseSequence, lastSequence, baseOffset });
    if (entry.batches.length > BATCHES_KEPT) entry.batches.shift();
    this.#entries.delete(producerId);
    this.#entries.set(producerId, entry);
    if (known === undefined) this.#evict(nowMs);
  }

  /** What the log that is opened at `nowMs` tells: the last checkpoint's state and the batches behind it, or all batches. */
  recoveryAt(nowMs: number): RecoveryListener {
    return {
      restore: (state) => this.restore(state, nowMs),
      replay: (buffer, position) => this.record(buffer, position, readInt64(buffer, position), nowMs),
      lost: (offset) => this.evictFrom(offset),
    };
  }

  /** Batches at and behind `offset` are gone: one that comes again is no duplicate, and must be stored. */
  evictFrom(offset: number): void {
    for (const [producerId, entry] of this.#entries) {
      entry.batches = entry.batches.filter(({ baseOffset }) => baseOffset < offset);
      if (entry.batches.length === 0) this.#entries.delete(producerId);
    }
  }

  encode(): Buffer {
    let bytes = STATE_HEADER_BYTES;
    for (const entry of this.#entries.values()) bytes += PRODUCER_BYTES + entry.batches.length * BATCH_BYTES;
    const state = Buffer.alloc(bytes);
    state.writeInt8(STATE_VERSION, 0);
    writeInt64(state, 1, this.#idMax);
    state.writeInt32BE(this.#entries.size, STATE_HEADER_BYTES - 4);
    let position = STATE_HEADER_BYTES;
    for (const [producerId, entry] of this.#entries)
      position = encodeProducer(state, position, producerId, entry);
    return state;
  }

  /**
   * Replaces everything by what `encode` wrote. A time ahead of `nowMs` becomes it: the clock was set back.
   * @throws ObeliskError DAMAGED_DATA when it is not that; then nothing is remembered
   */
  restore(state: Buffer, nowMs: number): void {
    this.#entries.clear();
    this.#idMax = NO_ID;
    const isOld = state.length > 0 && state.readInt8(0) === OLD_STATE_VERSION;
    const headerBytes = isOld ? OLD_STATE_HEADER_BYTES : STATE_HEADER_BYTES;
    if (state.length < headerBytes || (!isOld && state.readInt8(0) !== STATE_VERSION)) throw damaged(0);
    const entries = decodeProducers(state, headerBytes, nowMs);
    if (!isOld) this.#idMax = readInt64(state, 1);
    for (const [producerId, entry] of entries) {
      this.#entries.set(producerId, entry);
      this.#recordId(producerId);
    }
  }

  #recordId(producerId: number): void {
    if (producerId > this.#idMax && producerId <= PRODUCER_ID_MAX) this.#idMax = producerId;
  }

  #evict(nowMs: number): void {
    for (const [producerId, entry] of this.#entries) {
      if (this.#entries.size <= PRODUCERS_MAX && !this.#isExpired(entry, nowMs)) return;
      this.#entries.delete(producerId);
    }
  }

  #isExpired(entry: ProducerEntry, nowMs: number): boolean {
    return nowMs - entry.lastAtMs >= this.#expirationMs;
  }
}

/** The sequence `count` places after `sequence`; 0 follows 2^31-1. */
function sequenceAfter(sequence: number, count: number): number {
  const next = sequence + count;
  return next > 0x7fffffff ? next - 0x8000_0000 : next;
}

function encodeProducer(state: Buffer, start: number, producerId: number, entry: ProducerEntry): number {
  writeInt64(state, start, producerId);
  state.writeInt16BE(entry.epoch, start + 8);
  writeInt64(state, start + 10, entry.lastAtMs);
  state.writeInt8(entry.batches.length, start + 18);
  let position = start + PRODUCER_BYTES;
  for (const batch of entry.batches) {
    state.writeInt32BE(batch.baseSequence, position);
    state.writeInt32BE(batch.lastSequence, position + 4);
    writeInt64(state, position + 8, batch.baseOffset);
    position += BATCH_BYTES;
  }
  return position;
}

/** Behind a head of `headerBytes`, whose last field is their count. @throws ObeliskError DAMAGED_DATA */
function decodeProducers(state: Buffer, headerBytes: number, nowMs: number): [number, ProducerEntry][] {
  const entries: [number, ProducerEntry][] = [];
  const count = state.readInt32BE(headerBytes - 4);
  let position = headerBytes;
  for (let index = 0; index < count; index += 1) {
    if (position + PRODUCER_BYTES > state.length) throw damaged(position);
    const batches = state.readInt8(position + 18);
    const end = position + PRODUCER_BYTES + batches * BATCH_BYTES;
    if (batches < 0 || batches > BATCHES_KEPT || end > state.length) throw damaged(position);
    entries.push([readInt64(state, position), decodeProducer(state, position, batches, nowMs)]);
    position = end;
  }
  if (position !== state.length) throw damaged(position);
  return entries;
}

function decodeProducer(state: Buffer, start: number, count: number, nowMs: number): ProducerEntry {
  const entry: ProducerEntry = {
    epoch: state.readInt16BE(start + 8),
    lastAtMs: Math.min(readInt64(state, start + 10), nowMs),
    batches: [],
  };
  for (let index = 0; index < count; index += 1) {
    const position = start + PRODUCER_BYTES + index * BATCH_BYTES;
    entry.batches.push({
      baseSequence: state.readInt32BE(position),
      lastSequence: state.readInt32BE(position + 4),
      baseOffset: readInt64(state, position + 8),
    });
  }
  return entry;
}

function damaged(position: number): ObeliskError {
  return new ObeliskError("DAMAGED_DATA", { detail: "the producers' state does not decode", position });
}
