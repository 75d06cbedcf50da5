/** The index against a plain model: an array of every batch. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { faultOfIndex, INDEX_INTERVAL_BYTES, SegmentIndex } from "../../../src/storage/file/segment-index.ts";

interface Batch {
  last: number;
  position: number;
  bytes: number;
  timestamp: number;
}

const batches = fc
  .array(
    fc.record({
      count: fc.integer({ min: 1, max: 5 }),
      bytes: fc.integer({ min: 61, max: 9000 }),
      timestamp: fc.nat(50),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((parts) => {
    const made: Batch[] = [];
    let last = -1;
    let position = 0;
    for (const { count, bytes, timestamp } of parts) {
      last += count;
      made.push({ last, position, bytes, timestamp });
      position += bytes;
    }
    return made;
  });

function indexOf(made: readonly Batch[]): SegmentIndex {
  const index = SegmentIndex.growing();
  for (const batch of made) index.record(batch.last, batch.position, batch.bytes, batch.timestamp);
  return index;
}

test("an entry leads to a batch at or before the one that holds the offset, at most one interval and a batch away", () => {
  fc.assert(
    fc.property(batches, (made) => {
      const index = indexOf(made);
      for (const wanted of made) {
        const slot = index.slotOf(wanted.last);
        const position = slot < 0 ? 0 : index.positionAt(slot);
        const found = made.find((batch) => batch.position === position)!;
        expect(found.position).toBeLessThanOrEqual(wanted.position);
        if (slot >= 0) expect(index.offsetAt(slot)).toBe(found.last);
        const between = made.filter((batch) => batch.position > position && batch.position < wanted.position);
        const bytes = between.reduce((sum, batch) => sum + batch.bytes, 0);
        const lastBytes = between.at(-1)?.bytes ?? 0;
        expect(bytes - lastBytes).toBeLessThanOrEqual(INDEX_INTERVAL_BYTES);
      }
    }),
  );
});

test("no batch before the offset that the time index names reaches the timestamp", () => {
  fc.assert(
    fc.property(batches, fc.nat(55), (made, timestamp) => {
      const index = indexOf(made);
      const offset = index.offsetBefore(timestamp);
      for (const batch of made) if (batch.last < offset) expect(batch.timestamp).toBeLessThan(timestamp);
      expect(index.maxTimestamp).toBe(Math.max(...made.map((batch) => batch.timestamp)));
      const firstOfMax = made.find((batch) => batch.timestamp === index.maxTimestamp)!;
      expect(index.maxTimestampOffset).toBe(firstOfMax.last);
    }),
  );
});

test("a time entry before an offset names the first batch with the largest timestamp up to it", () => {
  fc.assert(
    fc.property(batches, fc.nat(300), (made, limit) => {
      const entry = indexOf(made).timeEntryBefore(limit);
      if (entry.timestamp === -1) return;
      const upTo = made.filter(({ last }) => last <= entry.relativeOffset);
      const largest = Math.max(...upTo.map(({ timestamp }) => timestamp));
      expect(entry.relativeOffset).toBeLessThan(limit);
      expect(entry.timestamp).toBe(largest);
      expect(upTo.find(({ timestamp }) => timestamp === largest)?.last).toBe(entry.relativeOffset);
    }),
  );
});

test("an index restored from its own bytes grows on as if nothing had happened", () => {
  fc.assert(
    fc.property(batches, fc.nat(60), (made, cut) => {
      const before = made.slice(0, cut);
      const end = before.at(-1) === undefined ? 0 : before.at(-1)!.position + before.at(-1)!.bytes;
      const whole = indexOf(made);
      const half = indexOf(before);
      const restored = SegmentIndex.growing();
      restored.restore(whole.offsets, whole.times, end, half.maxTimestamp, half.maxTimestampOffset);
      for (const batch of made.slice(cut))
        restored.record(batch.last, batch.position, batch.bytes, batch.timestamp);
      restored.seal();
      whole.seal();
      expect([restored.offsets, restored.times]).toEqual([whole.offsets, whole.times]);
    }),
  );
});

test("an index has no fault, and every cut or backward step has one", () => {
  const made = Array.from({ length: 40 }, (_, index) => ({
    last: index,
    position: index * 3000,
    bytes: 3000,
    timestamp: index,
  }));
  const index = indexOf(made);
  index.seal();
  const { offsets, times } = index;
  expect(faultOfIndex(offsets, times, 120_000)).toBeNull();
  expect(faultOfIndex(Buffer.alloc(0), Buffer.alloc(0), 0)).toBeNull();
  expect(faultOfIndex(offsets.subarray(0, 9), times, 120_000)).toContain("9 bytes");
  expect(faultOfIndex(offsets, times.subarray(0, 11), 120_000)).toContain("11 bytes");
  expect(faultOfIndex(offsets, times, 10_000)).toContain("does not follow");
  expect(faultOfIndex(Buffer.concat([offsets, offsets]), times, 120_000)).toContain("does not follow");
  expect(faultOfIndex(offsets, Buffer.concat([times, times]), 120_000)).toContain("does not follow");
  expect(faultOfIndex(Buffer.alloc(16), times, 120_000)).toContain("entry 0");
});
