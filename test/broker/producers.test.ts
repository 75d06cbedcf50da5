import { expect, test } from "bun:test";
import { ObeliskError } from "../../src/base/errors.ts";
import { DAY_MS } from "../../src/base/units.ts";
import {
  ACCEPTED,
  OLD_EPOCH,
  OUT_OF_ORDER,
  PRODUCER_ID_MAX,
  PRODUCERS_MAX,
  Producers,
} from "../../src/broker/producers.ts";
import { batchOf } from "../support/batches.ts";

function batch(producerId: number, producerEpoch: number, baseSequence: number, records = 1): Buffer {
  return batchOf(new Array(records).fill("v"), { producerId, producerEpoch, baseSequence });
}

function stored(...batches: [Buffer, number][]): Producers {
  const producers = new Producers(DAY_MS);
  for (const [buffer, baseOffset] of batches) producers.record(buffer, 0, baseOffset, 0);
  return producers;
}

test("a batch without a producer id is always accepted and leaves no trace", () => {
  const producers = new Producers(DAY_MS);
  const plain = batchOf(["v"]);
  expect(producers.check(plain, 0, 0)).toBe(ACCEPTED);
  producers.record(plain, 0, 0, 0);
  expect(producers.count).toBe(0);
});

test("sequences follow each other, and a gap or a step back is out of order", () => {
  const producers = stored([batch(7, 0, 0, 3), 100]);
  expect(producers.check(batch(7, 0, 3), 0, 0)).toBe(ACCEPTED);
  expect(producers.check(batch(7, 0, 4), 0, 0)).toBe(OUT_OF_ORDER);
  expect(producers.check(batch(7, 0, 1), 0, 0)).toBe(OUT_OF_ORDER);
});

test("each of the last five batches is recognised when it is sent again, and the sixth is not", () => {
  const producers = new Producers(DAY_MS);
  for (let sequence = 0; sequence < 6; sequence += 1)
    producers.record(batch(7, 0, sequence), 0, 50 + sequence, 0);
  const verdicts = [0, 1, 2, 3, 4, 5].map((sequence) => producers.check(batch(7, 0, sequence), 0, 0));
  expect(verdicts).toEqual([OUT_OF_ORDER, 51, 52, 53, 54, 55]);
});

test("a batch that starts like a stored one but is longer is not a duplicate", () => {
  expect(stored([batch(7, 0, 0, 3), 100]).check(batch(7, 0, 0, 4), 0, 0)).toBe(OUT_OF_ORDER);
});

test("an older epoch is fenced, a newer one starts at sequence 0", () => {
  const producers = stored([batch(7, 5, 0), 0]);
  expect(producers.check(batch(7, 4, 1), 0, 0)).toBe(OLD_EPOCH);
  expect(producers.check(batch(7, 6, 0), 0, 0)).toBe(ACCEPTED);
  expect(producers.check(batch(7, 6, 1), 0, 0)).toBe(OUT_OF_ORDER);
  producers.record(batch(7, 6, 0), 0, 1, 0);
  expect(producers.check(batch(7, 5, 1), 0, 0)).toBe(OLD_EPOCH);
});

test("the first batch of an unknown producer is accepted at any sequence, and the next must follow it", () => {
  expect(new Producers(DAY_MS).check(batch(9, 3, 0), 0, 0)).toBe(ACCEPTED);
  expect(new Producers(DAY_MS).check(batch(9, 3, 12), 0, 0)).toBe(ACCEPTED);
  const producers = stored([batch(9, 3, 12), 100]);
  expect(producers.check(batch(9, 3, 12), 0, 0)).toBe(100);
  expect(producers.check(batch(9, 3, 13), 0, 0)).toBe(ACCEPTED);
  expect(producers.check(batch(9, 3, 14), 0, 0)).toBe(OUT_OF_ORDER);
  expect(producers.check(batch(9, 3, 0), 0, 0)).toBe(OUT_OF_ORDER);
});

test("sequences wrap from 2^31-1 to 0", () => {
  const producers = stored([batch(7, 0, 0x7fff_fffe, 2), 0]);
  expect(producers.check(batch(7, 0, 0, 1), 0, 0)).toBe(ACCEPTED);
  const across = stored([batch(7, 0, 0x7fff_ffff, 2), 10]);
  expect(across.check(batch(7, 0, 0x7fff_ffff, 2), 0, 0)).toBe(10);
  expect(across.check(batch(7, 0, 1), 0, 0)).toBe(ACCEPTED);
});

test("the state survives encode and restore", () => {
  const producers = stored([batch(7, 5, 0, 3), 100], [batch(8, 0, 0), 103], [batch(7, 5, 3), 104]);
  const restored = new Producers(DAY_MS);
  restored.restore(producers.encode(), 0);
  expect(restored.encode()).toEqual(producers.encode());
  expect(restored.check(batch(7, 5, 3), 0, 0)).toBe(104);
  expect(restored.check(batch(8, 0, 1), 0, 0)).toBe(ACCEPTED);
});

test("every truncation of the state is refused by name", () => {
  const state = stored([batch(7, 5, 0), 100], [batch(8, 0, 0), 101]).encode();
  for (let bytes = 0; bytes < state.length; bytes += 1) {
    expect(() => new Producers(DAY_MS).restore(state.subarray(0, bytes), 0)).toThrow(ObeliskError);
  }
});

test("beyond the limit the producer that was silent longest is forgotten", () => {
  const producers = new Producers(DAY_MS);
  for (let id = 0; id < PRODUCERS_MAX; id += 1) producers.record(batch(id, 0, 0), 0, id, 0);
  producers.record(batch(0, 0, 1), 0, 1, 1);
  producers.record(batch(PRODUCERS_MAX, 0, 0), 0, 2, 2);
  expect(producers.count).toBe(PRODUCERS_MAX);
  expect(producers.check(batch(1, 0, 5), 0, 2)).toBe(ACCEPTED);
  expect(producers.check(batch(0, 0, 5), 0, 2)).toBe(OUT_OF_ORDER);
});

test("a producer that was silent for the time that is set is forgotten, with its old epoch and its old batches", () => {
  const producers = stored([batch(1, 4, 0), 0]);
  expect(producers.check(batch(1, 4, 0), 0, DAY_MS - 1)).toBe(0);
  expect(producers.check(batch(1, 3, 7), 0, DAY_MS - 1)).toBe(OLD_EPOCH);
  expect(producers.check(batch(1, 3, 7), 0, DAY_MS)).toBe(ACCEPTED);
  expect(producers.check(batch(1, 4, 0), 0, DAY_MS)).toBe(ACCEPTED);
  producers.record(batch(1, 4, 7), 0, 50, DAY_MS);
  expect(producers.check(batch(1, 4, 0), 0, DAY_MS)).toBe(OUT_OF_ORDER);
  expect(producers.check(batch(1, 4, 8), 0, DAY_MS)).toBe(ACCEPTED);
});

test("a producer that was heard of in the future, because the clock was set back, is forgotten in time", () => {
  const early = new Producers(DAY_MS);
  early.record(batch(1, 4, 0), 0, 0, 9 * DAY_MS);
  const restored = new Producers(DAY_MS);
  restored.restore(early.encode(), 2 * DAY_MS);
  expect(restored.check(batch(1, 4, 0), 0, 3 * DAY_MS - 1)).toBe(0);
  expect(restored.check(batch(1, 4, 0), 0, 3 * DAY_MS)).toBe(ACCEPTED);
});

test("a silent producer no longer takes memory once another comes", () => {
  const producers = stored([batch(1, 0, 0), 0]);
  producers.record(batch(2, 0, 0), 0, 1, DAY_MS);
  expect(producers.count).toBe(1);
});

test("the largest producer id is known also when its producer is forgotten, and when the state was restored", () => {
  expect(new Producers(DAY_MS).idMax).toBe(-1);
  const producers = stored([batch(9, 0, 0), 0]);
  producers.record(batch(2, 0, 0), 0, 1, DAY_MS);
  expect([producers.count, producers.idMax]).toEqual([1, 9]);
  const restored = new Producers(DAY_MS);
  restored.restore(producers.encode(), DAY_MS);
  expect([restored.count, restored.idMax]).toEqual([1, 9]);
});

test("an id that only a client can have made up counts as none of ours", () => {
  const producers = stored([batch(7, 0, 0), 0], [batch(Number.MAX_SAFE_INTEGER, 0, 0), 1]);
  expect([producers.count, producers.idMax]).toEqual([2, 7]);
  producers.record(batch(PRODUCER_ID_MAX, 0, 0), 0, 2, 0);
  expect(producers.idMax).toBe(PRODUCER_ID_MAX);
});

test("a state of version 1 is still read, and its largest id is that of its producers", () => {
  const present = stored([batch(8, 0, 0), 103], [batch(7, 5, 3), 104]).encode();
  const old = Buffer.concat([Buffer.from([1]), present.subarray(9)]);
  const restored = new Producers(DAY_MS);
  restored.restore(old, 0);
  expect([restored.encode(), restored.idMax]).toEqual([present, 8]);
});

test("of a state that does not decode nothing is remembered", () => {
  const producers = stored([batch(1, 0, 0), 0]);
  const state = stored([batch(7, 5, 0), 100], [batch(8, 0, 0), 101]).encode();
  expect(() => producers.restore(state.subarray(0, state.length - 1), 0)).toThrow(ObeliskError);
  expect([producers.count, producers.idMax]).toEqual([0, -1]);
});

test("what is lost from an offset on is no duplicate any more, and a producer without a batch left is forgotten", () => {
  const producers = stored([batch(7, 0, 0), 100], [batch(7, 0, 1), 101], [batch(8, 0, 0), 102]);
  producers.evictFrom(101);
  expect([producers.check(batch(7, 0, 0), 0, 0), producers.check(batch(7, 0, 1), 0, 0)]).toEqual([
    100,
    ACCEPTED,
  ]);
  expect([producers.count, producers.check(batch(8, 0, 5), 0, 0), producers.idMax]).toEqual([1, ACCEPTED, 8]);
});
