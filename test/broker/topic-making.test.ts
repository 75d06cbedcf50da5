/**
 * A process that ends in the middle of making or removing a topic leaves nothing that `verify` or the next start calls damage; a
 * topic whose directory goes later does. Real files: the directory is copied after every step, as kill -9 would leave it.
 */

import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Files } from "../../src/base/files.ts";
import { nextTurn } from "../../src/base/loop/turns.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { DataDirectory } from "../../src/storage/file/data-directory.ts";
import { FileEngine } from "../../src/storage/file/engine.ts";
import { openStateFile } from "../../src/storage/file/state/state-file.ts";
import { batchOf } from "../support/batches.ts";
import { openBroker } from "../support/broker.ts";
import { copyData, directoryOptions, disk, scratchFolder } from "../support/data-tree.ts";
import { appendTo } from "../support/partitions.ts";
import { placeAndKind, verifyTree } from "../support/verify-tree.ts";

setDefaultTimeout(60_000);

const folder = scratchFolder();
const scratch = folder.make("scratch");
afterAll(() => folder[Symbol.dispose]());

async function start(path: string, files: Files = disk) {
  const directory = DataDirectory.open(files, path, directoryOptions);
  const { state, findings } = await openStateFile(files, path, directory.isClean);
  const engine = new FileEngine({ files, clock: directoryOptions.clock, directory, state });
  const broker = await openBroker({}, { engine });
  await broker.topics.finishRemovals();
  const stop = async () => {
    await broker.close();
    await engine.close();
  };
  return { broker, found: () => [...findings, ...engine.findings].map(placeAndKind), stop };
}

/** The disk, with a copy of `path` after each step that changes names. */
function copying(path: string, copies: string[]): Files {
  const after = (name: "makeDirectory" | "open" | "rename" | "removeFile" | "removeDirectory") => {
    const work = disk[name].bind(disk) as (...args: unknown[]) => unknown;
    return (...args: unknown[]) => {
      const response = work(...args);
      if (name !== "open" || args[1] === "create") copies.push(copyData(path, `${path}-${copies.length}`));
      return response;
    };
  };
  const afterLater = (
    name: "makeDirectoryLater" | "createLater" | "removeFileLater" | "removeDirectoryLater",
  ) => {
    return async (target: string) => {
      await disk[name](target);
      copies.push(copyData(path, `${path}-${copies.length}`));
    };
  };
  return Object.assign(Object.create(disk), {
    makeDirectory: after("makeDirectory"),
    open: after("open"),
    rename: after("rename"),
    removeFile: after("removeFile"),
    removeDirectory: after("removeDirectory"),
    makeDirectoryLater: afterLater("makeDirectoryLater"),
    createLater: afterLater("createLater"),
    removeFileLater: afterLater("removeFileLater"),
    removeDirectoryLater: afterLater("removeDirectoryLater"),
  }) as Files;
}

async function store(broker: Broker, topic: string): Promise<void> {
  const partition = broker.topics.get(topic)!.partitions[0]!;
  const batch = batchOf(["value"]);
  await appendTo(partition, batch).done;
}

test("a kill at any step of making and removing a topic is no damage, and the next start finishes it", async () => {
  const path = folder.make("killed");
  const copies: string[] = [];
  const { broker, stop } = await start(path, copying(path, copies));
  await broker.topics.create("orders", { partitions: 3, configs: {} });
  copies.push(copyData(path, `${path}-made`));
  await store(broker, "orders");
  const madeCount = copies.length;
  await broker.topics.remove("orders");
  copies.push(copyData(path, `${path}-removed`));
  expect(copies.length).toBeGreaterThan(madeCount + 3);
  await stop();
  for (const copy of copies) {
    const { findings } = await verifyTree(copy, scratch);
    expect([copy, findings.map(placeAndKind)]).toEqual([copy, []]);
    const next = await start(copy);
    expect([copy, next.found()]).toEqual([copy, []]);
    expect([0, 3]).toContain(next.broker.topics.get("orders")?.partitions.length ?? 0);
    await next.stop();
    expect((await verifyTree(copy, scratch)).findings).toEqual([]);
  }
});

test("a topic whose directory goes is told by the start once it had records, or after a graceful shutdown", async () => {
  const path = folder.make("gone");
  const { broker, stop } = await start(path);
  for (const topic of ["used", "unused"]) await broker.topics.create(topic, { partitions: 2, configs: {} });
  await store(broker, "used");
  const row = async () => JSON.parse((await broker.state.get("topic/used"))!.value) as { isBeingMade?: true };
  while ((await row()).isBeingMade) await nextTurn();
  const killed = copyData(path, `${path}-killed`);
  await stop();
  const used = ["topics/used/0 missing-partition", "topics/used/1 missing-partition"];
  const unused = used.map((place) => place.replace("/used", "/unused"));
  for (const [copy, expected] of [
    [killed, used],
    [path, [...unused, ...used]],
  ] as const) {
    for (const topic of ["used", "unused"]) rmSync(join(copy, "topics", topic), { recursive: true });
    expect((await verifyTree(copy, scratch)).findings.map(placeAndKind).sort()).toEqual([...expected]);
    const next = await start(copy);
    expect(next.found().sort()).toEqual([...expected]);
    expect(next.broker.topics.get("used")?.partitions.length).toBe(2);
    await next.stop();
    expect((await verifyTree(copy, scratch)).findings).toEqual([]);
  }
});
