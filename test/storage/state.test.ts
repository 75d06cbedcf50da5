/**
 * The SQLite state: verdicts and group commit against a plain model, survival of a process that just stops, and what
 * happens to damaged files. The contract itself is tested by conformance/.
 */

import { afterAll, beforeEach, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import fc from "fast-check";
import { createDisk } from "../../src/base/disk.ts";
import type { Files } from "../../src/base/files.ts";
import type { StateChange } from "../../src/storage/contract.ts";
import { openStateFile, readErrorIn } from "../../src/storage/file/state/state-file.ts";
import { planChanges } from "../../src/storage/file/state/state-plan.ts";
import { rowChecksum } from "../../src/storage/file/state/state-row.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";
import { RefusingFiles } from "../support/refusing-files.ts";

const files = createDisk();
const root = mkdtempSync(join(tmpdir(), "obelisk-state-"));
let directory = "";
let number = 0;

beforeEach(() => {
  number += 1;
  directory = join(root, String(number));
  files.makeDirectory(directory);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a change is read back, also after reopening, and closing leaves one file", async () => {
  {
    await using opened = await open();
    expect(await opened.state.change([{ key: "topic/a", value: "{}" }])).toBe(true);
    expect(await opened.state.change([{ key: "topic/a", value: '{"x":1}' }])).toBe(true);
    expect(await opened.state.get("topic/a")).toEqual({ key: "topic/a", value: '{"x":1}', version: 2 });
    expect(await opened.state.get("topic/b")).toBeNull();
  }
  expect(readdirSync(directory)).toEqual(["meta.db"]);
  await using again = await open();
  expect(await again.state.get("topic/a")).toEqual({ key: "topic/a", value: '{"x":1}', version: 2 });
});

test("what was acknowledged is there after a process that just stopped", async () => {
  await using opened = await open();
  await opened.state.change([{ key: "producer-id", value: '{"next":7}' }]);
  const copy = `${directory}-copy`;
  cpSync(directory, copy, { recursive: true });
  await using crashed = await open(copy);
  expect(crashed.findings).toEqual([]);
  expect((await crashed.state.get("producer-id"))?.value).toBe('{"next":7}');
});

test("a prefix lists exactly what starts with it, whatever characters follow", async () => {
  await using opened = await open();
  const keys = [
    "offset/a",
    "offset/a/t/0",
    "offset/a/t/10",
    "offset/a/t/9",
    "offset/a%2F/t/0",
    "offset/a\u{10ffff}",
    "offset/b",
    "offset/a_",
  ];
  await opened.state.change(keys.map((key) => ({ key, value: "1" })));
  const listed = (prefix: string) =>
    opened.state.list(prefix).then((entries) => entries.map(({ key }) => key));
  expect(await listed("offset/a/")).toEqual(["offset/a/t/0", "offset/a/t/10", "offset/a/t/9"]);
  expect(await listed("offset/a_")).toEqual(["offset/a_"]);
  expect(await listed("offset/a\u{10ffff}")).toEqual(["offset/a\u{10ffff}"]);
  expect(await listed("")).toEqual([...keys].sort());
  expect(await listed("x")).toEqual([]);
});

test("calls of one turn share a transaction, and one with a version mismatch leaves the others alone", async () => {
  const counted = countingFiles();
  await using opened = await open(directory, counted.files);
  const before = counted.syncs();
  const verdicts = await Promise.all([
    opened.state.change([{ key: "a", value: "1", expectedVersion: 0 }]),
    opened.state.change([
      { key: "b", value: "1" },
      { key: "a", value: "2", expectedVersion: 0 },
    ]),
    opened.state.change([{ key: "a", value: "3", expectedVersion: 1 }]),
    opened.state.change([{ key: "c", value: null, expectedVersion: 0 }]),
  ]);
  expect(verdicts).toEqual([true, false, true, true]);
  expect(counted.syncs() - before).toBe(1);
  expect(await opened.state.list("")).toEqual([{ key: "a", value: "3", version: 2 }]);
});

test("a version that was given to an entry and taken away within one call is not assigned again", () => {
  const removed = [
    { key: "a", value: "1" },
    { key: "a", value: null },
  ];
  const plan = planChanges([removed, [{ key: "b", value: "1" }]], new Map(), 0);
  expect(plan).toEqual({
    verdicts: [true, true],
    writes: [
      { key: "a", value: null, version: 2 },
      { key: "b", value: "1", version: 3 },
    ],
    lastVersion: 3,
  });
});

test("a transaction's plan equals the calls one after the other (model)", async () => {
  const change = fc.record(
    {
      key: fc.constantFrom("a", "b", "c"),
      value: fc.constantFrom("1", "2", null),
      expectedVersion: fc.integer({ min: 0, max: 9 }),
    },
    { requiredKeys: ["key", "value"] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 4 }), { maxLength: 12 }), async (calls) => {
      const model = new MemoryState();
      const expected: boolean[] = [];
      for (const changes of calls) expected.push(await model.change(changes as StateChange[]));
      const versions = new Map<string, number>();
      const plan = planChanges(calls as StateChange[][], versions, 0);
      expect(plan.verdicts).toEqual(expected);
      const kept = plan.writes.filter(({ value }) => value !== null);
      expect(kept.sort((left, right) => (left.key < right.key ? -1 : 1)) as unknown).toEqual(
        await model.list(""),
      );
    }),
  );
});

test("the file behaves as the memory store does, whatever is called (model)", async () => {
  await using opened = await open();
  const model = new MemoryState();
  const change = fc.record(
    {
      key: fc.constantFrom("a/1", "a/2", "a%2F", "b", "\u{10ffff}", "ü"),
      value: fc.option(fc.string(), { nil: null }),
      expectedVersion: fc.integer({ min: 0, max: 9 }),
    },
    { requiredKeys: ["key", "value"] },
  );
  const prefixes = fc.constantFrom("", "a/", "a", "b", "\u{10ffff}", "u", "zz");
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 5 }), prefixes, async (changes, prefix) => {
      const verdict = await opened.state.change(changes as StateChange[]);
      expect(verdict).toBe(await model.change(changes as StateChange[]));
      expect(await opened.state.list(prefix)).toEqual(await model.list(prefix));
      for (const { key } of changes) expect(await opened.state.get(key)).toEqual(await model.get(key));
    }),
  );
});

test("more changes than one transaction carries all arrive", async () => {
  await using opened = await open();
  const calls = Array.from({ length: 3000 }, (_, index) =>
    opened.state.change([{ key: `k${index}`, value: "x".repeat(500) }]),
  );
  expect(new Set(await Promise.all(calls))).toEqual(new Set([true]));
  expect((await opened.state.list("k")).length).toBe(3000);
});

test("calls beyond the queue's limit are refused and the others go on", async () => {
  await using opened = await open();
  const calls = Array.from({ length: 16_400 }, (_, index) =>
    opened.state.change([{ key: `k${index % 10}`, value: "1" }]),
  );
  const completed = await Promise.allSettled(calls);
  const refused = completed.filter((result) => result.status === "rejected");
  expect(refused.length).toBe(16);
  expect(refused[0]?.reason.code).toBe("KAFKA_STORAGE_ERROR");
});

test("a failed sync refuses everything from then on", async () => {
  let isBroken = false;
  const broken: Files = Object.create(files, {
    sync: {
      value: (descriptor: number) => (isBroken ? Promise.reject(new Error("EIO")) : files.sync(descriptor)),
    },
  });
  const { state } = await openStateFile(broken, directory);
  await state.change([{ key: "a", value: "1" }]);
  expect(state.refusal).toBeNull();
  isBroken = true;
  await expect(state.change([{ key: "a", value: "2" }])).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  await state.change([{ key: "a", value: "2" }]).catch(() => undefined);
  isBroken = false;
  expect(state.refusal).toContain("the state file could not be synced");
  await expect(state.change([{ key: "a", value: "3" }])).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  await expect(state.get("a")).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
  await state.close();
  await expect(state.get("a")).rejects.toMatchObject({ code: "STATE_UNUSABLE" });
});

test("a file that is no database goes to quarantine and a fresh one takes its place", async () => {
  writeFileSync(join(directory, "meta.db"), "this was never a database".repeat(400));
  await using opened = await open();
  expect(opened.findings).toEqual([
    {
      file: "meta.db",
      position: 0,
      bytes: 10_000,
      kind: "damaged-state",
      detail: "file is not a database; moved to quarantine/meta.db-1, 0 entries were saved into a new file",
    },
  ]);
  expect(await opened.state.list("")).toEqual([]);
  expect(await opened.state.change([{ key: "a", value: "1" }])).toBe(true);
  expect(readFileSync(join(directory, "quarantine/meta.db-1"), "utf8")).toStartWith("this was never");
});

test("a new file has pages of 8 KiB, one that an older version has made keeps its own, and both take changes", async () => {
  const older = new SQL({ adapter: "sqlite", filename: join(directory, "meta.db") });
  await older.unsafe("PRAGMA page_size=4096");
  await older.unsafe("CREATE TABLE other (n INTEGER)");
  await older.close();
  const newer = `${directory}-newer`;
  files.makeDirectory(newer);
  const pageBytes: number[] = [];
  for (const path of [directory, newer]) {
    await using opened = await open(path);
    await opened.state.change([{ key: "a", value: "n".repeat(2000) }]);
    expect((await opened.state.get("a"))?.value.length).toBe(2000);
    await opened.state.close();
    pageBytes.push(readFileSync(join(path, "meta.db")).readUInt16BE(16));
  }
  rmSync(newer, { recursive: true });
  expect(pageBytes).toEqual([4096, 8192]);
});

test("an empty file is a new state file", async () => {
  writeFileSync(join(directory, "meta.db"), "");
  await using opened = await open();
  expect(opened.findings).toEqual([]);
});

test("a damaged row goes into quarantine and the others stay", async () => {
  await fill(20);
  const file = join(directory, "meta.db");
  const bytes = readFileSync(file);
  const place = bytes.indexOf("value-of-7");
  bytes[place] = "V".charCodeAt(0);
  writeFileSync(file, bytes as unknown as Uint8Array<ArrayBuffer>);
  await using opened = await open();
  expect(opened.findings.map(({ kind, detail }) => [kind, detail])).toEqual([
    ["damaged-state", "checksum mismatch in the entry k07; moved to quarantine/meta.db-1"],
  ]);
  expect((await opened.state.list("k")).length).toBe(19);
  expect(readFileSync(join(directory, "quarantine/meta.db-1"), "utf8")).toContain("Value-of-7");
});

test("every damaged byte is found or harmless, and costs no entry that it did not hit", async () => {
  await fill(400);
  const whole = readFileSync(join(directory, "meta.db"));
  const expected = await entries(directory);
  expect(whole.length).toBeGreaterThan(3 * 4096);
  for (let place = 0; place < whole.length; place += 307) {
    const damaged = Buffer.from(whole);
    damaged[place]! ^= 0x55;
    const target = `${directory}-${place}`;
    files.makeDirectory(target);
    writeFileSync(join(target, "meta.db"), damaged as unknown as Uint8Array<ArrayBuffer>);
    const { state, findings } = await openStateFile(files, target);
    const found = await state.list("");
    await state.close();
    for (const entry of found) expect(expected.get(entry.key)).toBe(entry.value);
    if (findings.length === 0) expect(found.length).toBe(expected.size);
    await using again = await open(target);
    expect(again.findings).toEqual([]);
    rmSync(target, { recursive: true });
  }
});

test("a replacement that a crash interrupted is finished", async () => {
  await fill(3);
  const { renameSync } = await import("node:fs");
  renameSync(join(directory, "meta.db"), join(directory, "meta.db-rebuilt"));
  writeFileSync(join(directory, "meta.db-wal"), "of the old file");
  await using opened = await open();
  expect((await opened.state.list("k")).length).toBe(3);
  expect(existsSync(join(directory, "meta.db-rebuilt"))).toBe(false);
  expect(existsSync(join(directory, "quarantine/meta.db-wal-1"))).toBe(true);
});

test("a file from before versions counted on over all entries is taken as it is, and its versions ascend", async () => {
  const { state } = await openStateFile(files, directory);
  await state.change([{ key: "a", value: "1" }]);
  await state.close();
  const connection = new SQL({ adapter: "sqlite", filename: join(directory, "meta.db") });
  for (const [key, version] of [
    ["a", 3],
    ["b", 7],
    ["c", 7],
  ] as const) {
    const row = [key, "1", version, rowChecksum(key, "1", version)];
    await connection.unsafe("INSERT OR REPLACE INTO state (key, value, version, crc) VALUES (?,?,?,?)", row);
  }
  await connection.close();
  await using opened = await open();
  expect(opened.findings).toEqual([]);
  expect(await opened.state.change([{ key: "b", value: null, expectedVersion: 7 }])).toBe(true);
  expect(await opened.state.change([{ key: "b", value: "2", expectedVersion: 7 }])).toBe(false);
  await opened.state.change([{ key: "b", value: "2", expectedVersion: 0 }]);
  expect((await opened.state.list("")).map(({ key, version }) => [key, version])).toEqual([
    ["a", 3],
    ["b", 9],
    ["c", 7],
  ]);
});

test("a state file that the disk refuses to read is not opened and not quarantined, and is whole at the next start", async () => {
  await fill(3);
  writeFileSync(join(directory, "meta.db-wal"), new Uint8Array(100));
  for (const file of ["/meta.db", "/meta.db-wal"]) {
    const refusing = new RefusingFiles(files);
    refusing.refused = [{ file, start: 50, end: 51 }];
    await expect(openStateFile(refusing, directory)).rejects.toMatchObject({
      code: "STATE_UNUSABLE",
      message: `the state file ${directory}/meta.db cannot be used: input/output error (EIO); check its permissions and the disk`,
    });
    expect(existsSync(join(directory, "quarantine"))).toBe(false);
  }
  rmSync(join(directory, "meta.db-wal"));
  await using opened = await open();
  expect([(await opened.state.list("k")).length, opened.findings]).toEqual([3, []]);
});

test("a refusal that SQLite's check meets is told from damage by its number", () => {
  const verdict = (text: string) => `*** in database main ***\nTree 2 page 11: ${text}`;
  expect(readErrorIn(verdict("unable to get the page. error code=8458"))).toBe(
    "a page of meta.db cannot be read (SQLite error 8458)",
  );
  expect(readErrorIn(verdict("unable to get the page. error code=266"))).not.toBeNull();
  // SQLITE_CORRUPT and SQLITE_NOTADB are about what was read.
  for (const code of [11, 26, 267])
    expect(readErrorIn(verdict(`unable to get the page. error code=${code}`))).toBeNull();
  for (const words of ["Rowid 3 out of order", "ok"]) expect(readErrorIn(words)).toBeNull();
});

test("a full disk is an error of the call, and the store works again afterwards", async () => {
  const { state } = await openStateFile(files, directory);
  await state.change([{ key: "a", value: "1" }]);
  await state.close();
  const connection = new SQL({ adapter: "sqlite", filename: join(directory, "meta.db") });
  const { SqliteState } = await import("../../src/storage/file/state/state.ts");
  await connection.unsafe("PRAGMA journal_mode=WAL");
  await connection.unsafe("PRAGMA max_page_count=8");
  const small = new SqliteState(files, directory, connection, 1);
  await expect(small.change([{ key: "big", value: "x".repeat(100_000) }])).rejects.toMatchObject({
    code: "DISK_FULL",
  });
  await small.change([{ key: "big", value: "x".repeat(100_000) }]).catch(() => undefined);
  expect(await small.change([{ key: "a", value: "2", expectedVersion: 1 }])).toBe(true);
  expect(await small.list("")).toEqual([{ key: "a", value: "2", version: 2 }]);
  await small.close();
});

async function open(path = directory, given: Files = files) {
  const opened = await openStateFile(given, path);
  return { ...opened, [Symbol.asyncDispose]: () => opened.state.close() };
}

async function fill(count: number): Promise<void> {
  await using opened = await open();
  await opened.state.change(
    Array.from({ length: count }, (_, index) => ({
      key: `k${String(index).padStart(2, "0")}`,
      value: `"value-of-${index}"`,
    })),
  );
}

async function entries(path: string): Promise<Map<string, string>> {
  await using opened = await open(path);
  return new Map((await opened.state.list("")).map(({ key, value }) => [key, value]));
}

function countingFiles(): { files: Files; syncs: () => number } {
  let count = 0;
  const counting: Files = Object.create(files, {
    sync: {
      value: (descriptor: number) => {
        count += 1;
        return files.sync(descriptor);
      },
    },
  });
  return { files: counting, syncs: () => count };
}
