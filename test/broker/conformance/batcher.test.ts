/** The batcher over each kind of partitions: messages that come one by one are told what became of their batch, and are read as they came. */

import { describe, expect, test } from "bun:test";
import type { PendingBatch } from "../../../src/broker/batcher.ts";
import type { Broker } from "../../../src/broker/broker.ts";
import { type Partition, UNKNOWN_OUTCOME } from "../../../src/broker/partition.ts";
import { createPartitions, manyTurns, openShared, readAll, SUBJECTS } from "./subject.ts";

function add(broker: Broker, partition: Partition, text: string): PendingBatch {
  const value = Buffer.from(text);
  return broker.batcher.append(partition, 1000, null, 0, 0, value, 0, value.length);
}

function completed(batch: PendingBatch): Promise<PendingBatch> {
  return new Promise((resolve) => batch.listen({ batchCompleted: () => resolve(batch) }));
}

for (const kind of SUBJECTS) {
  describe(kind.name, () => {
    test("messages are stored in their order, each in a batch that is told its offset", async () => {
      await using subject = await kind.open({ batchCountMax: 7 });
      const partitions = await createPartitions(subject.broker, 3);
      const values: string[][] = [[], [], []];
      const batches = new Set<PendingBatch>();
      for (let index = 0; index < 300; index += 1) {
        const text = `${index}/`.padEnd(5 + (index % 40), "z");
        values[index % 3]!.push(text);
        batches.add(add(subject.broker, partitions[index % 3]!, text));
        if (index % 50 === 0) await manyTurns();
      }
      await Promise.all([...batches].map(completed));
      expect([...batches].every(({ isDurable, baseOffset }) => isDurable && baseOffset >= 0)).toBe(true);
      for (const [index, partition] of partitions.entries())
        expect(await readAll(partition)).toEqual(values[index]!.map((value, offset) => [offset, value]));
    });

    test("batches that wait for their commit keep what they hold while others are filled", async () => {
      await using subject = await kind.open({ batchCountMax: 2 });
      const [partition] = await createPartitions(subject.broker, 1);
      subject.hold();
      const values = Array.from({ length: 40 }, (_, index) => `value ${index}`);
      const batches = new Set(values.map((value) => add(subject.broker, partition!, value)));
      await manyTurns();
      expect([...batches].some(({ isCompleted }) => isCompleted)).toBe(false);
      expect([...batches].every(({ baseOffset }) => baseOffset === -1)).toBe(true);
      subject.release();
      await Promise.all([...batches].map(completed));
      expect((await readAll(partition!)).map(([, value]) => value)).toEqual(values);
    });

    test("a batch that is refused is told so, and the next is stored", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      subject.failNext(partition!);
      const refused = await completed(add(subject.broker, partition!, "lost"));
      expect([refused.isDurable, refused.baseOffset, refused.error === null]).toEqual([false, -1, false]);
      const stored = await completed(add(subject.broker, partition!, "kept"));
      expect([stored.isDurable, stored.baseOffset, stored.error]).toEqual([true, 0, null]);
    });
  });
}

test("delayed commits: a batch whose outcome nobody knows is told so, and does not count as stored", async () => {
  await using subject = await openShared();
  const [partition] = await createPartitions(subject.broker, 1);
  subject.failCommits("unknown-stored");
  const { isDurable, error } = await completed(add(subject.broker, partition!, "maybe"));
  expect([isDurable, error]).toEqual([false, UNKNOWN_OUTCOME]);
  expect(await readAll(partition!)).toEqual([[0, "maybe"]]);
});
