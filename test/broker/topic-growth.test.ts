/**
 * Partitions that are added to a topic: at once for everyone, durably, within the limits. A process that ends in the middle leaves as many
 * as before or all of them, and nothing that `verify` or the next start calls damage. Real files: the directory is copied after every step
 * that makes a name, as kill -9 would leave it.
 */

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, ObeliskError } from "../../src/base/errors.ts";
import type { Files } from "../../src/base/files.ts";
import { nextTurn } from "../../src/base/loop/turns.ts";
import type { TopicState } from "../../src/broker/topic.ts";
import { DataDirectory } from "../../src/storage/file/data-directory.ts";
import { FileEngine } from "../../src/storage/file/engine.ts";
import { openStateFile } from "../../src/storage/file/state/state-file.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { copyData, directoryOptions, disk, scratchFolder } from "../support/data-tree.ts";
import { appendTo } from "../support/partitions.ts";
import { placeAndKind, verifyTree } from "../support/verify-tree.ts";

setDefaultTimeout(60_000);

const folder = scratchFolder();
const scratch = folder.make("scratch");
afterAll(() => folder[Symbol.dispose]());

async function codeOf(work: Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await work;
    return null;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.code;
    throw thrown;
  }
}

async function start(path: string, files: Files = disk) {
  const directory = DataDirectory.open(files, path, directoryOptions);
  const { state, findings } = await openStateFile(files, path, directory.isClean);
  const engine = new FileEngine({ files, clock: directoryOptions.clock, directory, state });
  const broker = await openBroker({}, { engine });
  const stop = async () => {
    await broker.close();
    await engine.close();
  };
  const row = async () => JSON.parse((await broker.state.get("topic/orders"))!.value) as TopicState;
  const store = async (index: number) => {
    await appendTo(broker.topics.get("orders")!.partitions[index]!, batchOf(["value"])).done;
  };
  return { broker, row, store, stop, found: () => [...findings, ...engine.findings].map(placeAndKind) };
}

/** The disk, with `after` called after each folder and file that is made later. */
function watched(after: () => void, refuseAt = Number.POSITIVE_INFINITY): Files {
  let made = 0;
  const watch = (name: "makeDirectoryLater" | "createLater") => async (target: string) => {
    made += 1;
    if (made === refuseAt) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    await disk[name](target);
    after();
  };
  return Object.assign(Object.create(disk), {
    makeDirectoryLater: watch("makeDirectoryLater"),
    createLater: watch("createLater"),
  }) as Files;
}

test("added partitions are there for whoever holds the topic, and a number that is no increase is refused", async () => {
  const { topics } = await openBroker({ partitionsMax: 5 });
  const topic = await topics.create("orders", { partitions: 2, configs: {} });
  const held = topic.partitions;
  await topics.addPartitions("orders", 4);
  expect([held.map(({ index }) => index), topics.partitionCount]).toEqual([[0, 1, 2, 3], 4]);
  expect(new Set(Array.from({ length: 8 }, () => topic.nextPartition().index)).size).toBe(4);
  await appendTo(held[3]!, batchOf(["value"])).done;
  expect(held[3]!.highWatermark).toBe(1);
  expect(await codeOf(topics.addPartitions("orders", 4))).toBe("INVALID_PARTITIONS");
  expect(await codeOf(topics.addPartitions("orders", 1))).toBe("INVALID_PARTITIONS");
  expect(await codeOf(topics.addPartitions("none", 9))).toBe("UNKNOWN_TOPIC_OR_PARTITION");
  expect(await codeOf(topics.addPartitions("orders", 6))).toBe("POLICY_VIOLATION");
  expect(await codeOf(topics.addPartitions("orders", 5, true))).toBe(null);
  expect(held.length).toBe(4);
});

test("the settings of a topic hold for the partitions that are added to it", async () => {
  const { topics } = await openBroker();
  const topic = await topics.create("orders", { partitions: 1, configs: { "max.message.bytes": "2000" } });
  await topics.addPartitions("orders", 2);
  expect(topic.partitions[1]!.messageBytesMax).toBe(2000);
  await topics.alter("orders", (configs) => ({ ...configs, "max.message.bytes": "3000" }));
  expect(topic.partitions.map(({ messageBytesMax }) => messageBytesMax)).toEqual([3000, 3000]);
});

test("two who add at the same time are served one after the other", async () => {
  const { topics } = await openBroker();
  await topics.create("orders", { partitions: 1, configs: {} });
  const codes = await Promise.all([3, 3, 2, 5].map((count) => codeOf(topics.addPartitions("orders", count))));
  expect(codes).toEqual([null, "INVALID_PARTITIONS", "INVALID_PARTITIONS", null]);
  expect(topics.get("orders")!.partitions.length).toBe(5);
});

test("a restart knows the partitions that were added", async () => {
  const engine = new MemoryEngine();
  const first = await openBroker({}, { engine });
  const { id } = await first.topics.create("orders", { partitions: 1, configs: {} });
  await first.topics.addPartitions("orders", 3);
  await first.close();
  const second = await openBroker({}, { engine });
  const topic = second.topics.get("orders")!;
  expect([topic.id, topic.partitions.length]).toEqual([id, 3]);
});

test("a kill at any step leaves as many as before or all, and is no damage", async () => {
  const path = folder.make("killed");
  const copies: string[] = [];
  const copy = () => void copies.push(copyData(path, `${path}-${copies.length}`));
  const { broker, store, row, stop } = await start(path, watched(copy));
  await broker.topics.create("orders", { partitions: 2, configs: {} });
  await store(0);
  while ((await row()).isBeingMade) await nextTurn();
  copies.length = 0;
  await broker.topics.addPartitions("orders", 4);
  copy();
  expect(copies.length).toBe(5);
  await store(3);
  while ((await row()).partitionsMade !== undefined) await nextTurn();
  copy();
  await stop();
  for (const killed of copies) {
    expect([killed, (await verifyTree(killed, scratch)).findings.map(placeAndKind)]).toEqual([killed, []]);
    const next = await start(killed);
    expect([killed, next.found(), next.broker.topics.get("orders")!.partitions.length]).toEqual([
      killed,
      [],
      4,
    ]);
    await next.stop();
    expect((await verifyTree(killed, scratch)).findings).toEqual([]);
  }
});

test("a folder that was there before is missed while partitions are added, and one that is added is not", async () => {
  const path = folder.make("missing");
  const { broker, store, row, stop } = await start(path);
  await broker.topics.create("orders", { partitions: 2, configs: {} });
  await store(0);
  while ((await row()).isBeingMade) await nextTurn();
  await broker.topics.addPartitions("orders", 3);
  const killed = copyData(path, `${path}-killed`);
  await stop();
  for (const index of [1, 2]) rmSync(join(killed, "topics/orders", String(index)), { recursive: true });
  expect((await verifyTree(killed, scratch)).findings.map(placeAndKind)).toEqual([
    "topics/orders/1 missing-partition",
  ]);
  const next = await start(killed);
  expect(next.found()).toEqual(["topics/orders/1 missing-partition"]);
  await next.stop();
});

test("when the disk refuses, the topic has as many as before, nothing is left, and it can be tried again", async () => {
  const path = folder.make("refused");
  // Two for each partition of the topic, one for the first that is added.
  const { broker, store, row, stop, found } = await start(
    path,
    watched(() => {}, 8),
  );
  await broker.topics.create("orders", { partitions: 2, configs: {} });
  await store(0);
  while ((await row()).isBeingMade) await nextTurn();
  const before = await row();
  expect(await codeOf(broker.topics.addPartitions("orders", 4))).toBe("DISK_FULL");
  expect(await row()).toEqual(before);
  expect([broker.topics.get("orders")!.partitions.length, broker.topics.partitionCount]).toEqual([2, 2]);
  expect(disk.list(join(path, "topics/orders")).sort()).toEqual(["0/", "1/"]);
  await broker.topics.addPartitions("orders", 4);
  await store(3);
  await stop();
  expect(found()).toEqual([]);
  expect((await verifyTree(path, scratch)).findings).toEqual([]);
});
