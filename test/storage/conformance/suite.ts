/**
 * What every storage engine must do, as one suite. Each engine's test calls `testEngine` with a factory; `reopen` gives the
 * same data through a fresh engine, as after a graceful shutdown. An engine that keeps nothing passes null with its reason.
 */

import { describe, expect, test } from "bun:test";
import type { PartitionLog, RecoveryListener, StorageEngine } from "../../../src/storage/contract.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";

export interface EngineUnderTest {
  engine: StorageEngine;
  /** Closes the engine and opens its data again. */
  reopen(): Promise<StorageEngine>;
  dispose(): Promise<void>;
}

export interface EngineFactory {
  name: string;
  /** Small segments, where the engine has some, so that the suite meets their borders. */
  create(): Promise<EngineUnderTest>;
  /** Why the engine cannot be opened again; null when it can. */
  cannotReopen: string | null;
}

/** Keeps what an opening log tells. */
export class Replay implements RecoveryListener {
  state: string | null = null;
  /** Where the log ends, when that is before the checkpoint. */
  lostFrom = -1;
  readonly records: [number, string | null][] = [];

  restore(state: Buffer): void {
    this.state = state.toString();
  }

  replay(buffer: Buffer, position: number, end: number): void {
    this.records.push(...recordsIn(Buffer.from(buffer.subarray(position, end))));
  }

  lost(offset: number): void {
    this.lostFrom = offset;
  }
}

export function append(log: PartitionLog, values: readonly string[], timestampMs = 1000): number {
  const batch = batchOf(values, {}, timestampMs);
  return log.append(batch, 0, batch.length);
}

/** A topic's removal, all of it. */
export async function remove(engine: StorageEngine, topic: string): Promise<void> {
  await engine.detach(topic);
  await engine.discard(topic);
  await engine.release(topic);
}

export async function readAll(log: PartitionLog, bytesMax = 1000): Promise<[number, string | null][]> {
  const records: [number, string | null][] = [];
  let offset = log.startOffset;
  while (offset < log.endOffset) {
    const found = recordsIn(await bytesOf(log.span(offset, log.endOffset, bytesMax, true)));
    if (found.length === 0) break;
    records.push(...found);
    offset = found.at(-1)![0] + 1;
  }
  return records;
}

export function testEngine(factory: EngineFactory): void {
  describe(`the ${factory.name} engine`, () => {
    const withLog = (work: (log: PartitionLog, engine: StorageEngine) => Promise<void>) => async () => {
      const { engine, dispose } = await factory.create();
      try {
        await work(await engine.open("t", 0, new Replay()), engine);
      } finally {
        await dispose();
      }
    };
    const testReopen = (name: string, work: (subject: EngineUnderTest) => Promise<void>) => {
      if (factory.cannotReopen !== null) test.skip(`${name} (${factory.cannotReopen})`, () => {});
      else
        test(name, async () => {
          const subject = await factory.create();
          try {
            await work(subject);
          } finally {
            await subject.dispose();
          }
        });
    };

    test(
      "opens an empty partition at offset 0",
      withLog(async (log) => {
        expect(bounds(log)).toEqual({ start: 0, durable: 0, end: 0, epoch: 0, bytes: 0, isOffline: false });
        expect(await bytesOf(log.span(0, 0, 1000, true))).toEqual(Buffer.alloc(0));
        expect(await log.offsetForTimestamp(0, 0)).toBeNull();
        expect(await log.offsetOfMaxTimestamp(0)).toBeNull();
      }),
    );

    test(
      "assigns base offsets in the order of the appends and stamps them with the leader epoch",
      withLog(async (log) => {
        const batch = batchOf(["a", "b"]);
        batch.fill(0x7f, 0, 8);
        batch.fill(0x7f, 12, 16);
        expect(log.append(batch, 0, batch.length)).toBe(0);
        expect(append(log, ["c"])).toBe(2);
        const stored = await bytesOf(log.span(0, 3, 10_000, true));
        expect(stored.subarray(0, 16).toString("hex")).toBe(
          `${"00".repeat(8)}${stored.toString("hex", 8, 12)}00000000`,
        );
        expect(recordsIn(stored)).toEqual([
          [0, "a"],
          [1, "b"],
          [2, "c"],
        ]);
      }),
    );

    test(
      "appends the batch that lies between position and end",
      withLog(async (log) => {
        const batch = batchOf(["inside"]);
        const buffer = Buffer.concat([Buffer.alloc(7, 0xee), batch, Buffer.alloc(9, 0xee)]);
        log.append(buffer, 7, 7 + batch.length);
        batch.fill(0, 0, 8);
        batch.fill(0, 12, 16);
        expect(await bytesOf(log.span(0, 1, 1000, true))).toEqual(batch);
        expect(log.bytes).toBe(batch.length);
      }),
    );

    test(
      "moves the durable offset only by a sync, to where the log ended when it began",
      withLog(async (log, engine) => {
        append(log, ["a"]);
        expect(log.durableOffset).toBe(0);
        expect(await engine.sync([log])).toEqual([]);
        expect(log.durableOffset).toBe(1);
        append(log, ["b", "c"]);
        const syncing = engine.sync([log]);
        append(log, ["d"]);
        await syncing;
        expect([3, 4]).toContain(log.durableOffset);
        await engine.sync([log]);
        expect(log.durableOffset).toBe(4);
      }),
    );

    test(
      "syncs many partitions at once",
      withLog(async (log, engine) => {
        const logs = [log, await engine.open("t", 1, new Replay()), await engine.open("u", 0, new Replay())];
        for (const [index, each] of logs.entries()) append(each, Array(index + 1).fill("x"));
        expect(await engine.sync(logs)).toEqual([]);
        expect(logs.map((each) => each.durableOffset)).toEqual([1, 2, 3]);
      }),
    );

    test(
      "names a log that is offline, and calls nothing of it durable",
      withLog(async (log, engine) => {
        const removed = await engine.open("removed", 0, new Replay());
        for (const each of [log, removed]) append(each, ["a"]);
        const detached = engine.detach("removed");
        expect(removed.isOffline).toBe(true);
        expect(await engine.sync([removed, log])).toEqual([removed]);
        expect([log.durableOffset, removed.durableOffset]).toEqual([1, 0]);
        await detached;
        await engine.discard("removed");
        await engine.release("removed");
      }),
    );

    test(
      "reads whole batches from the one that holds the offset",
      withLog(async (log) => {
        append(log, ["a", "b", "c"]);
        append(log, ["d"]);
        expect(recordsIn(await bytesOf(log.span(1, 4, 10_000, true))).map(([offset]) => offset)).toEqual([
          0, 1, 2, 3,
        ]);
        expect(recordsIn(await bytesOf(log.span(3, 4, 10_000, true)))).toEqual([[3, "d"]]);
        expect(await bytesOf(log.span(4, 4, 10_000, true))).toEqual(Buffer.alloc(0));
      }),
    );

    test(
      "stops before the limit offset and never splits a batch",
      withLog(async (log) => {
        append(log, ["a"]);
        append(log, ["b", "c"]);
        append(log, ["d"]);
        const ends = [0, 1, 2, 3, 4].map(
          async (limit) => recordsIn(await bytesOf(log.span(0, limit, 10_000, true))).length,
        );
        expect(await Promise.all(ends)).toEqual([0, 1, 1, 3, 4]);
      }),
    );

    test(
      "keeps to the byte budget, and gives one larger batch only when requested",
      withLog(async (log) => {
        const size = batchOf(["aaaa"]).length;
        for (const value of ["aaaa", "bbbb", "cccc"]) append(log, [value]);
        const countAt = async (bytesMax: number, atLeastOne: boolean) =>
          recordsIn(await bytesOf(log.span(0, 3, bytesMax, atLeastOne))).length;
        expect(await countAt(size * 2, false)).toBe(2);
        expect(await countAt(size * 2 - 1, false)).toBe(1);
        expect(await countAt(size - 1, false)).toBe(0);
        expect(await countAt(size - 1, true)).toBe(1);
        expect(await countAt(0, true)).toBe(1);
        expect(await countAt(0, false)).toBe(0);
      }),
    );

    test(
      "reads a batch of a megabyte, at once or later",
      withLog(async (log) => {
        const value = "x".repeat(1_000_000);
        append(log, ["small"]);
        append(log, [value]);
        append(log, ["after"]);
        expect(recordsIn(await bytesOf(log.span(1, 3, 100, true)))).toEqual([[1, value]]);
        expect((await readAll(log, 2_000_000)).map(([offset]) => offset)).toEqual([0, 1, 2]);
      }),
    );

    test(
      "refuses offsets outside the log",
      withLog(async (log) => {
        append(log, ["a"]);
        for (const offset of [-1, 2]) {
          await expect(async () => log.span(offset, 1, 1000, true)).toThrow(
            expect.objectContaining({ code: "OFFSET_OUT_OF_RANGE" }),
          );
        }
      }),
    );

    test(
      "gives back everything across many small segments",
      withLog(async (log, engine) => {
        const expected: [number, string][] = [];
        for (let index = 0; index < 300; index += 1) {
          append(log, [`value ${index}`]);
          expected.push([index, `value ${index}`]);
          if (index % 50 === 0) await engine.sync([log]);
        }
        expect(await readAll(log)).toEqual(expected);
        for (const offset of [0, 1, 99, 150, 298, 299]) {
          expect(recordsIn(await bytesOf(log.span(offset, 300, 1, true)))).toEqual([expected[offset]!]);
        }
      }),
    );

    test(
      "finds the first record of a time or later",
      withLog(async (log) => {
        for (let index = 0; index < 200; index += 1) append(log, ["a", "b"], 1000 + index * 10);
        append(log, ["late"], 500);
        expect(await log.offsetForTimestamp(0, 401)).toEqual({
          offset: 0,
          timestampMs: 1000,
          leaderEpoch: 0,
        });
        expect(await log.offsetForTimestamp(1001, 401)).toEqual({
          offset: 1,
          timestampMs: 1001,
          leaderEpoch: 0,
        });
        expect(await log.offsetForTimestamp(1002, 401)).toEqual({
          offset: 2,
          timestampMs: 1010,
          leaderEpoch: 0,
        });
        expect(await log.offsetForTimestamp(2991, 401)).toEqual({
          offset: 399,
          timestampMs: 2991,
          leaderEpoch: 0,
        });
        expect(await log.offsetForTimestamp(2992, 401)).toBeNull();
        expect(await log.offsetForTimestamp(2000, 200)).toBeNull();
      }),
    );

    test(
      "finds the first record with the largest timestamp below a limit",
      withLog(async (log) => {
        for (const timestamp of [10, 50, 50, 30]) append(log, ["x"], timestamp);
        expect(await log.offsetOfMaxTimestamp(4)).toEqual({ offset: 1, timestampMs: 50, leaderEpoch: 0 });
        expect(await log.offsetOfMaxTimestamp(1)).toEqual({ offset: 0, timestampMs: 10, leaderEpoch: 0 });
        expect(await log.offsetOfMaxTimestamp(0)).toBeNull();
      }),
    );

    test(
      "drops everything before an offset",
      withLog(async (log, engine) => {
        for (let index = 0; index < 200; index += 1) append(log, [`${index}`]);
        await engine.sync([log]);
        const before = log.bytes;
        expect(await log.dropBefore(150)).toBe(150);
        expect(log.startOffset).toBe(150);
        expect(log.bytes).toBeLessThan(before);
        await expect(async () => log.span(149, 200, 1000, true)).toThrow(
          expect.objectContaining({ code: "OFFSET_OUT_OF_RANGE" }),
        );
        expect((await readAll(log)).map(([offset]) => offset)).toEqual(range(150, 200));
        expect(await log.offsetForTimestamp(0, 200)).toEqual({
          offset: 150,
          timestampMs: 1000,
          leaderEpoch: 0,
        });
        expect(await log.dropBefore(100)).toBe(150);
        expect(log.startOffset).toBe(150);
        const refused = expect.objectContaining({ code: "OFFSET_OUT_OF_RANGE" });
        expect(await log.dropBefore(201).catch((thrown: unknown) => thrown)).toEqual(refused);
        append(log, ["not durable"]);
        expect(await log.dropBefore(201).catch((thrown: unknown) => thrown)).toEqual(refused);
      }),
    );

    test(
      "tells of its segments, and of the largest timestamp in each",
      withLog(async (log, engine) => {
        const timestamps = range(0, 200).map((index) => 1000 + index);
        for (const timestamp of timestamps) append(log, [`${timestamp}`], timestamp);
        await engine.sync([log]);
        let bytes = 0;
        let offset = 0;
        for (let slot = 0; ; slot += 1) {
          const segment = log.segmentAt(slot);
          if (segment === null) break;
          expect(segment.endOffset).toBeGreaterThan(offset);
          expect(await log.largestTimestampAt(slot)).toBe(timestamps[segment.endOffset - 1]!);
          bytes += segment.bytes;
          offset = segment.endOffset;
        }
        expect([bytes, offset]).toEqual([log.bytes, 200]);
        expect(log.segmentAt(1)).not.toBeNull();
      }),
    );

    test(
      "gives everything up, also what the next record would have followed",
      withLog(async (log, engine) => {
        for (let index = 0; index < 50; index += 1) append(log, [`${index}`]);
        await engine.sync([log]);
        log.roll();
        log.roll();
        expect(await log.dropBefore(50)).toBe(50);
        expect([log.startOffset, log.endOffset, log.bytes]).toEqual([50, 50, 0]);
        expect(append(log, ["next"])).toBe(50);
      }),
    );

    test(
      "cuts everything from an offset on and goes on from there",
      withLog(async (log, engine) => {
        for (let index = 0; index < 200; index += 1) append(log, [`${index}`]);
        await engine.sync([log]);
        log.truncate(60);
        expect([log.endOffset, log.durableOffset]).toEqual([60, 60]);
        expect(append(log, ["new"], 9000)).toBe(60);
        await engine.sync([log]);
        const all = await readAll(log);
        expect(all.length).toBe(61);
        expect(all.at(-1)).toEqual([60, "new"]);
        expect(await log.offsetForTimestamp(5000, 61)).toEqual({
          offset: 60,
          timestampMs: 9000,
          leaderEpoch: 0,
        });
      }),
    );

    test(
      "knows where an epoch ends",
      withLog(async (log) => {
        append(log, ["a"]);
        expect(log.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 1 });
        expect(log.endOffsetForEpoch(1)).toBeNull();
        expect(log.endOffsetForEpoch(-1)).toBeNull();
        expect([log.epochAt(0), log.epochAt(1)]).toEqual([0, 0]);
      }),
    );

    test(
      "counts what a crash would have to read again",
      withLog(async (log, engine) => {
        append(log, ["a"]);
        expect(log.bytesSinceCheckpoint).toBe(log.bytes);
        log.checkpoint(Buffer.from("state"), log.endOffset);
        expect(log.bytesSinceCheckpoint).toBe(0);
        await engine.sync([log]);
      }),
    );

    test(
      "lists what it stores and removes a topic whole",
      withLog(async (_log, engine) => {
        const other = await engine.open("other.topic", 2, new Replay());
        append(other, ["x"]);
        await engine.sync([other]);
        expect(engine.stored()).toEqual([
          { topic: "other.topic", partitions: 3 },
          { topic: "t", partitions: 1 },
        ]);
        await remove(engine, "other.topic");
        expect(engine.stored()).toEqual([{ topic: "t", partitions: 1 }]);
        await remove(engine, "never-there");
        const again = await engine.open("other.topic", 2, new Replay());
        expect(again.endOffset).toBe(0);
      }),
    );

    test(
      "refuses names that would leave its directory",
      withLog(async (_log, engine) => {
        for (const topic of ["", ".", "..", "../x", "a/b", "a\0b", "x".repeat(250)]) {
          await expect(engine.open(topic, 0, new Replay())).rejects.toThrow(
            expect.objectContaining({ code: "INVALID_TOPIC_EXCEPTION" }),
          );
        }
        await expect(engine.open("t", -1, new Replay())).rejects.toThrow();
      }),
    );

    testReopen("gives everything back after a stop, with nothing to report", async (subject) => {
      const log = await subject.engine.open("t", 0, new Replay());
      for (let index = 0; index < 120; index += 1) append(log, [`${index}`]);
      log.checkpoint(Buffer.from("owner's state"), log.endOffset);
      const engine = await subject.reopen();
      const replay = new Replay();
      const again = await engine.open("t", 0, replay);
      expect(bounds(again)).toEqual({ ...bounds(log), durable: 120, isOffline: false });
      expect((await readAll(again)).map(([offset]) => offset)).toEqual(range(0, 120));
      expect([replay.state, replay.records]).toEqual(["owner's state", []]);
      expect(engine.findings).toEqual([]);
      expect(append(again, ["next"])).toBe(120);
    });

    testReopen("replays to the owner what came after its last checkpoint", async (subject) => {
      const log = await subject.engine.open("t", 0, new Replay());
      append(log, ["a"]);
      log.checkpoint(Buffer.from("one"), log.endOffset);
      append(log, ["b", "c"]);
      const replay = new Replay();
      await (await subject.reopen()).open("t", 0, replay);
      expect(replay.state).toBe("one");
      expect(replay.records).toEqual([
        [1, "b"],
        [2, "c"],
      ]);
    });

    testReopen("replays the whole log to an owner without a checkpoint", async (subject) => {
      const log = await subject.engine.open("t", 0, new Replay());
      for (let index = 0; index < 100; index += 1) append(log, [`${index}`]);
      const replay = new Replay();
      await (await subject.reopen()).open("t", 0, replay);
      expect(replay.state).toBeNull();
      expect(replay.records.map(([offset]) => offset)).toEqual(range(0, 100));
    });

    testReopen("remembers where the log starts", async (subject) => {
      const log = await subject.engine.open("t", 0, new Replay());
      for (let index = 0; index < 100; index += 1) append(log, [`${index}`]);
      await subject.engine.sync([log]);
      await log.dropBefore(77);
      const again = await (await subject.reopen()).open("t", 0, new Replay());
      expect([again.startOffset, again.endOffset]).toEqual([77, 100]);
    });

    testReopen("assigns no offset again when everything was dropped", async (subject) => {
      const log = await subject.engine.open("t", 0, new Replay());
      for (let index = 0; index < 100; index += 1) append(log, [`${index}`]);
      await subject.engine.sync([log]);
      await log.dropBefore(100);
      const again = await (await subject.reopen()).open("t", 0, new Replay());
      expect([again.startOffset, again.endOffset]).toEqual([100, 100]);
      expect(append(again, ["next"])).toBe(100);
    });
  });
}

function bounds(log: PartitionLog): object {
  return {
    start: log.startOffset,
    durable: log.durableOffset,
    end: log.endOffset,
    epoch: log.leaderEpoch,
    bytes: log.bytes,
    isOffline: log.isOffline,
  };
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
