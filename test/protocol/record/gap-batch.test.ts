import { expect, test } from "bun:test";
import {
  batchBaseOffset,
  batchBytes,
  batchLastOffset,
  batchLeaderEpoch,
} from "../../../src/protocol/record/batch.ts";
import { gapBatch } from "../../../src/protocol/record/gap-batch.ts";
import { RecordCursor } from "../../../src/protocol/record/records.ts";
import { validateStoredBatch } from "../../../src/protocol/record/validate.ts";

test("a gap batch is valid, spans its offsets and holds no record", () => {
  for (const [offset, endOffset] of [
    [0, 1],
    [29_900, 30_000],
    [2 ** 40, 2 ** 40 + 7],
  ] as const) {
    const batch = gapBatch(offset, endOffset);
    const cursor = new RecordCursor();
    cursor.open(batch, 0);
    expect({
      fault: validateStoredBatch(batch, 0, batch.length),
      bytes: batchBytes(batch, 0),
      from: batchBaseOffset(batch, 0),
      to: batchLastOffset(batch, 0) + 1,
      leaderEpoch: batchLeaderEpoch(batch, 0),
      hasRecord: cursor.next(),
    }).toEqual({
      fault: null,
      bytes: batch.length,
      from: offset,
      to: endOffset,
      leaderEpoch: -1,
      hasRecord: false,
    });
  }
});

test("a gap wider than a batch can span is told in steps", () => {
  const batch = gapBatch(5, 2 ** 33);
  expect(batchLastOffset(batch, 0)).toBe(5 + 2 ** 31 - 1);
});
