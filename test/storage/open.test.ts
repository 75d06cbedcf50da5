import { expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createDisk } from "../../src/base/disk.ts";
import { silentLog } from "../../src/base/log.ts";
import { openStorage, type StorageOptions } from "../../src/storage/open.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { append, Replay, readAll } from "./conformance/suite.ts";
import { temporaryDirectory } from "./file/support.ts";

function options(): StorageOptions {
  return {
    files: createDisk(),
    clock: new ManualClock(),
    log: silentLog,
    nodeId: 1,
    pid: process.pid,
    newId: () => crypto.randomUUID(),
  };
}

test("a directory keeps its cluster id, its state and its records over a restart", async () => {
  using folder = temporaryDirectory();
  const path = join(folder.path, "new");
  const first = await openStorage(path, options());
  append(await first.engine.open("t", 0, new Replay()), ["a"]);
  await first.engine.state.change([{ key: "k", value: "v" }]);
  await first.engine.close();
  const second = await openStorage(`file:${path}/`, options());
  expect(second.clusterId).toBe(first.clusterId);
  expect(second.findings).toEqual([]);
  expect(await readAll(await second.engine.open("t", 0, new Replay()))).toEqual([[0, "a"]]);
  expect((await second.engine.state.get("k"))?.value).toBe("v");
  await second.engine.close();
});

test("a directory has one owner until it is closed", async () => {
  using folder = temporaryDirectory();
  const first = await openStorage(folder.path, options());
  const refused = await openStorage(folder.path, options()).catch((thrown) => thrown);
  expect(refused).toMatchObject({ code: "DATA_DIRECTORY_LOCKED" });
  await first.engine.close();
  const second = await openStorage(folder.path, options());
  await second.engine.close();
});

test("a start that fails gives the lock back", async () => {
  using folder = temporaryDirectory();
  writeFileSync(join(folder.path, "topics"), "a file where the engine needs a directory");
  const refused = await openStorage(folder.path, options()).catch((thrown) => thrown);
  expect(refused).toMatchObject({ code: "DATA_DIRECTORY_UNUSABLE" });
  const again = await openStorage(folder.path, options()).catch((thrown) => thrown);
  expect(again).toMatchObject({ code: "DATA_DIRECTORY_UNUSABLE" });
});

test("memory keeps nothing and leaves nothing", async () => {
  const { engine, imported } = await openStorage("memory:", { ...options(), memoryBytesMax: 1000 });
  append(await engine.open("t", 0, new Replay()), ["a"]);
  expect([engine.space()?.totalBytes, imported]).toEqual([1000, null]);
  await engine.close();
});

test("an address of another kind is refused and makes no directory", async () => {
  for (const address of ["", "postgres://host/db", "s3://bucket"]) {
    const refused = await openStorage(address, options()).catch((thrown) => thrown);
    expect(refused).toMatchObject({ code: "INVALID_SETTING" });
    expect(existsSync("postgres:")).toBe(false);
  }
});

test("a Go Obelisk's directory is imported once, and its records are there", async () => {
  using folder = temporaryDirectory();
  cpSync(join(import.meta.dir, "fixtures/go-data"), folder.path, { recursive: true });
  const first = await openStorage(folder.path, options());
  expect(first.imported?.topics).toEqual([{ topic: "topic-0", messages: 114, damagedBytes: 0 }]);
  expect((await readAll(await first.engine.open("topic-0", 0, new Replay()))).length).toBe(114);
  await first.engine.close();
  expect(readdirSync(join(folder.path, "topics"))).toContain("topic-0.log.imported");
  const second = await openStorage(folder.path, options());
  expect(second.imported).toBeNull();
  expect((await readAll(await second.engine.open("topic-0", 0, new Replay()))).length).toBe(114);
  await second.engine.close();
});
