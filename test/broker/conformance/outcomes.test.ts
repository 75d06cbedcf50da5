/** Conformance of partitions: what an append is told, when, and what may be seen by then. */

import { describe, expect, test } from "bun:test";
import { NO_ERROR, wireCode } from "../../../src/base/errors.ts";
import { batchBytes } from "../../../src/protocol/record/batch.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { topicDefaults } from "../../support/broker.ts";
import { appendTo, TestAppend } from "../../support/partitions.ts";
import { batchFrom, createPartitions, manyTurns, readAll, SUBJECTS } from "./subject.ts";

const POISON = 0xa5;

for (const kind of SUBJECTS) {
  describe(kind.name, () => {
    test("every append is told its outcome once, and offsets go on without a gap, in each partition by itself", async () => {
      await using subject = await kind.open();
      const partitions = await createPartitions(subject.broker, 3);
      const sizes = Array.from({ length: 60 }, (_, index) => 1 + ((index * 7) % 5));
      const appends = sizes.map((size, index) =>
        appendTo(partitions[index % 3]!, batchOf(Array.from({ length: size }, () => `${index}`))),
      );
      await Promise.all(appends.map(({ done }) => done));
      await manyTurns();
      for (let index = 0; index < 3; index += 1) {
        let next = 0;
        for (const [place, { told }] of appends.entries()) {
          if (place % 3 !== index) continue;
          expect(told).toEqual({
            errorCode: NO_ERROR,
            errorMessage: null,
            baseOffset: next,
            logAppendTimeMs: -1,
          });
          next += sizes[place]!;
        }
        expect((await readAll(partitions[index]!)).length).toBe(next);
      }
    });

    test("nobody hears or sees anything of an append before its outcome", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      let wakes = 0;
      partition!.addReader({ wake: () => (wakes += 1) });
      subject.hold();
      const appends = ["a", "b"].map((value) => appendTo(partition!, batchOf([value])));
      await manyTurns();
      expect(appends.map(({ outcome }) => outcome)).toEqual([null, null]);
      expect([partition!.highWatermark, await partition!.latestOffset(), wakes]).toEqual([0, 0, 0]);
      expect((await partition!.span(0, 1000, true)).length).toBe(0);
      expect(await partition!.offsetForTimestamp(0)).toBeNull();
      subject.release();
      await Promise.all(appends.map(({ done }) => done));
      expect([await partition!.latestOffset(), await readAll(partition!)]).toEqual([
        2,
        [
          [0, "a"],
          [1, "b"],
        ],
      ]);
    });

    test("who is told an offset finds the record at it, in the same moment", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      for (let offset = 0; offset < 20; offset += 1) {
        const found = Promise.withResolvers<[number, string | null][]>();
        const batch = batchOf([`value ${offset}`]);
        partition!.append(batch, 0, batch.length, {
          appended: ({ baseOffset }) => {
            expect(partition!.highWatermark).toBeGreaterThan(baseOffset);
            bytesOf(partition!.span(baseOffset, 1000, true)).then((bytes) => found.resolve(recordsIn(bytes)));
          },
        });
        expect(await found.promise).toEqual([[offset, `value ${offset}`]]);
        expect(await partition!.latestOffset()).toBe(offset + 1);
      }
    });

    test("committed batches of a producer are told in the order in which they were appended", async () => {
      await using subject = await kind.open();
      const partitions = await createPartitions(subject.broker, 2);
      const told: string[][] = [[], []];
      const appends: TestAppend[] = [];
      for (let sequence = 0; sequence < 25; sequence += 1) {
        for (const [index, partition] of partitions.entries()) {
          const append = new TestAppend();
          appends.push(append);
          const batch = batchFrom({ producerId: 7, baseSequence: sequence }, "v");
          partition.append(batch, 0, batch.length, {
            appended: (outcome) => {
              told[index]!.push(`${sequence} ${outcome.baseOffset}`);
              append.appended(outcome);
            },
          });
        }
        if (sequence % 6 === 0) await manyTurns();
      }
      await Promise.all(appends.map(({ done }) => done));
      const inOrder = Array.from({ length: 25 }, (_, sequence) => `${sequence} ${sequence}`);
      expect(told).toEqual([inOrder, inOrder]);
    });

    test("what cannot be let in is refused, and stores nothing", async () => {
      await using subject = await kind.open({
        topicDefaults: topicDefaults({ "max.message.bytes": "2000" }),
      });
      const [partition] = await createPartitions(subject.broker, 1);
      const corrupt = batchOf(["a"]);
      corrupt[corrupt.length - 1]! ^= 1;
      expect((await appendTo(partition!, corrupt).done).errorCode).toBe(wireCode("CORRUPT_MESSAGE"));
      const large = batchOf(["x".repeat(3000)]);
      expect(await appendTo(partition!, large).done).toMatchObject({
        errorCode: wireCode("MESSAGE_TOO_LARGE"),
        baseOffset: -1,
      });
      await manyTurns();
      expect(await partition!.latestOffset()).toBe(0);
    });

    test("a batch is taken from where it lies, and bytes around it are left alone", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const batch = batchOf(["in the middle"]);
      const buffer = Buffer.concat([Buffer.alloc(50, 1), batch, Buffer.alloc(30, 2)]);
      const append = new TestAppend();
      partition!.append(buffer, 50, 50 + batch.length, append);
      expect((await append.done).errorCode).toBe(NO_ERROR);
      expect([...buffer.subarray(0, 50), ...buffer.subarray(50 + batch.length)]).toEqual([
        ...Buffer.alloc(50, 1),
        ...Buffer.alloc(30, 2),
      ]);
      expect(await readAll(partition!)).toEqual([[0, "in the middle"]]);
    });

    test("a buffer is the caller's again at the outcome, or when the call returns if it is not kept", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const values = Array.from({ length: 30 }, (_, index) => `${index}/`.padEnd(10 + index * 50, "xy"));
      const appends = values.map((value) => {
        const buffer = batchOf([value]);
        const append = new TestAppend();
        partition!.append(buffer, 0, buffer.length, {
          appended: (outcome) => {
            buffer.fill(POISON);
            append.appended(outcome);
          },
        });
        if (!partition!.keepsBuffers) buffer.fill(POISON);
        return append;
      });
      await Promise.all(appends.map(({ done }) => done));
      expect(await readAll(partition!)).toEqual(values.map((value, offset) => [offset, value]));
    });

    test("a buffer that is kept holds what was appended as long as it has no outcome", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      if (!partition!.keepsBuffers) return;
      subject.hold();
      const buffer = batchOf(["a", "b"]);
      const before = Buffer.from(buffer);
      const append = appendTo(partition!, buffer);
      await manyTurns();
      expect([append.outcome, buffer.equals(before)]).toEqual([null, true]);
      subject.release();
      await append.done;
    });

    test("built batches are stored as those of peers are", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const appends = ["a", "b", "c"].map((value) => {
        const append = new TestAppend();
        partition!.appendBuilt(batchOf([value]), append);
        return append.done;
      });
      expect((await Promise.all(appends)).map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2]);
      expect((await readAll(partition!)).map(([, value]) => value)).toEqual(["a", "b", "c"]);
    });

    test("a topic that stamps records tells the time that readers see", async () => {
      await using subject = await kind.open();
      const configs = { "message.timestamp.type": "LogAppendTime" };
      const { partitions } = await subject.broker.topics.create("stamped", { partitions: 1, configs });
      const { logAppendTimeMs } = await appendTo(partitions[0]!, batchOf(["a"], {}, 5)).done;
      expect(logAppendTimeMs).toBeGreaterThan(5);
      expect(await partitions[0]!.offsetForTimestamp(6)).toMatchObject({
        offset: 0,
        timestampMs: logAppendTimeMs,
      });
    });

    test("an outcome is counted: records received and stored, batches, bytes", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const batch = batchOf(["a", "b", "c"]);
      const bytes = batchBytes(batch, 0);
      await appendTo(partition!, batch).done;
      const corrupt = batchOf(["d"]);
      corrupt[corrupt.length - 1]! ^= 1;
      await appendTo(partition!, corrupt).done;
      expect(subject.broker.counters).toMatchObject({
        messagesReceived: 3,
        messagesStored: 3,
        messagesFailed: 1,
        batchesStored: 1,
        bytesStored: bytes,
      });
    });
  });
}
