/** Batches of the ring that are taken slowly while others push them out of it: the rest comes from the log, byte for byte. */

import { expect, test } from "bun:test";
import { RecentBatches } from "../../src/broker/recent-batches.ts";
import { RecentRecords, type RecentSource } from "../../src/broker/recent-records.ts";
import type { PartitionLog, RecordSpan } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { Replay } from "../storage/conformance/suite.ts";
import { batchOf } from "../support/batches.ts";
import { randomOf } from "../support/random.ts";

const SEGMENT_OFFSETS = 10;

/** A ring of ten batches or so for one row, over a log that reads to the end of a "segment", at once or later. */
async function subject(random: () => number) {
  const recent = new RecentBatches(10_000);
  const row = recent.row();
  const memory = await new MemoryEngine().open("t", 0, new Replay());
  const log = {
    span: (offset: number, limitOffset: number, bytesMax: number, atLeastOne: boolean) => {
      const segmentEnd = (Math.floor(offset / SEGMENT_OFFSETS) + 1) * SEGMENT_OFFSETS;
      const span = memory.span(offset, Math.min(limitOffset, segmentEnd), bytesMax, atLeastOne);
      return random() < 0.5 ? span : Promise.resolve(span);
    },
  } as PartitionLog;
  const stored: Buffer[] = [];
  const produce = () => {
    const batch = batchOf([`${stored.length} `.padEnd(Math.floor(random() * 2000), "x")]);
    const baseOffset = memory.append(batch, 0, batch.length);
    row.add(batch, 0, batch.length, baseOffset, baseOffset + 1);
    stored.push(batch);
  };
  const source: RecentSource = { row, log, checkReadable: () => {} };
  return { row, source, stored, produce };
}

function take(span: RecordSpan, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      try {
        const piece = span.peek(look);
        if (piece === null) return;
        const taken = Buffer.from(piece.subarray(0, bytesMax));
        span.skip(taken.length);
        resolve(taken);
      } catch (thrown) {
        reject(thrown);
      }
    };
    look();
  });
}

test("however slowly they are taken, and whatever is pushed out meanwhile, the bytes are those that were promised", async () => {
  const random = randomOf(11);
  const { row, source, stored, produce } = await subject(random);
  for (let round = 0; round < 200; round += 1) {
    for (let count = 0; count < 12; count += 1) produce();
    const offset = row.startOffset + Math.floor(random() * (stored.length - row.startOffset));
    const measured = row.measure(offset, stored.length, Math.floor(random() * 12_000), true)!;
    const span = new RecentRecords(source, offset, measured);
    const promised = Buffer.concat(stored.slice(offset, measured.nextOffset));
    expect(span.length).toBe(promised.length);
    const taken: Buffer[] = [];
    while (span.length > 0) {
      taken.push(await take(span, 1 + Math.floor(random() * 3000)));
      if (random() < 0.4) produce();
    }
    expect(Buffer.concat(taken).equals(promised)).toBe(true);
  }
});

test("what cannot be read again is an error: the partition is gone, or its log holds other bytes", async () => {
  const { row, source, produce } = await subject(() => 0);
  for (let count = 0; count < 3; count += 1) produce();
  const gone = new RecentRecords(
    {
      ...source,
      checkReadable: () => {
        throw new Error("gone");
      },
    },
    0,
    row.measure(0, 3, 10_000, true)!,
  );
  expect(() => gone.peek(() => {})).toThrow("gone");
  const other = new RecentRecords(source, 0, { bytes: 100_000, nextOffset: 3 });
  row.clear();
  expect(() => other.peek(() => {})).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
});
