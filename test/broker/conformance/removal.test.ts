/** Conformance of partitions: what becomes of appends under way when their topic is removed, or the broker is closed. */

import { describe, expect, test } from "bun:test";
import { NO_ERROR, type ObeliskError, wireCode } from "../../../src/base/errors.ts";
import { batchOf } from "../../support/batches.ts";
import { appendTo, TestAppend } from "../../support/partitions.ts";
import { batchFrom, createPartitions, manyTurns, readAll, SUBJECTS } from "./subject.ts";

const GONE = wireCode("UNKNOWN_TOPIC_OR_PARTITION");

for (const kind of SUBJECTS) {
  describe(kind.name, () => {
    test("a topic that is removed tells each append under way, once, and gives its buffer back", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      await appendTo(partition!, batchOf(["there before"])).done;
      let wakes = 0;
      partition!.addReader({ wake: () => (wakes += 1) });
      subject.hold();
      const appends = Array.from({ length: 10 }, (_, sequence) => {
        const buffer = batchFrom({ producerId: 7, baseSequence: sequence >> 1 }, "v");
        const append = new TestAppend();
        partition!.append(buffer, 0, buffer.length, {
          appended: (outcome) => {
            buffer.fill(0);
            append.appended(outcome);
          },
        });
        return append;
      });
      await manyTurns();
      expect(appends.every(({ outcome }) => outcome === null)).toBe(true);
      const removed = subject.broker.topics.remove("t");
      await manyTurns();
      expect(appends.map(({ told }) => [told.errorCode, told.baseOffset])).toEqual(
        appends.map(() => [GONE, -1]),
      );
      expect([wakes > 0, partition!.isUnavailable, partition!.refusal]).toEqual([
        true,
        true,
        "UNKNOWN_TOPIC_OR_PARTITION",
      ]);
      subject.release();
      await removed;
      await manyTurns();
      expect((await appendTo(partition!, batchOf(["late"])).done).errorCode).toBe(GONE);
    });

    test("what is read or looked up while the topic is removed is refused as of one that is not there", async () => {
      await using subject = await kind.open({ recentBytesMax: 0 });
      const [partition] = await createPartitions(subject.broker, 1);
      await appendTo(partition!, batchOf(["a"])).done;
      const GONE_ERROR = "UNKNOWN_TOPIC_OR_PARTITION";
      const codeOf = async (ask: () => unknown) => {
        try {
          await ask();
        } catch (thrown) {
          return (thrown as ObeliskError).code;
        }
        return null;
      };
      const requests = [
        () => partition!.span(0, 1000, true),
        () => partition!.offsetForTimestamp(0),
        () => partition!.offsetOfMaxTimestamp(),
      ];
      const early = Promise.all(requests.map(codeOf));
      await subject.broker.topics.remove("t");
      for (const code of await early) expect([null, GONE_ERROR]).toContain(code);
      expect(await Promise.all(requests.map(codeOf))).toEqual([GONE_ERROR, GONE_ERROR, GONE_ERROR]);
      expect(await codeOf(() => partition!.checkWritable())).toBe(GONE_ERROR);
    });

    test("a topic that is made anew begins empty, and knows no producer of the old one", async () => {
      await using subject = await kind.open();
      const [old] = await createPartitions(subject.broker, 1);
      await appendTo(old!, batchFrom({ producerId: 7, baseSequence: 0 }, "old")).done;
      await manyTurns(); // the row says now that the topic is made, and the removal need not wait for that
      subject.hold();
      const underWay = appendTo(old!, batchFrom({ producerId: 7, baseSequence: 1 }, "lost"));
      const removed = subject.broker.topics.remove("t");
      subject.release();
      await removed;
      expect((await underWay.done).errorCode).toBe(GONE);
      const [partition] = await createPartitions(subject.broker, 1);
      const batch = batchFrom({ producerId: 7, baseSequence: 0 }, "new");
      expect(await appendTo(partition!, batch).done).toMatchObject({ errorCode: NO_ERROR, baseOffset: 0 });
      await manyTurns();
      expect(await readAll(partition!)).toEqual([[0, "new"]]);
    });

    test("a broker that is closed has told every append before, also of messages that waited for their batch", async () => {
      await using subject = await kind.open();
      const partitions = await createPartitions(subject.broker, 3);
      const appends = Array.from({ length: 30 }, (_, index) =>
        appendTo(partitions[index % 3]!, batchOf([`${index}`])),
      );
      const value = Buffer.from("single");
      const batch = subject.broker.batcher.append(partitions[0]!, 1, null, 0, 0, value, 0, value.length);
      await subject.broker.close();
      expect(appends.map(({ told }) => told.errorCode)).toEqual(appends.map(() => NO_ERROR));
      expect([batch.isDurable, batch.baseOffset >= 0]).toEqual([true, true]);
    });
  });
}
