import { expect, test } from "bun:test";
import { ProduceSummary } from "../../commands/produce-summary.ts";

function summary(batches: [partition: number, baseOffset: number, count: number][]): ProduceSummary {
  const made = new ProduceSummary("t");
  for (const [partition, baseOffset, count] of batches)
    made.delivered({ topic: "t", partition, baseOffset, count, bytes: 0 });
  made.bytes = 2048;
  return made;
}

test("one record, one partition, several, gaps, and offsets that nobody knows", () => {
  const lines = (batches: [number, number, number][]) => summary(batches).lines(1000);
  expect(lines([[0, 7, 1]])).toEqual(["1 record to t, 2 KiB in 1s, partition 0, offset 7"]);
  expect(
    lines([
      [0, 7, 2],
      [0, 9, 1500],
    ]),
  ).toEqual(["1502 records to t, 2 KiB in 1s, 1502 records/s, partition 0, offsets 7 to 1508"]);
  expect(
    lines([
      [0, 7, 2],
      [0, 20, 1],
    ]),
  ).toEqual(["3 records to t, 2 KiB in 1s, partition 0, within offsets 7 to 20"]);
  expect(
    lines([
      [1, 0, 2],
      [0, 5, 1],
    ]),
  ).toEqual([
    "3 records to t, 2 KiB in 1s, 2 partitions",
    "  partition 0: 1 record, offset 5",
    "  partition 1: 2 records, offsets 0 to 1",
  ]);
  expect(lines([[0, -1, 3]])).toEqual(["3 records to t, 2 KiB in 1s, partition 0"]);
  expect(lines([])).toEqual(["0 records to t, 2 KiB in 1s"]);
});

test("as JSON, with what failed", () => {
  const made = summary([[1, 3, 2]]);
  made.failedCount = 4;
  expect(made.json(12.4)).toEqual({
    event: "produced",
    topic: "t",
    records: 2,
    failed: 4,
    bytes: 2048,
    ms: 12,
    partitions: [{ partition: 1, records: 2, firstOffset: 3, lastOffset: 4 }],
  });
  expect(made.lines(10).at(-1)).toBe("4 records not acknowledged");
});
