/** How topics come and go on a disk that refuses, fills up, or loses its power in between. Real files, faults by operation. */

import { afterEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { type ErrorCode, ObeliskError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { nextTurn } from "../../src/base/loop/turns.ts";
import { MiB } from "../../src/base/units.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { UNFINISHED_MAX } from "../../src/broker/topic-removals.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import type { FileEngine } from "../../src/storage/file/engine.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../storage/file/support.ts";
import { batchOf, bytesOf, recordsIn } from "../support/batches.ts";
import { openBroker, removing } from "../support/broker.ts";
import { FaultyFiles } from "../support/faulty-files.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { appendTo, logOf } from "../support/partitions.ts";
import { FULL, RefusingState } from "../support/refusing-state.ts";

interface Fixture {
  path: string;
  files: FaultyFiles;
  state: RefusingState;
  clock: ManualClock;
  engine: FileEngine;
  broker: Broker;
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const made = temporaryDirectory();
  cleanups.push(() => made[Symbol.dispose]());
  return made.path;
}

/** A broker on the directory, as a start finds it. */
async function opened(path = folder(), state = new RefusingState()): Promise<Fixture> {
  const files = new FaultyFiles(createDisk());
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory(path), { files, state, clock, segmentBytesMax: MiB });
  const broker = await openBroker({}, { engine, clock });
  return { path, files, state, clock, engine, broker };
}

async function append(broker: Broker, topic: string, partition = 0): Promise<void> {
  const target = (await broker.topics.ensure(topic)).partitions[partition]!;
  const batch = batchOf(["a record"]);
  await appendTo(target, batch).done;
}

async function codeOf(work: Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await work;
    return null;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.code;
    throw thrown;
  }
}

function topicsOn({ path }: Fixture): string[] {
  return readdirSync(join(path, "topics"));
}

async function rowOf({ state }: Fixture, topic = "t"): Promise<unknown> {
  return await state.get(`topic/${topic}`);
}

test("a removal that was interrupted is finished at the next start, and nothing of it is served meanwhile", async () => {
  const before = await opened();
  await append(before.broker, "t");
  await before.engine.detach("t");
  const after = await opened(before.path, before.state);
  const told: string[] = [];
  after.broker.topics.onRemoved(removing(async (name) => void told.push(name)));
  expect([after.broker.topics.count, topicsOn(after)]).toEqual([0, ["~~t"]]);
  await after.broker.topics.finishRemovals();
  expect([told, topicsOn(after), await rowOf(after)]).toEqual([["t"], [], null]);
});

test("on a full disk a topic is removed with its records, and the state follows when there is room", async () => {
  const fixture = await opened();
  const { broker, state, clock } = fixture;
  const offsets = await GroupOffsets.open(state, clock);
  broker.topics.onRemoved(offsets);
  await append(broker, "t");
  await offsets.commit("g", [{ topic: "t", partition: 0, offset: 1, leaderEpoch: -1, metadata: "" }]);
  state.refuses = FULL;
  await broker.topics.remove("t");
  expect([broker.topics.get("t"), readdirSync(join(fixture.path, "topics/~~t"))]).toEqual([undefined, []]);
  expect(await codeOf(broker.topics.ensure("t"))).toBe("DISK_FULL");
  state.refuses = null;
  clock.advance(10_000);
  await broker.topics.finishRemovals();
  expect([topicsOn(fixture), await rowOf(fixture), await state.list("offset/")]).toEqual([[], null, []]);
  expect(logOf((await broker.topics.ensure("t")).partitions[0]!).endOffset).toBe(0);
});

test("a name whose removal waits for the disk is free as soon as somebody wants it and there is room", async () => {
  const { broker, state } = await opened();
  const first = await broker.topics.ensure("t");
  await append(broker, "t");
  state.refuses = FULL;
  await broker.topics.remove("t");
  state.refuses = null;
  const second = await broker.topics.ensure("t");
  expect([
    second.id === first.id,
    logOf(second.partitions[0]!).endOffset,
    second.partitions[0]!.isUnavailable,
  ]).toEqual([false, 0, false]);
});

test("a start on a full disk goes on without a topic whose removal cannot be finished", async () => {
  const before = await opened();
  await append(before.broker, "t");
  await before.engine.detach("t");
  before.state.refuses = FULL;
  const after = await opened(before.path, before.state);
  await after.broker.topics.finishRemovals();
  expect([after.broker.topics.count, topicsOn(after)]).toEqual([0, ["~~t"]]);
});

test("a topic that the disk refuses to remove is still there, and takes records", async () => {
  const { broker, files } = await opened();
  await append(broker, "t");
  files.setFault({ operations: ["rename"], nth: 1, errno: "EACCES" });
  expect(await codeOf(broker.topics.remove("t"))).toBe("KAFKA_STORAGE_ERROR");
  await append(broker, "t");
  const read = await bytesOf(broker.topics.get("t")!.partitions[0]!.span(0, 10_000, true));
  expect(recordsIn(read).length).toBe(2);
  await broker.topics.remove("t");
});

test("a topic whose removal cannot be synced is offline: a power cut may show it or not", async () => {
  const { broker, files, engine } = await opened();
  await append(broker, "t");
  files.setFault({ operations: ["syncDirectory"], nth: 1, errno: "EIO" });
  expect(await codeOf(broker.topics.remove("t"))).toBe("KAFKA_STORAGE_ERROR");
  const partition = broker.topics.get("t")!.partitions[0]!;
  expect([partition.isUnavailable, engine.findings.map(({ kind }) => kind)]).toEqual([true, ["unreadable"]]);
  expect(recordsIn(await bytesOf(partition.span(0, 10_000, true))).length).toBe(1);
});

test("a removal that was decided is not taken back by a sync that fails after it", async () => {
  const fixture = await opened();
  const { broker, files, state, path } = fixture;
  await append(broker, "t");
  files.setFault({ operations: ["syncDirectory"], path: "topics", nth: 2, errno: "EIO" });
  await broker.topics.remove("t");
  expect([files.failed, topicsOn(fixture)]).toEqual([1, []]);
  const killed = await opened(path, state);
  expect([killed.broker.topics.get("t"), topicsOn(killed)]).toEqual([undefined, []]);
  files.setFault(null);
  await killed.broker.topics.finishRemovals();
  expect([topicsOn(killed), await rowOf(killed)]).toEqual([[], null]);
});

test("what cannot be deleted of a removed topic is told, hinders neither its name nor a start, and goes when it can", async () => {
  const before = await opened();
  await append(before.broker, "t");
  before.files.setFault({
    operations: ["removeFile"],
    nth: 1,
    more: Number.POSITIVE_INFINITY,
    errno: "EPERM",
  });
  await before.broker.topics.remove("t");
  expect(before.engine.findings).toMatchObject([{ file: "topics/~removed-0", kind: "unreadable" }]);
  await append(before.broker, "t");
  expect(topicsOn(before)).toEqual(["t", "~removed-0"]);
  const after = await opened(before.path, before.state);
  expect([topicsOn(after), logOf(after.broker.topics.get("t")!.partitions[0]!).endOffset]).toEqual([
    ["t"],
    1,
  ]);
});

test("a topic that was made after the removal of its name is never taken for it", async () => {
  const before = await opened();
  await append(before.broker, "t");
  mkdirSync(join(before.path, "topics/~~t/0"), { recursive: true });
  const after = await opened(before.path, before.state);
  await after.broker.topics.finishRemovals();
  expect([topicsOn(after), logOf(after.broker.topics.get("t")!.partitions[0]!).endOffset]).toEqual([
    ["t"],
    1,
  ]);
});

for (const errno of ["ENOSPC", "EACCES"] as const) {
  test(`a creation whose nth operation fails with ${errno} leaves nothing, and succeeds later`, async () => {
    for (let nth = 1; ; nth += 1) {
      const fixture = await opened();
      const { broker, files, engine } = fixture;
      files.setFault({ operations: ["makeDirectory", "open"], nth, errno });
      const code = await codeOf(broker.topics.create("t", { partitions: 3, configs: {} }));
      const hasFailed = files.failed > 0;
      files.setFault(null);
      if (!hasFailed) {
        expect([code, nth > 6]).toEqual([null, true]);
        break;
      }
      expect(code).toBe(errno === "ENOSPC" ? "DISK_FULL" : "KAFKA_STORAGE_ERROR");
      expect([topicsOn(fixture), await rowOf(fixture), broker.topics.count, engine.findings]).toEqual([
        [],
        null,
        0,
        [],
      ]);
      const topic = await broker.topics.create("t", { partitions: 3, configs: {} });
      expect(topic.partitions.map(({ isUnavailable }) => isUnavailable)).toEqual([false, false, false]);
      await append(broker, "t", 2);
    }
  });
}

test("a creation that the disk refuses has its line in the log, and not one for each try", async () => {
  const told: Record<string, unknown>[] = [];
  const log = {
    ...silentLog,
    warn: (message: string, facts = {}) => void told.push({ message, ...facts }),
  };
  const { engine, state, clock } = await opened();
  const broker = await openBroker({}, { engine, clock, log });
  state.refuses = FULL;
  for (let attempt = 0; attempt < 3; attempt += 1)
    expect(await codeOf(broker.topics.ensure("t"))).toBe("DISK_FULL");
  expect(told).toEqual([{ message: "a topic could not be created", topic: "t", reason: "the disk is full" }]);
});

test("what refused creations leave is bounded, and is cleared away in turns before further topics are made", async () => {
  const fixture = await opened();
  const { broker, files, clock } = fixture;
  files.setFault({
    operations: ["open", "list", "syncDirectory"],
    nth: 1,
    more: Number.POSITIVE_INFINITY,
    errno: "EMFILE",
  });
  for (let count = 0; count < UNFINISHED_MAX; count += 1)
    expect(await codeOf(broker.topics.ensure(`t${count}`))).toBe("KAFKA_STORAGE_ERROR");
  const left = topicsOn(fixture).length;
  await expect(broker.topics.ensure("further")).rejects.toThrow("no topic is made until it is cleared away");
  expect([left, topicsOn(fixture).length]).toEqual([UNFINISHED_MAX, UNFINISHED_MAX]);
  files.setFault(null);
  clock.advance(10_000);
  let turns = 0;
  while (topicsOn(fixture).length > 0) {
    await nextTurn();
    turns += 1;
  }
  expect(turns).toBeGreaterThanOrEqual(UNFINISHED_MAX);
  await append(broker, "further");
  expect(topicsOn(fixture)).toEqual(["further"]);
});

test("a topic is removed by its id only while it is the one that has it", async () => {
  const { broker } = await opened();
  const first = await broker.topics.ensure("t");
  const removals = [
    broker.topics.remove("t", first.id),
    broker.topics.create("t", { partitions: 1, configs: {} }),
    broker.topics.remove("t", first.id),
  ];
  expect(await Promise.all(removals.map(codeOf))).toEqual([null, null, "UNKNOWN_TOPIC_ID"]);
  expect(broker.topics.get("t")!.id).not.toBe(first.id);
});

/** Moves what lies at `path` elsewhere and puts a link in its place; gives where it is now. */
function link(path: string): string {
  const target = join(folder(), "behind");
  renameSync(path, target);
  symlinkSync(target, path);
  return target;
}

test("a topic that is a link goes with its records; what is not ours after it stays", async () => {
  const before = await opened();
  await append(before.broker, "t");
  await before.broker.close();
  const target = link(join(before.path, "topics/t"));
  writeFileSync(join(target, "notes.txt"), "an operator's");
  writeFileSync(join(target, "0/notes.txt"), "an operator's");
  const after = await opened(before.path, before.state);
  await after.broker.topics.remove("t");
  expect([topicsOn(after), await rowOf(after), after.engine.findings.length]).toEqual([[], null, 1]);
  expect([readdirSync(target).sort(), readdirSync(join(target, "0"))]).toEqual([
    ["0", "notes.txt"],
    ["notes.txt"],
  ]);
  expect(after.engine.findings[0]).toMatchObject({ kind: "unknown-file" });
  expect(logOf((await after.broker.topics.ensure("t")).partitions[0]!).endOffset).toBe(0);
});

test("a partition or a segment that is a link goes with its records too", async () => {
  const before = await opened();
  await before.broker.topics.create("t", { partitions: 2, configs: {} });
  await append(before.broker, "t", 0);
  await append(before.broker, "t", 1);
  await before.broker.close();
  const partition = link(join(before.path, "topics/t/0"));
  const segment = link(join(before.path, "topics/t/1/00000000000000000000.log"));
  const after = await opened(before.path, before.state);
  await after.broker.topics.remove("t");
  expect([topicsOn(after), readdirSync(partition), readFileSync(segment).length]).toEqual([[], [], 0]);
});

test("a link that leads back into the data directory costs its own topic and no other", async () => {
  const fixture = await opened();
  await append(fixture.broker, "t");
  await append(fixture.broker, "0");
  symlinkSync(join(fixture.path, "topics"), join(fixture.path, "topics/t/7"));
  symlinkSync(join(fixture.path, "topics/t"), join(fixture.path, "topics/t/loop"));
  await fixture.broker.topics.remove("t");
  expect(topicsOn(fixture)).toEqual(["0"]);
  expect(existsSync(join(fixture.path, "topics/0/0/00000000000000000000.log"))).toBe(true);
});
