/** Conformance of partitions: the log start moves up, and nothing below it is served any more. */

import { describe, expect, test } from "bun:test";
import type { ObeliskError } from "../../../src/base/errors.ts";
import type { Partition } from "../../../src/broker/partition.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { topicDefaults } from "../../support/broker.ts";
import { appendTo } from "../../support/partitions.ts";
import { batchFrom, createPartitions, manyTurns, SUBJECTS } from "./subject.ts";

const OUT_OF_RANGE = "OFFSET_OUT_OF_RANGE";

async function codeOf(ask: () => unknown): Promise<string | null> {
  try {
    await ask();
  } catch (thrown) {
    return (thrown as ObeliskError).code;
  }
  return null;
}

async function valuesFrom(partition: Partition, offset: number): Promise<[number, string | null][]> {
  return recordsIn(await bytesOf(partition.span(offset, 1_000_000, true))).filter(([at]) => at >= offset);
}

for (const kind of SUBJECTS) {
  describe(kind.name, () => {
    for (const recentBytesMax of [0, 1_000_000]) {
      const where = recentBytesMax === 0 ? "in the store" : "in memory";

      test(`nothing below the start is read or found, ${where}`, async () => {
        await using subject = await kind.open({ recentBytesMax });
        const partition = (await createPartitions(subject.broker, 1))[0]!;
        await appendTo(partition, batchOf(["a", "b", "c"], {}, 1000)).done;
        await appendTo(partition, batchOf(["d"], {}, 2000)).done;
        expect(await partition.deleteBefore(1)).toBe(1);
        expect(partition.startOffset).toBe(1);
        expect(await codeOf(() => partition.span(0, 1000, true))).toBe(OUT_OF_RANGE);
        expect(await valuesFrom(partition, 1)).toContainEqual([1, "b"]);
        expect(await partition.offsetForTimestamp(0)).toMatchObject({ offset: 1, timestampMs: 1001 });
        expect(await partition.deleteBefore(3)).toBe(3);
        expect(await valuesFrom(partition, 3)).toEqual([[3, "d"]]);
        expect(await partition.offsetForTimestamp(0)).toMatchObject({ offset: 3 });
        expect(await partition.deleteBefore(4)).toBe(4);
        expect(await partition.offsetOfMaxTimestamp()).toBeNull();
        expect((await appendTo(partition, batchOf(["e"])).done).baseOffset).toBe(4);
        expect(await valuesFrom(partition, 4)).toEqual([[4, "e"]]);
      });
    }

    test("the start never moves down, nor beyond the high watermark", async () => {
      await using subject = await kind.open();
      const partition = (await createPartitions(subject.broker, 1))[0]!;
      await appendTo(partition, batchOf(["a", "b"])).done;
      expect(await partition.deleteBefore(2)).toBe(2);
      expect(await partition.deleteBefore(1)).toBe(2);
      expect(await codeOf(() => partition.deleteBefore(3))).toBe(OUT_OF_RANGE);
      expect(await codeOf(() => partition.deleteBefore(-1))).toBe(OUT_OF_RANGE);
      expect(partition.startOffset).toBe(2);
    });

    test("who waits is woken when the start moves", async () => {
      await using subject = await kind.open();
      const partition = (await createPartitions(subject.broker, 1))[0]!;
      await appendTo(partition, batchOf(["a", "b"])).done;
      let wakes = 0;
      partition.addReader({ wake: () => (wakes += 1) });
      await partition.deleteBefore(1);
      expect(wakes).toBeGreaterThan(0);
    });

    test("what a deletion takes is remembered of its producers", async () => {
      await using subject = await kind.open();
      const partition = (await createPartitions(subject.broker, 1))[0]!;
      for (let sequence = 0; sequence < 3; sequence += 1)
        await appendTo(partition, batchFrom({ producerId: 7, baseSequence: sequence }, "v")).done;
      await partition.deleteBefore(3);
      const again = await appendTo(partition, batchFrom({ producerId: 7, baseSequence: 2 }, "v")).done;
      expect([again.errorCode, again.baseOffset]).toEqual([0, 2]);
      const next = await appendTo(partition, batchFrom({ producerId: 7, baseSequence: 3 }, "v")).done;
      expect([next.errorCode, next.baseOffset]).toEqual([0, 3]);
    });

    test("a topic that is removed deletes no records any more", async () => {
      await using subject = await kind.open();
      const partition = (await createPartitions(subject.broker, 1))[0]!;
      await appendTo(partition, batchOf(["a"])).done;
      await subject.broker.topics.remove("t");
      expect(await codeOf(() => partition.deleteBefore(1))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    });

    test("what a topic's size does not keep is deleted, the oldest first, once somebody looks", async () => {
      const rules = topicDefaults({ "retention.bytes": "1000" });
      await using subject = await kind.open({ topicDefaults: rules });
      const partition = (await createPartitions(subject.broker, 1))[0]!;
      for (let index = 0; index < 20; index += 1) await appendTo(partition, batchOf(["x".repeat(100)])).done;
      const [owned] = [...subject.broker.topics.owned()];
      while (owned!.mustRetain("rolled")) await owned!.retain();
      await manyTurns();
      expect([owned!.startOffset >= 0, partition.highWatermark]).toEqual([true, 20]);
      expect((await appendTo(partition, batchOf(["next"])).done).baseOffset).toBe(20);
    });
  });
}
