/** The output queue against a sink that takes as much as it likes. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ByteSink, OutputQueue } from "../../src/network/output-queue.ts";

class Sink implements ByteSink {
  taken = Buffer.alloc(0);
  writes = 0;
  /** How much the next writes take; afterwards everything. */
  constructor(readonly limits: number[] = []) {}

  write(data: Buffer, position: number, bytes: number): number {
    this.writes += 1;
    const taken = Math.min(bytes, this.limits.shift() ?? bytes);
    if (taken > 0) this.taken = Buffer.concat([this.taken, data.subarray(position, position + taken)]);
    return taken;
  }
}

function queueOf(...buffers: Buffer[]): OutputQueue {
  const queue = new OutputQueue(() => {});
  for (const buffer of buffers) queue.push(buffer);
  return queue;
}

test("however little the system takes at a time, the bytes come out whole and in order", () => {
  const sizes = fc.array(fc.oneof(fc.nat({ max: 50 }), fc.integer({ min: 16_000, max: 70_000 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(sizes, fc.array(fc.nat({ max: 40_000 }), { maxLength: 20 }), (lengths, limits) => {
      const buffers = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const expected = Buffer.concat(buffers);
      const queue = queueOf(...buffers);
      const sink = new Sink([...limits]);
      for (let flushes = 0; queue.bytes > 0; flushes += 1) {
        expect(flushes).toBeLessThanOrEqual(limits.length);
        queue.flush(sink);
        expect(queue.bytes).toBe(expected.length - sink.taken.length);
      }
      expect(sink.taken.equals(expected)).toBe(true);
    }),
  );
});

test("many small buffers go out in one write, a large one between them in its own", () => {
  const small = Array.from({ length: 100 }, (_, index) => Buffer.alloc(10, index));
  const sink = new Sink();
  expect(queueOf(...small).flush(sink)).toBe(1000);
  expect(sink.writes).toBe(1);
  const mixed = new Sink();
  queueOf(Buffer.alloc(5), Buffer.alloc(5), Buffer.alloc(100_000), Buffer.alloc(5), Buffer.alloc(5)).flush(
    mixed,
  );
  expect(mixed.writes).toBe(3);
});

test("a closed socket is reported, and nothing is counted as sent", () => {
  const queue = queueOf(Buffer.alloc(10));
  expect([queue.flush(new Sink([-1])), queue.bytes]).toEqual([-1, 10]);
  queue.clear();
  expect([queue.flush(new Sink()), queue.bytes]).toEqual([0, 0]);
});
