/** Topics that come and go in slices: what others see in between, and what a stop or a disk that refuses leaves. Real files. */

import { afterEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { nextTurn } from "../../src/base/loop/turns.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { UNFINISHED_MAX } from "../../src/broker/topic-removals.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../storage/file/support.ts";
import { openBroker } from "../support/broker.ts";
import { FaultyFiles } from "../support/faulty-files.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { logPartition } from "../support/partitions.ts";
import { systemError } from "../support/system-error.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A disk whose syncs of directories, and deletions, wait until the test lets them go. */
class HeldFiles extends FaultyFiles {
  held: "nothing" | "deletions" | "deletions and syncs" = "nothing";
  hasFailed = false;
  directorySyncs = 0;
  readonly waiting: (() => void)[] = [];

  override async syncDirectoryLater(directory: string): Promise<void> {
    this.directorySyncs += 1;
    if (this.held === "deletions and syncs") await this.#wait();
    if (this.hasFailed) throw systemError("EIO", "fsync");
    await super.syncDirectoryLater(directory);
  }

  override async removeFileLater(path: string): Promise<void> {
    if (this.held !== "nothing") await this.#wait();
    await super.removeFileLater(path);
  }

  letGo(): void {
    this.held = "nothing";
    for (const end of this.waiting.splice(0)) end();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

/** Entries that outlive the process. */
class KeptState extends MemoryState {
  override async close(): Promise<void> {}
}

async function opened(path?: string, state = new KeptState()) {
  let place = path;
  if (place === undefined) {
    const made = temporaryDirectory();
    cleanups.push(() => made[Symbol.dispose]());
    place = made.path;
  }
  const files = new HeldFiles(createDisk());
  const clock = new ManualClock();
  const engine = openEngine(new TestDirectory(place), { files, state, clock });
  const broker = await openBroker({}, { engine, clock });
  const offsets = await GroupOffsets.open(state, clock);
  broker.topics.onRemoved(offsets);
  return { path: place, files, state, engine, broker, offsets };
}

async function create(broker: Broker, name: string, partitions = 1) {
  return await broker.topics.create(name, { partitions, configs: {} });
}

async function commit(offsets: GroupOffsets, topic: string): Promise<void> {
  await offsets.commit("g", [{ topic, partition: 0, offset: 1, leaderEpoch: -1, metadata: "" }]);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

test("a removed topic and its offsets are gone for everyone at once, and its name is free when all of it is gone", async () => {
  const { broker, files, offsets, path } = await opened();
  const first = await create(broker, "t", 3);
  await commit(offsets, "t");
  files.held = "deletions and syncs";
  const removing = broker.topics.remove("t");
  await until(() => files.waiting.length > 0);
  const seen = () => [broker.topics.get("t"), broker.topics.byId(first.id), offsets.fetch("g", "t", 0)];
  expect([seen(), logPartition(first.partitions[0]!).isRetired]).toEqual([
    [undefined, undefined, null],
    true,
  ]);
  const making = create(broker, "t");
  const other = await create(broker, "other", 2);
  expect([other.partitions.length, readdirSync(join(path, "topics")).sort()]).toEqual([2, ["other", "~~t"]]);
  files.letGo();
  await removing;
  const second = await making;
  expect([second.id === first.id, second.partitions.length, offsets.fetch("g", "t", 0)]).toEqual([
    false,
    1,
    null,
  ]);
});

test("a removal that cannot be made durable gives the topic back offline, with its offsets", async () => {
  const { broker, files, offsets, engine } = await opened();
  await create(broker, "t", 2);
  await commit(offsets, "t");
  files.hasFailed = true;
  await expect(broker.topics.remove("t")).rejects.toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
  const states = broker.topics
    .get("t")!
    .partitions.map(logPartition)
    .map(({ isUnavailable, isRetired }) => [isUnavailable, isRetired]);
  expect([states, broker.topics.partitionCount, offsets.fetch("g", "t", 0)?.offset]).toEqual([
    [
      [true, false],
      [true, false],
    ],
    2,
    1,
  ]);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable", "unreadable"]);
});

test("topics that are removed together share their syncs", async () => {
  const { broker, files } = await opened();
  const names = Array.from({ length: 50 }, (_, index) => `t${index}`);
  await Promise.all(names.map((name) => create(broker, name)));
  files.directorySyncs = 0;
  await Promise.all(names.map((name) => broker.topics.remove(name)));
  expect([broker.topics.count, files.directorySyncs < 55]).toEqual([0, true]);
});

test("topics are made while more of them are being removed than the disk may hold up", async () => {
  const { broker, files } = await opened();
  const names = Array.from({ length: UNFINISHED_MAX }, (_, index) => `t${index}`);
  await Promise.all(names.map((name) => create(broker, name)));
  files.held = "deletions";
  const removing = Promise.all(names.map((name) => broker.topics.remove(name)));
  await until(() => files.waiting.length > 0);
  const { partitions } = await create(broker, "another");
  expect([partitions.length, broker.topics.count]).toEqual([1, 1]);
  files.letGo();
  await removing;
});

test("a topic of many partitions is made while others go on, and is there when it is whole", async () => {
  const { broker } = await opened();
  let isMade = false;
  const making = create(broker, "large", 600).then((topic) => {
    isMade = true;
    return topic;
  });
  let turns = 0;
  let wasSeen = false;
  for (; !isMade; turns += 1) {
    wasSeen ||= broker.topics.get("large") !== undefined;
    if (turns === 20) expect((await create(broker, "small")).partitions.length).toBe(1);
    await nextTurn();
  }
  const { partitions } = await making;
  expect([wasSeen, partitions.length, broker.topics.partitionCount, turns > 600]).toEqual([
    false,
    600,
    601,
    true,
  ]);
});

test("a stop does not wait for a removal that goes on, and the next start finishes it", async () => {
  const before = await opened();
  await create(before.broker, "t", 20);
  await commit(before.offsets, "t");
  before.files.held = "deletions";
  const removing = before.broker.topics.remove("t");
  await until(() => before.files.waiting.length > 0);
  await before.broker.close();
  const closing = before.engine.close();
  before.files.letGo();
  await closing;
  await removing;
  expect(readdirSync(join(before.path, "topics/~~t")).length).toBe(20);
  expect(readdirSync(join(before.path, "topics"))).toEqual(["~~t"]);
  const after = await opened(before.path, before.state);
  after.files.held = "deletions";
  const finishing = after.broker.topics.finishRemovals();
  const { broker, offsets } = after;
  expect([broker.topics.count, offsets.count, offsets.fetch("g", "t", 0)]).toEqual([0, 1, null]);
  const making = create(broker, "t");
  await until(() => after.files.waiting.length > 0);
  expect((await create(broker, "other")).partitions.length).toBe(1);
  after.files.letGo();
  await finishing;
  await making;
  expect([readdirSync(join(before.path, "topics")).sort(), offsets.count]).toEqual([["other", "t"], 0]);
});
