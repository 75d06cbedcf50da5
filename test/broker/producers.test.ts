import { expect, test } from "bun:test";
import { ObeliskError } from "../../src/base/errors.ts";
import { DAY_MS } from "../../src/base/units.ts";
import { PRODUCER_ID_MAX } from "../../src/broker/producer-id-range.ts";
import {
  ACCEPTED,
  DUPLICATE,
  OLD_EPOCH,
  OUT_OF_ORDER,
  PRODUCERS_MAX,
  type ProducedBatch,
  Producers,
} from "../../src/broker/producers.ts";
import { batchOf } from "../support/batches.ts";
import { randomOf } from "../support/random.ts";

const ALL = Number.MAX_SAFE_INTEGER;

/** As `check`, and of a duplicate that is committed its offset. */
function verdictOf<Append>(producers: Producers<Append>, buffer: Buffer, nowMs = 0): number {
  const verdict = producers.check(buffer, 0, nowMs);
  return verdict === DUPLICATE ? producers.duplicate.baseOffset : verdict;
}

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
  expect(verdictOf(producers, plain)).toBe(ACCEPTED);
  producers.record(plain, 0, 0, 0);
  expect(producers.count).toBe(0);
});

test("sequences follow each other, and a gap or a step back is out of order", () => {
  const producers = stored([batch(7, 0, 0, 3), 100]);
  expect(verdictOf(producers, batch(7, 0, 3))).toBe(ACCEPTED);
  expect(verdictOf(producers, batch(7, 0, 4))).toBe(OUT_OF_ORDER);
  expect(verdictOf(producers, batch(7, 0, 1))).toBe(OUT_OF_ORDER);
});

test("each of the last five batches is recognised when it is sent again, and the sixth is not", () => {
  const producers = new Producers(DAY_MS);
  for (let sequence = 0; sequence < 6; sequence += 1)
    producers.record(batch(7, 0, sequence), 0, 50 + sequence, 0);
  const verdicts = [0, 1, 2, 3, 4, 5].map((sequence) => verdictOf(producers, batch(7, 0, sequence)));
  expect(verdicts).toEqual([OUT_OF_ORDER, 51, 52, 53, 54, 55]);
});

test("ids that were not assigned are bounded by themselves, and evict nobody whose id was", () => {
  const producers = stored([batch(7, 0, 0), 5]);
  const first = PRODUCER_ID_MAX + 1;
  for (let id = first; id <= first + PRODUCERS_MAX; id += 1) producers.record(batch(id, 0, 3), 0, id, 1);
  expect([
    producers.count,
    verdictOf(producers, batch(7, 0, 0), 1),
    verdictOf(producers, batch(first, 0, 3), 1),
    producers.check(batch(first + 1, 0, 3), 0, 1),
  ]).toEqual([PRODUCERS_MAX + 1, 5, ACCEPTED, DUPLICATE]);
  const restored = new Producers(DAY_MS);
  restored.restore(producers.encode(ALL), 1);
  expect([restored.count, restored.idMax]).toEqual([PRODUCERS_MAX + 1, 7]);
});

test("a batch that starts like a stored one but is longer is not a duplicate", () => {
  expect(verdictOf(stored([batch(7, 0, 0, 3), 100]), batch(7, 0, 0, 4))).toBe(OUT_OF_ORDER);
});

test("an older epoch is fenced, a newer one starts at sequence 0", () => {
  const producers = stored([batch(7, 5, 0), 0]);
  expect(verdictOf(producers, batch(7, 4, 1))).toBe(OLD_EPOCH);
  expect(verdictOf(producers, batch(7, 6, 0))).toBe(ACCEPTED);
  expect(verdictOf(producers, batch(7, 6, 1))).toBe(OUT_OF_ORDER);
  producers.record(batch(7, 6, 0), 0, 1, 0);
  expect(verdictOf(producers, batch(7, 5, 1))).toBe(OLD_EPOCH);
});

test("the first batch of an unknown producer is accepted at any sequence, and the next must follow it", () => {
  expect(verdictOf(new Producers(DAY_MS), batch(9, 3, 0))).toBe(ACCEPTED);
  expect(verdictOf(new Producers(DAY_MS), batch(9, 3, 12))).toBe(ACCEPTED);
  const producers = stored([batch(9, 3, 12), 100]);
  expect(verdictOf(producers, batch(9, 3, 12))).toBe(100);
  expect(verdictOf(producers, batch(9, 3, 13))).toBe(ACCEPTED);
  expect(verdictOf(producers, batch(9, 3, 14))).toBe(OUT_OF_ORDER);
  expect(verdictOf(producers, batch(9, 3, 0))).toBe(OUT_OF_ORDER);
});

test("sequences wrap from 2^31-1 to 0", () => {
  const producers = stored([batch(7, 0, 0x7fff_fffe, 2), 0]);
  expect(verdictOf(producers, batch(7, 0, 0, 1))).toBe(ACCEPTED);
  const across = stored([batch(7, 0, 0x7fff_ffff, 2), 10]);
  expect(verdictOf(across, batch(7, 0, 0x7fff_ffff, 2))).toBe(10);
  expect(verdictOf(across, batch(7, 0, 1))).toBe(ACCEPTED);
});

test("the state survives encode and restore", () => {
  const producers = stored([batch(7, 5, 0, 3), 100], [batch(8, 0, 0), 103], [batch(7, 5, 3), 104]);
  const restored = new Producers(DAY_MS);
  restored.restore(producers.encode(ALL), 0);
  expect(restored.encode(ALL)).toEqual(producers.encode(ALL));
  expect(verdictOf(restored, batch(7, 5, 3))).toBe(104);
  expect(verdictOf(restored, batch(8, 0, 1))).toBe(ACCEPTED);
});

test("every truncation of the state is refused by name", () => {
  const state = stored([batch(7, 5, 0), 100], [batch(8, 0, 0), 101]).encode(ALL);
  for (let bytes = 0; bytes < state.length; bytes += 1) {
    expect(() => new Producers(DAY_MS).restore(state.subarray(0, bytes), 0)).toThrow(ObeliskError);
  }
});

test("beyond the limit the producer that was silent longest is evicted", () => {
  const producers = new Producers(DAY_MS);
  for (let id = 0; id < PRODUCERS_MAX; id += 1) producers.record(batch(id, 0, 0), 0, id, 0);
  producers.record(batch(0, 0, 1), 0, 1, 1);
  producers.record(batch(PRODUCERS_MAX, 0, 0), 0, 2, 2);
  expect(producers.count).toBe(PRODUCERS_MAX);
  expect(verdictOf(producers, batch(1, 0, 5), 2)).toBe(ACCEPTED);
  expect(verdictOf(producers, batch(0, 0, 5), 2)).toBe(OUT_OF_ORDER);
});

test("a producer that was silent for the time that is set is evicted, with its old epoch and its old batches", () => {
  const producers = stored([batch(1, 4, 0), 0]);
  expect(verdictOf(producers, batch(1, 4, 0), DAY_MS - 1)).toBe(0);
  expect(verdictOf(producers, batch(1, 3, 7), DAY_MS - 1)).toBe(OLD_EPOCH);
  expect(verdictOf(producers, batch(1, 3, 7), DAY_MS)).toBe(ACCEPTED);
  expect(verdictOf(producers, batch(1, 4, 0), DAY_MS)).toBe(ACCEPTED);
  producers.record(batch(1, 4, 7), 0, 50, DAY_MS);
  expect(verdictOf(producers, batch(1, 4, 0), DAY_MS)).toBe(OUT_OF_ORDER);
  expect(verdictOf(producers, batch(1, 4, 8), DAY_MS)).toBe(ACCEPTED);
});

test("a producer that was heard of in the future, because the clock was set back, is evicted in time", () => {
  const early = new Producers(DAY_MS);
  early.record(batch(1, 4, 0), 0, 0, 9 * DAY_MS);
  const restored = new Producers(DAY_MS);
  restored.restore(early.encode(ALL), 2 * DAY_MS);
  expect(verdictOf(restored, batch(1, 4, 0), 3 * DAY_MS - 1)).toBe(0);
  expect(verdictOf(restored, batch(1, 4, 0), 3 * DAY_MS)).toBe(ACCEPTED);
});

test("a silent producer no longer takes memory once another comes", () => {
  const producers = stored([batch(1, 0, 0), 0]);
  producers.record(batch(2, 0, 0), 0, 1, DAY_MS);
  expect(producers.count).toBe(1);
});

test("the largest producer id is known also when its producer is evicted, and when the state was restored", () => {
  expect(new Producers(DAY_MS).idMax).toBe(-1);
  const producers = stored([batch(9, 0, 0), 0]);
  producers.record(batch(2, 0, 0), 0, 1, DAY_MS);
  expect([producers.count, producers.idMax]).toEqual([1, 9]);
  const restored = new Producers(DAY_MS);
  restored.restore(producers.encode(ALL), DAY_MS);
  expect([restored.count, restored.idMax]).toEqual([1, 9]);
});

test("an id that only a client can have made up counts as none of ours", () => {
  const producers = stored([batch(7, 0, 0), 0], [batch(Number.MAX_SAFE_INTEGER, 0, 0), 1]);
  expect([producers.count, producers.idMax]).toEqual([2, 7]);
  producers.record(batch(PRODUCER_ID_MAX, 0, 0), 0, 2, 0);
  expect(producers.idMax).toBe(PRODUCER_ID_MAX);
});

test("a state of version 1 is still read, and its largest id is that of its producers", () => {
  const present = stored([batch(8, 0, 0), 103], [batch(7, 5, 3), 104]).encode(ALL);
  const old = Buffer.concat([Buffer.from([1]), present.subarray(9)]);
  const restored = new Producers(DAY_MS);
  restored.restore(old, 0);
  expect([restored.encode(ALL), restored.idMax]).toEqual([present, 8]);
});

test("of a state that does not decode nothing is remembered", () => {
  const producers = stored([batch(1, 0, 0), 0]);
  const state = stored([batch(7, 5, 0), 100], [batch(8, 0, 0), 101]).encode(ALL);
  expect(() => producers.restore(state.subarray(0, state.length - 1), 0)).toThrow(ObeliskError);
  expect([producers.count, producers.idMax]).toEqual([0, -1]);
});

test("what is lost from an offset on is no duplicate any more, and a producer without a batch left is evicted", () => {
  const producers = stored([batch(7, 0, 0), 100], [batch(7, 0, 1), 101], [batch(8, 0, 0), 102]);
  producers.evictFrom(101);
  expect([verdictOf(producers, batch(7, 0, 0)), verdictOf(producers, batch(7, 0, 1))]).toEqual([
    100,
    ACCEPTED,
  ]);
  expect([producers.count, verdictOf(producers, batch(8, 0, 5)), producers.idMax]).toEqual([1, ACCEPTED, 8]);
});

/** Accepts batches of one record of producer 7, at the offsets of their appends' numbers. */
function inFlight(producers: Producers<number>, ...sequences: number[]) {
  return sequences.map((sequence) => {
    const buffer = batch(7, 0, sequence);
    expect(producers.check(buffer, 0, 0)).toBe(ACCEPTED);
    return producers.accept(buffer, 0, sequence, 0)!;
  });
}

test("a duplicate of a batch in flight leads to its append, and later to its offset", () => {
  const producers = new Producers<string>(DAY_MS);
  const first = producers.accept(batch(7, 0, 0), 0, "first", 0)!;
  producers.accept(batch(7, 0, 1), 0, "second", 0);
  expect(producers.check(batch(7, 0, 0), 0, 0)).toBe(DUPLICATE);
  expect(producers.duplicate.append).toBe("first");
  first.committed(100);
  expect(producers.check(batch(7, 0, 0), 0, 0)).toBe(DUPLICATE);
  expect([producers.duplicate.append, producers.duplicate.baseOffset]).toEqual([null, 100]);
  expect(producers.check(batch(7, 0, 1), 0, 0)).toBe(DUPLICATE);
  expect(producers.duplicate.append).toBe("second");
});

test("a batch that fails takes with it what follows it, and the next sequence is that after the last committed one", () => {
  const producers = new Producers<number>(DAY_MS);
  const [first, second, third] = inFlight(producers, 0, 1, 2, 3);
  first!.committed(100);
  expect(producers.failed(second!)).toEqual([2, 3]);
  expect(producers.failed(third!)).toEqual([]);
  expect([0, 1, 2, 3].map((sequence) => verdictOf(producers, batch(7, 0, sequence)))).toEqual([
    100,
    ACCEPTED,
    OUT_OF_ORDER,
    OUT_OF_ORDER,
  ]);
});

test("a batch whose outcome is not known stays in flight: it is recognised, and what follows it is taken", () => {
  const producers = new Producers<number>(DAY_MS);
  const [unknown] = inFlight(producers, 0);
  expect(producers.check(batch(7, 0, 0), 0, 0)).toBe(DUPLICATE);
  inFlight(producers, 1);
  unknown!.committed(100);
  expect(verdictOf(producers, batch(7, 0, 0))).toBe(100);
});

test("when the first batch of an unknown producer fails, it must come again before what follows it", () => {
  const producers = new Producers<number>(DAY_MS);
  const [only] = inFlight(producers, 0);
  expect(producers.failed(only!)).toEqual([]);
  expect([1, 0].map((sequence) => producers.check(batch(7, 0, sequence), 0, 0))).toEqual([
    OUT_OF_ORDER,
    ACCEPTED,
  ]);
  expect(producers.check(batch(7, 1, 0), 0, 0)).toBe(ACCEPTED);
  expect(producers.check(batch(7, 0, 1), 0, DAY_MS)).toBe(ACCEPTED);
  const restored = new Producers(DAY_MS);
  restored.restore(producers.encode(ALL), 0);
  expect(restored.count).toBe(0);
});

test("when the first batch of an unknown producer is refused, it must come again before what follows it", () => {
  const producers = new Producers<number>(DAY_MS);
  producers.refused(batch(7, 3, 20), 0, 0);
  expect([21, 0, 20].map((sequence) => producers.check(batch(7, 3, sequence), 0, 0))).toEqual([
    OUT_OF_ORDER,
    OUT_OF_ORDER,
    ACCEPTED,
  ]);
  producers.accept(batch(7, 3, 20), 0, 20, 0);
  producers.refused(batch(7, 3, 22), 0, 0);
  expect(producers.check(batch(7, 3, 21), 0, 0)).toBe(ACCEPTED);
});

test("when the first batches of an epoch fail, the epoch before counts again, and not once one of them is committed", () => {
  const producers = new Producers<number>(DAY_MS);
  inFlight(producers, 0)[0]!.committed(100);
  const [second, third] = [
    producers.accept(batch(7, 1, 0), 0, 1, 0)!,
    producers.accept(batch(7, 2, 0), 0, 2, 0)!,
  ];
  expect(producers.check(batch(7, 0, 1), 0, 0)).toBe(OLD_EPOCH);
  expect([producers.failed(second), producers.failed(third)]).toEqual([[], []]);
  expect([verdictOf(producers, batch(7, 0, 0)), producers.check(batch(7, 0, 1), 0, 0)]).toEqual([
    100,
    ACCEPTED,
  ]);
  const [committed, failed] = [
    producers.accept(batch(7, 3, 0), 0, 3, 0)!,
    producers.accept(batch(7, 3, 1), 0, 4, 0)!,
  ];
  committed.committed(101);
  expect(producers.failed(failed)).toEqual([]);
  expect([producers.check(batch(7, 0, 1), 0, 0), producers.check(batch(7, 3, 1), 0, 0)]).toEqual([
    OLD_EPOCH,
    ACCEPTED,
  ]);
});

test("however many are in flight, each is recognised; of committed ones five are kept", () => {
  const producers = new Producers<number>(DAY_MS);
  const batches = inFlight(producers, 0, 1, 2, 3, 4, 5, 6, 7);
  const verdicts = () => [0, 1, 2, 7].map((sequence) => producers.check(batch(7, 0, sequence), 0, 0));
  expect(verdicts()).toEqual([DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE]);
  for (const [offset, each] of batches.entries()) each.committed(offset);
  inFlight(producers, 8)[0]!.committed(8);
  expect(verdicts()).toEqual([OUT_OF_ORDER, OUT_OF_ORDER, OUT_OF_ORDER, DUPLICATE]);
});

test("the state up to an offset knows what is below it, and of an epoch that is all after it the one before", () => {
  const producers = new Producers<number>(DAY_MS);
  const [first, second] = inFlight(producers, 0, 1);
  first!.committed(100);
  second!.baseOffset = 101;
  producers.accept(batch(7, 1, 0), 0, 2, 0)!.baseOffset = 102;
  producers.accept(batch(7, 1, 1), 0, 3, 0);
  const at = (offset: number) => {
    const restored = new Producers(DAY_MS);
    restored.restore(producers.encode(offset), 0);
    const sent = [batch(7, 0, 0), batch(7, 0, 1), batch(7, 1, 0), batch(7, 1, 1)];
    return sent.map((buffer) => verdictOf(restored, buffer));
  };
  expect(at(100)).toEqual([ACCEPTED, ACCEPTED, ACCEPTED, ACCEPTED]);
  expect(at(101)).toEqual([100, ACCEPTED, ACCEPTED, OUT_OF_ORDER]);
  expect(at(102)).toEqual([100, 101, ACCEPTED, OUT_OF_ORDER]);
  expect(at(ALL)).toEqual([OLD_EPOCH, OLD_EPOCH, 102, ACCEPTED]);
});

test("a producer with a batch in flight is not evicted, however many others come", () => {
  const producers = new Producers<number>(DAY_MS);
  const [waiting] = inFlight(producers, 0);
  for (let id = 100; id < 100 + PRODUCERS_MAX; id += 1) producers.record(batch(id, 0, 0), 0, id, 1);
  expect([producers.count, producers.check(batch(7, 0, 0), 0, 1)]).toEqual([PRODUCERS_MAX, DUPLICATE]);
  waiting!.committed(5);
  producers.record(batch(99, 0, 0), 0, 6, 2);
  expect([producers.count, producers.check(batch(7, 0, 0), 0, 2)]).toEqual([PRODUCERS_MAX, ACCEPTED]);
});

const SEEDS = 20;
const STEPS = 300;

test("batches of one producer that are accepted, committed and failed at random are told apart as in a plain list", () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = randomOf(seed);
    const producers = new Producers<number>(DAY_MS);
    let list: { sequence: number; offset: number; batch: ProducedBatch<number> }[] = [];
    let offset = 0;
    let first = -1;
    for (let step = 0; step < STEPS; step += 1) {
      const dice = random();
      const waiting = list.filter((each) => each.offset < 0);
      if (dice < 0.6) {
        const next = list.length > 0 ? list.at(-1)!.sequence + 1 : Math.max(first, 0);
        const sequence = random() < 0.6 ? next : Math.max(0, next - 3 + Math.floor(random() * 5));
        const known = list.find((each) => each.sequence === sequence);
        const isNext = sequence === next || (list.length === 0 && first < 0);
        const expected = known === undefined ? (isNext ? ACCEPTED : OUT_OF_ORDER) : DUPLICATE;
        const buffer = batch(7, 0, sequence);
        const verdict = producers.check(buffer, 0, 0);
        expect([seed, step, verdict]).toEqual([seed, step, expected]);
        if (verdict === DUPLICATE)
          expect([producers.duplicate.append, producers.duplicate.baseOffset]).toEqual(
            known!.offset < 0 ? [sequence, -1] : [null, known!.offset],
          );
        if (verdict !== ACCEPTED) continue;
        list.push({ sequence, offset: -1, batch: producers.accept(buffer, 0, sequence, 0)! });
        while (list.length > 5 && list[0]!.offset >= 0) list.shift();
      } else if (dice < 0.9 && waiting.length > 0) {
        waiting[0]!.offset = offset;
        waiting[0]!.batch.committed(offset);
        offset += 1;
      } else if (waiting.length > 0) {
        const failing = waiting[Math.floor(random() * waiting.length)]!;
        const following = waiting.slice(waiting.indexOf(failing) + 1).map(({ sequence }) => sequence);
        expect(producers.failed(failing.batch)).toEqual(following);
        list = list.slice(0, list.indexOf(failing));
        first = failing.batch.baseSequence;
      }
    }
  }
});
