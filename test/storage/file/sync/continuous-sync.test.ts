/** The thread that keeps a busy segment synced: when it takes over, when it lets go, and what it may call durable. */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../../src/storage/contract.ts";
import { type FileEngine, TICK_MS } from "../../../../src/storage/file/engine.ts";
import { UNUSABLE_RUN } from "../../../../src/storage/file/sync/continuous-sync.ts";
import { batchOf } from "../../../support/batches.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { randomOf } from "../../../support/random.ts";
import { SimulatedFiles } from "../../../support/simulated-files.ts";
import { SimulatedSyncThread } from "../../../support/simulated-sync-thread.ts";
import { Replay, readAll, remove } from "../../conformance/suite.ts";
import { openEngine, TestDirectory } from "../support.ts";

/** Above what counts as a few records. */
const VALUE = "x".repeat(10_000);

function disk(seed: number, isHeld: boolean) {
  const files = new SimulatedFiles(seed, false);
  files.makeDirectory("/data");
  files.syncDirectory("/");
  const thread = new SimulatedSyncThread(files, isHeld);
  files.openSyncThread = () => thread;
  return { files, thread };
}

async function fixture(options: { isHeld?: boolean; segmentBytesMax?: number } = {}) {
  const { files, thread } = disk(1, options.isHeld ?? false);
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory("/data"), {
    files,
    clock,
    segmentBytesMax: options.segmentBytesMax ?? 10_000_000,
  });
  const log = await engine.open("t", 0, new Replay());
  const other = await engine.open("u", 0, new Replay());
  return { files, thread, engine, log, other, clock };
}

function append(log: PartitionLog, value = VALUE): number {
  const batch = batchOf([value]);
  return log.append(batch, 0, batch.length);
}

/** Syncs one batch at a time until the thread has the segment. */
async function busy(engine: FileEngine, log: PartitionLog, thread: SimulatedSyncThread): Promise<void> {
  for (let tries = 0; !thread.isAttached; tries += 1) {
    if (tries > 50) throw new Error("the thread does not take the segment");
    append(log);
    const syncing = engine.sync([log]);
    await turns();
    if (!thread.isAttached) await syncing;
    else {
      thread.held[0]?.end(null);
      await syncing;
    }
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("a busy segment is taken by the thread, and every report moves the durable offset and tells the owner", async () => {
  const { engine, log, thread } = await fixture({ isHeld: true });
  await busy(engine, log, thread);
  const start = log.durableOffset;
  const told: number[] = [];
  log.onDurable = () => told.push(log.durableOffset);
  append(log);
  const syncing = engine.sync([log]);
  await turns();
  append(log);
  append(log);
  expect([log.durableOffset, thread.held.length]).toEqual([start, 1]);
  thread.held[0]!.end(null);
  expect(await syncing).toEqual([]);
  await turns();
  expect([told, thread.held.length]).toEqual([[start + 1], 1]);
  thread.held[0]!.end(null);
  await turns();
  expect(told).toEqual([start + 1, start + 3]);
  await engine.close();
});

test("few small records do not call the thread, and it lets go when only they come", async () => {
  const { engine, log, thread } = await fixture();
  for (let n = 0; n < 100; n += 1) {
    append(log, "small");
    await engine.sync([log]);
  }
  expect(thread.attachments).toBe(0);
  await busy(engine, log, thread);
  for (let n = 0; n < 100; n += 1) {
    append(log, "small");
    await engine.sync([log]);
  }
  expect([thread.isAttached, log.durableOffset]).toEqual([false, log.endOffset]);
  await engine.close();
});

test("a roll and another log make it let go first, and everything is durable", async () => {
  const { engine, log, other, thread } = await fixture({ segmentBytesMax: 300_000 });
  await busy(engine, log, thread);
  while (log.bytes < 350_000) append(log);
  expect(await engine.sync([log])).toEqual([]);
  expect([thread.isAttached, log.durableOffset]).toEqual([false, log.endOffset]);
  await busy(engine, log, thread);
  append(log);
  append(other);
  expect(await engine.sync([log, other])).toEqual([]);
  expect([thread.isAttached, log.durableOffset, other.durableOffset]).toEqual([false, log.endOffset, 1]);
  expect((await readAll(log)).length).toBe(log.endOffset);
  await engine.close();
});

test("a segment that nobody writes to any more is let go", async () => {
  const { engine, log, thread, clock } = await fixture();
  await busy(engine, log, thread);
  clock.advance(TICK_MS);
  await turns();
  expect(thread.isAttached).toBe(false);
  append(log);
  expect([await engine.sync([log]), log.durableOffset]).toEqual([[], log.endOffset]);
  await engine.close();
});

test("a failure takes the log offline, whether somebody waited for the sync or not", async () => {
  for (const isAwaited of [true, false]) {
    const { engine, log, thread } = await fixture({ isHeld: true });
    await busy(engine, log, thread);
    const durable = log.durableOffset;
    append(log);
    const syncing = engine.sync([log]);
    await turns();
    if (!isAwaited) {
      append(log);
      thread.held[0]!.end(null);
      expect(await syncing).toEqual([]);
      await turns();
    }
    thread.held[0]!.end(Object.assign(new Error("EIO"), { code: "EIO" }));
    await turns();
    expect(await (isAwaited ? syncing : engine.sync([log]))).toEqual([log]);
    expect([log.isOffline, log.durableOffset]).toEqual([true, isAwaited ? durable : durable + 1]);
    expect(() => append(log)).toThrow("offline");
  }
});

test("a thread that cannot work is not used for a while, and nothing is lost", async () => {
  const { engine, log, thread } = await fixture({ isHeld: true });
  for (let tries = 0; thread.attachments === 0; tries += 1) {
    append(log);
    const syncing = engine.sync([log]);
    await turns();
    if (thread.held.length > 0) thread.held[0]!.end(Object.assign(new Error("ENOSYS"), { code: "ENOSYS" }));
    expect(await syncing).toEqual([]);
    expect(tries).toBeLessThan(50);
  }
  for (let n = 0; n < 30; n += 1) {
    append(log);
    expect(await engine.sync([log])).toEqual([]);
  }
  expect([thread.attachments, log.durableOffset, log.isOffline]).toEqual([1, log.endOffset, false]);
  for (let n = 30; n < UNUSABLE_RUN; n += 1) {
    append(log);
    await engine.sync([log]);
  }
  expect(thread.attachments).toBe(1);
  await busy(engine, log, thread);
  expect([thread.attachments, log.durableOffset]).toEqual([2, log.endOffset]);
  await engine.close();
});

test("a thread that dies in a sync takes the log offline; one that dies at rest is done without, and nothing is lost", async () => {
  for (const isInSync of [true, false]) {
    const { engine, log, thread } = await fixture({ isHeld: true });
    await busy(engine, log, thread);
    const durable = log.durableOffset;
    if (!isInSync) await thread.die();
    append(log);
    const syncing = engine.sync([log]);
    await turns();
    if (isInSync) await thread.die();
    expect(await syncing).toEqual(isInSync ? [log] : []);
    expect([log.isOffline, log.durableOffset]).toEqual([isInSync, isInSync ? durable : log.endOffset]);
    expect(thread.isAttached).toBe(false);
    await engine.close();
  }
});

test("a topic that is removed while its sync runs keeps nobody waiting", async () => {
  const { engine, log, thread } = await fixture({ isHeld: true });
  await busy(engine, log, thread);
  append(log);
  const syncing = engine.sync([log]);
  await turns();
  append(log);
  const removing = remove(engine, "t");
  await turns();
  while (thread.held.length > 0) {
    thread.held[0]!.end(null);
    await turns();
  }
  await removing;
  await syncing;
  expect(engine.stored().map(({ topic }) => topic)).toEqual(["u"]);
  await engine.close();
});

test("a power cut never takes what the thread has called durable", async () => {
  const first = Math.floor(Math.random() * 1e9);
  for (let seed = first; seed < first + 30; seed += 1) {
    const random = randomOf(seed);
    const { files, thread } = disk(seed ^ 0x33, false);
    const directory = new TestDirectory("/data");
    const engine = openEngine(directory, { files, segmentBytesMax: 400_000 });
    const log = await engine.open("t", 0, new Replay());
    const values: string[] = [];
    let syncing: Promise<unknown> | null = null;
    for (let step = 0; step < 150; step += 1) {
      const value = `${seed}/${step}/${VALUE}`;
      append(log, value);
      values.push(value);
      if (random() < 0.5) {
        syncing ??= engine.sync([log]).finally(() => {
          syncing = null;
        });
      }
      if (random() < 0.7) for (let turn = 0; turn < random() * 30; turn += 1) await Promise.resolve();
      if (step % 10 === 9) await syncing;
    }
    const durable = log.durableOffset;
    const after = files.crash();
    const recovered = await openEngine(directory, { files: after }).open("t", 0, new Replay());
    const found = await readAll(recovered);
    const context = `seed ${seed}, durable ${durable}, attached ${thread.attachments}`;
    expect([context, found.length >= durable]).toEqual([context, true]);
    expect(found.slice(0, durable).map(([, value]) => value)).toEqual(values.slice(0, durable));
  }
});
