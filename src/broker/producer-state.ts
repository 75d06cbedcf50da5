/**
 * What is kept of the producers of a partition over a restart.
 *
 * State, version 2, big-endian:  int8 version, int64 largest producer id (-1: none), int32 producers, then for each
 *   int64 producer id, int16 epoch, int64 last timestamp ms, int8 batches, then for each, oldest first
 *     int32 base sequence, int32 last sequence, int64 base offset
 * Version 1, which is read and never written, has no largest producer id: it is that of the producers which are there.
 */

import { readInt64, writeInt64 } from "../base/bytes.ts";
import { ObeliskError } from "../base/errors.ts";

/** A client keeps at most five requests in flight, so no retry is older than five batches. */
export const BATCHES_KEPT = 5;

const STATE_VERSION = 2;
const STATE_HEADER_BYTES = 13;
const OLD_STATE_VERSION = 1;
const OLD_STATE_HEADER_BYTES = 5;
const PRODUCER_BYTES = 19;
const BATCH_BYTES = 16;
const NO_ID = -1;

export interface StoredBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
}

export interface StoredProducer {
  readonly producerId: number;
  readonly epoch: number;
  readonly lastAtMs: number;
  /** Oldest first; at most `BATCHES_KEPT`. */
  readonly batches: readonly StoredBatch[];
}

export interface StoredProducers {
  /** -1: there is none. */
  readonly idMax: number;
  readonly producers: readonly StoredProducer[];
}

export function encodeProducers({ idMax, producers }: StoredProducers): Buffer {
  let bytes = STATE_HEADER_BYTES;
  for (const { batches } of producers) bytes += PRODUCER_BYTES + batches.length * BATCH_BYTES;
  const state = Buffer.alloc(bytes);
  state.writeInt8(STATE_VERSION, 0);
  writeInt64(state, 1, idMax);
  state.writeInt32BE(producers.length, STATE_HEADER_BYTES - 4);
  let position = STATE_HEADER_BYTES;
  for (const producer of producers) position = encodeProducer(state, position, producer);
  return state;
}

/** @throws ObeliskError DAMAGED_DATA when it is not what `encodeProducers` wrote */
export function decodeProducers(state: Buffer): StoredProducers {
  const isOld = state.length > 0 && state.readInt8(0) === OLD_STATE_VERSION;
  const headerBytes = isOld ? OLD_STATE_HEADER_BYTES : STATE_HEADER_BYTES;
  if (state.length < headerBytes || (!isOld && state.readInt8(0) !== STATE_VERSION)) throw damaged(0);
  const producers = decodeAll(state, headerBytes);
  return { idMax: isOld ? NO_ID : readInt64(state, 1), producers };
}

function encodeProducer(
  state: Buffer,
  start: number,
  { producerId, epoch, lastAtMs, batches }: StoredProducer,
): number {
  writeInt64(state, start, producerId);
  state.writeInt16BE(epoch, start + 8);
  writeInt64(state, start + 10, lastAtMs);
  state.writeInt8(batches.length, start + 18);
  let position = start + PRODUCER_BYTES;
  for (const batch of batches) {
    state.writeInt32BE(batch.baseSequence, position);
    state.writeInt32BE(batch.lastSequence, position + 4);
    writeInt64(state, position + 8, batch.baseOffset);
    position += BATCH_BYTES;
  }
  return position;
}

/** After a head of `headerBytes`, whose last field is their count. @throws ObeliskError DAMAGED_DATA */
function decodeAll(state: Buffer, headerBytes: number): StoredProducer[] {
  const producers: StoredProducer[] = [];
  const count = state.readInt32BE(headerBytes - 4);
  let position = headerBytes;
  for (let index = 0; index < count; index += 1) {
    if (position + PRODUCER_BYTES > state.length) throw damaged(position);
    const batches = state.readInt8(position + 18);
    const end = position + PRODUCER_BYTES + batches * BATCH_BYTES;
    if (batches < 0 || batches > BATCHES_KEPT || end > state.length) throw damaged(position);
    producers.push(decodeProducer(state, position, batches));
    position = end;
  }
  if (position !== state.length) throw damaged(position);
  return producers;
}

function decodeProducer(state: Buffer, start: number, count: number): StoredProducer {
  const batches: StoredBatch[] = [];
  for (let index = 0; index < count; index += 1) {
    const position = start + PRODUCER_BYTES + index * BATCH_BYTES;
    batches.push({
      baseSequence: state.readInt32BE(position),
      lastSequence: state.readInt32BE(position + 4),
      baseOffset: readInt64(state, position + 8),
    });
  }
  return {
    producerId: readInt64(state, start),
    epoch: state.readInt16BE(start + 8),
    lastAtMs: readInt64(state, start + 10),
    batches,
  };
}

function damaged(position: number): ObeliskError {
  return new ObeliskError("DAMAGED_DATA", { detail: "the producers' state does not decode", position });
}
