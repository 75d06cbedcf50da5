/** Conformance of partitions: idempotent producers, whose batches are stored once, and failures, from which they go on. */

import { describe, expect, test } from "bun:test";
import { NO_ERROR, wireCode } from "../../../src/base/errors.ts";
import { UNKNOWN_OUTCOME } from "../../../src/broker/partition.ts";
import { batchOf } from "../../support/batches.ts";
import type { CommitFailure } from "../../support/delayed-store.ts";
import { appendTo } from "../../support/partitions.ts";
import { batchFrom, createPartitions, manyTurns, openShared, readAll, SUBJECTS } from "./subject.ts";

const OUT_OF_ORDER = { errorCode: wireCode("OUT_OF_ORDER_SEQUENCE_NUMBER"), baseOffset: -1 };
const OLD_EPOCH = { errorCode: wireCode("INVALID_PRODUCER_EPOCH"), baseOffset: -1 };

for (const kind of SUBJECTS) {
  describe(kind.name, () => {
    test("a duplicate of a committed batch is told the offset that the batch has", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const send = (baseSequence: number, ...values: string[]) =>
        appendTo(partition!, batchFrom({ producerId: 7, baseSequence }, ...values)).done;
      await appendTo(partition!, batchOf(["somebody else's"])).done;
      await send(0, "a", "b");
      await send(2, "c");
      expect(await send(0, "a", "b")).toMatchObject({ errorCode: NO_ERROR, baseOffset: 1 });
      expect(await send(2, "c")).toMatchObject({ errorCode: NO_ERROR, baseOffset: 3 });
      expect((await readAll(partition!)).map(([, value]) => value)).toEqual([
        "somebody else's",
        "a",
        "b",
        "c",
      ]);
      expect(subject.broker.counters.duplicateBatches).toBe(2);
    });

    test("a duplicate of a batch in flight shares its outcome", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      subject.hold();
      const send = (baseSequence: number, value: string) =>
        appendTo(partition!, batchFrom({ producerId: 7, baseSequence }, value));
      const appends = [send(0, "a"), send(1, "b"), send(0, "a"), send(2, "c"), send(1, "b"), send(0, "a")];
      await manyTurns();
      expect(appends.map(({ outcome }) => outcome)).toEqual(appends.map(() => null));
      subject.release();
      const outcomes = await Promise.all(appends.map(({ done }) => done));
      expect(outcomes.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual([
        [0, 0],
        [0, 1],
        [0, 0],
        [0, 2],
        [0, 1],
        [0, 0],
      ]);
      expect((await readAll(partition!)).map(([, value]) => value)).toEqual(["a", "b", "c"]);
    });

    test("gaps and old epochs are refused, with batches in flight and without", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const send = (baseSequence: number, producerEpoch = 3) =>
        appendTo(partition!, batchFrom({ producerId: 7, producerEpoch, baseSequence }, "v")).done;
      const outcomes = await Promise.all([send(0), send(2), send(1, 2), send(1)]);
      expect(outcomes).toMatchObject([{ baseOffset: 0 }, OUT_OF_ORDER, OLD_EPOCH, { baseOffset: 1 }]);
      expect(await send(4)).toMatchObject(OUT_OF_ORDER);
      expect(await send(2, 2)).toMatchObject(OLD_EPOCH);
      expect(await send(1, 4)).toMatchObject(OUT_OF_ORDER);
      expect(await send(0, 4)).toMatchObject({ errorCode: NO_ERROR, baseOffset: 2 });
      expect(await send(2)).toMatchObject(OLD_EPOCH);
      expect(await partition!.latestOffset()).toBe(3);
    });

    test("producers do not harm each other", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const send = (producerId: number, baseSequence: number) =>
        appendTo(partition!, batchFrom({ producerId, baseSequence }, `${producerId}/${baseSequence}`)).done;
      const outcomes = await Promise.all([send(1, 0), send(2, 0), send(1, 5), send(2, 1), send(1, 1)]);
      expect(outcomes.map(({ errorCode }) => errorCode)).toEqual([0, 0, OUT_OF_ORDER.errorCode, 0, 0]);
    });

    test("a failure fails what follows of the same producer only, and the producer goes on from there", async () => {
      await using subject = await kind.open();
      const [partition] = await createPartitions(subject.broker, 1);
      const send = (baseSequence: number, value: string) =>
        appendTo(partition!, batchFrom({ producerId: 7, baseSequence }, value)).done;
      expect(await send(0, "a")).toMatchObject({ errorCode: NO_ERROR, baseOffset: 0 });
      subject.failNext(partition!);
      const outcomes = await Promise.all([
        send(1, "b"),
        send(2, "c"),
        appendTo(partition!, batchOf(["other"])).done,
        send(3, "d"),
      ]);
      expect(outcomes.map(({ baseOffset }) => baseOffset)).toEqual([-1, -1, 1, -1]);
      expect(outcomes[0]!.errorCode).not.toBe(NO_ERROR);
      expect([outcomes[1], outcomes[3]]).toMatchObject([OUT_OF_ORDER, OUT_OF_ORDER]);
      const again = await Promise.all([send(1, "b"), send(2, "c"), send(3, "d")]);
      expect(again.map(({ baseOffset }) => baseOffset)).toEqual([2, 3, 4]);
      expect((await readAll(partition!)).map(([, value]) => value)).toEqual(["a", "other", "b", "c", "d"]);
      expect(partition!.isUnavailable).toBe(false);
    });
  });
}

describe("delayed commits", () => {
  for (const failure of ["unknown-stored", "unknown-lost", "unknown-late"] satisfies CommitFailure[]) {
    test(`${failure}: a producer that sends its batches again has each of them stored once, in order`, async () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        await using subject = await openShared({}, seed);
        const [partition] = await createPartitions(subject.broker, 1);
        const send = (baseSequence: number) =>
          appendTo(partition!, batchFrom({ producerId: 7, baseSequence }, `${baseSequence}`)).done;
        await send(0);
        subject.failCommits(failure);
        const [unknown] = await Promise.all([send(1), send(2)]);
        expect(unknown).toMatchObject({ errorCode: wireCode(UNKNOWN_OUTCOME), baseOffset: -1 });
        const again = [await send(1), await send(2)];
        expect(again.map(({ baseOffset }) => baseOffset)).toEqual([1, 2]);
        await manyTurns();
        expect((await readAll(partition!)).map(([, value]) => value)).toEqual(["0", "1", "2"]);
      }
    });
  }
});
