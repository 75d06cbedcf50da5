/** Conformance of partitions: what is read, looked up and waited for. */

import { describe, expect, test } from "bun:test";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { until } from "../../support/kafka-until.ts";
import { appendTo } from "../../support/partitions.ts";
import { createPartitions, manyTurns, SUBJECTS } from "./subject.ts";

/** Told of a span that is refused at once, and of one that is refused later. */
async function refusalOf(span: () => unknown): Promise<unknown> {
  try {
    await span();
  } catch (thrown) {
    return thrown;
  }
  return null;
}

for (const kind of SUBJECTS) {
  describe(kind.name, () => {
    test("who reads is woken when the high watermark has moved, until it is removed", async () => {
      await using subject = await kind.open();
      const [partition, other] = await createPartitions(subject.broker, 2);
      const seen: number[] = [];
      const reader = { wake: () => void seen.push(partition!.highWatermark) };
      partition!.addReader(reader);
      await appendTo(other!, batchOf(["elsewhere"])).done;
      await appendTo(partition!, batchOf(["a", "b"])).done;
      await until(() => seen.at(-1) === 2);
      await appendTo(partition!, batchOf(["c"])).done;
      await until(() => seen.at(-1) === 3);
      expect(seen.includes(0)).toBe(false);
      await manyTurns();
      const before = seen.length;
      partition!.removeReader(reader);
      await appendTo(partition!, batchOf(["d"])).done;
      await manyTurns();
      expect(seen.length).toBe(before);
    });

    test("out of range is below the start and beyond the end, and the end itself is empty", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      await appendTo(partition!, batchOf(["a", "b"])).done;
      const outOfRange = expect.objectContaining({ code: "OFFSET_OUT_OF_RANGE" });
      for (const offset of [-1, 3, 1000])
        expect(await refusalOf(() => partition!.span(offset, 1000, true))).toEqual(outOfRange);
      const atEnd = await partition!.span(2, 1000, true);
      expect([atEnd.length, atEnd.nextOffset]).toEqual([0, 2]);
    });

    test("whole batches come, from the one that contains the offset, as many as fit and one at least", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const sizes: number[] = [];
      for (const values of [["a", "b", "c"], ["d"], ["e", "f"]]) {
        const batch = batchOf(values);
        sizes.push(batch.length);
        await appendTo(partition!, batch).done;
      }
      const offsetsOf = async (offset: number, bytesMax: number, atLeastOne: boolean) => {
        const span = await partition!.span(offset, bytesMax, atLeastOne);
        const { nextOffset } = span;
        return [recordsIn(await bytesOf(span)).map(([found]) => found), nextOffset];
      };
      const all = 10_000;
      expect(await offsetsOf(0, all, true)).toEqual([[0, 1, 2, 3, 4, 5], 6]);
      expect(await offsetsOf(2, all, false)).toEqual([[0, 1, 2, 3, 4, 5], 6]);
      expect(await offsetsOf(3, all, true)).toEqual([[3, 4, 5], 6]);
      expect(await offsetsOf(0, sizes[0]! + sizes[1]!, true)).toEqual([[0, 1, 2, 3], 4]);
      expect(await offsetsOf(0, sizes[0]! + sizes[1]! - 1, true)).toEqual([[0, 1, 2], 3]);
      expect(await offsetsOf(5, 1, true)).toEqual([[4, 5], 6]);
      expect(await offsetsOf(5, 1, false)).toEqual([[], 5]);
    });

    test("records are found by time, and the one with the largest", async () => {
      await using subject = await kind.open();
      const [partition, empty] = await createPartitions(subject.broker, 2);
      await appendTo(partition!, batchOf(["a", "b"], {}, 1000)).done;
      await appendTo(partition!, batchOf(["c", "d"], {}, 5000)).done;
      await appendTo(partition!, batchOf(["e"], {}, 2000)).done;
      const { leaderEpoch } = partition!;
      for (const [timestampMs, offset, found] of [
        [0, 0, 1000],
        [1001, 1, 1001],
        [1002, 2, 5000],
        [5001, 3, 5001],
      ] as const) {
        expect(await partition!.offsetForTimestamp(timestampMs)).toEqual({
          offset,
          timestampMs: found,
          leaderEpoch,
        });
      }
      expect(await partition!.offsetForTimestamp(5002)).toBeNull();
      expect(await partition!.offsetOfMaxTimestamp()).toEqual({ offset: 3, timestampMs: 5001, leaderEpoch });
      expect([await empty!.offsetForTimestamp(0), await empty!.offsetOfMaxTimestamp()]).toEqual([null, null]);
    });

    test("the epoch ends at the end, and one that nobody knows nowhere", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      await appendTo(partition!, batchOf(["a", "b"])).done;
      const { leaderEpoch, startLeaderEpoch } = partition!;
      expect(startLeaderEpoch).toBe(leaderEpoch);
      expect(await partition!.endOffsetForEpoch(leaderEpoch)).toEqual({ leaderEpoch, endOffset: 2 });
      expect(await partition!.endOffsetForEpoch(leaderEpoch - 1)).toBeNull();
    });

    test("while appends go on the high watermark only ascends, and all below it can be read", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const appends = Array.from({ length: 40 }, (_, index) => appendTo(partition!, batchOf([`${index}`])));
      let seen = 0;
      while (seen < 40) {
        const { highWatermark } = partition!;
        expect(highWatermark).toBeGreaterThanOrEqual(seen);
        const span = await partition!.span(seen, 1_000_000, true);
        const { nextOffset } = span;
        const values = recordsIn(await bytesOf(span));
        expect(values).toEqual(values.map((_, index) => [seen + index, `${seen + index}`]));
        expect(nextOffset).toBeGreaterThanOrEqual(highWatermark);
        expect(partition!.highWatermark).toBeGreaterThanOrEqual(nextOffset);
        seen = nextOffset;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      await Promise.all(appends.map(({ done }) => done));
    });

    test("a partition counts as used when its first record is committed", async () => {
      await using subject = await kind.open();
      const topic = await subject.broker.topics.create("t", { partitions: 2, configs: {} });
      const told: unknown[] = [];
      topic.whenUsed((error) => told.push(error));
      subject.hold();
      const append = appendTo(topic.partitions[1]!, batchOf(["a"]));
      await manyTurns();
      expect(told).toEqual([]);
      subject.release();
      await append.done;
      await until(() => told.length === 1);
      expect(told).toEqual([null]);
      await subject.broker.topics.remove("t");
      expect(told).toEqual([null, "UNKNOWN_TOPIC_OR_PARTITION"]);
    });
  });
}
