/**
 * `verify` and `verify --repair` on real directories that a real engine wrote. The damage matrix: hit each kind of file at
 * several places; `verify` must name the file and change nothing, everything that was not hit must still be served, and
 * after a repair a second `verify` must find nothing and the same records must be there.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Files } from "../../src/base/files.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Finding } from "../../src/storage/contract.ts";
import { repairDirectory } from "../../src/storage/verify/repair.ts";
import { bytesToVerify, verifyDirectory } from "../../src/storage/verify.ts";
import { batchOf } from "../support/batches.ts";
import {
  buildData,
  copyData,
  cutFile,
  directoryOptions,
  disk,
  flipByte,
  hashTree,
  listTree,
  NO_LISTENER,
  openData,
  readData,
  scratchFolder,
} from "../support/data-tree.ts";

setDefaultTimeout(60_000);

const folder = scratchFolder();
const whole = folder.make("whole");
const scratch = folder.make("scratch");
const PARTITION = "topics/orders/0";
const FIRST_LOG = `${PARTITION}/00000000000000000000.log`;
let expected: Record<number, string[]> = {};
let lastLog = "";
let number = 0;

beforeAll(async () => {
  await buildData(whole);
  expected = await readData(copyData(whole, join(folder.path, "for-reading")));
  lastLog = listTree(whole).findLast(({ file }) => file.startsWith(PARTITION) && file.endsWith(".log"))!.file;
});
afterAll(() => folder[Symbol.dispose]());

test("a valid directory has no findings, and everything is counted", async () => {
  const { findings, summary } = await verify(whole);
  expect(findings).toEqual([]);
  expect(summary).toEqual({
    topics: 1,
    partitions: 2,
    segments: 6,
    batches: 400,
    records: 800,
    bytes: bytesToVerify(disk, whole) - statSync(join(whole, "lock")).size,
    holes: 0,
    holeBytes: 0,
    stateEntries: 3,
    goMessages: 0,
    findings: 0,
    notes: 0,
    isServerRunning: false,
  });
});

test("a topic whose removal has begun but not finished is no damage: the next start finishes it", async () => {
  const copy = copyData(whole, join(folder.path, "being-removed"));
  renameSync(join(copy, "topics/orders"), join(copy, "topics/~~orders"));
  const { findings, summary } = await verify(copy);
  expect([findings, summary.topics]).toEqual([[], 0]);
});

test("progress rises to the bytes that were checked", async () => {
  const seen: number[] = [];
  const options = { scratchDirectory: scratch, onFinding: () => undefined };
  const summary = await verifyDirectory(disk, whole, { ...options, onProgress: (bytes) => seen.push(bytes) });
  expect(seen).toEqual([...seen].sort((left, right) => left - right));
  expect(seen.at(-1)).toBe(summary.bytes);
});

test("a flipped byte anywhere is reported, costs only what it hit, and is repaired", async () => {
  for (const { file, position } of placesToDamage()) {
    const path = fresh();
    flipByte(join(path, file), position);
    const before = hashTree(path);
    const { findings } = await verify(path);
    expect(hashTree(path)).toBe(before);
    if (findings.length === 0) {
      // SQLite's file has bytes that mean nothing; everything else is covered to the last byte.
      expect(file).toBe("meta.db");
      continue;
    }
    expect(new Set(findings.map((finding) => finding.file))).toEqual(new Set([file]));
    await expectServed(copyData(path, `${path}-served`), file, position);
    const { remaining, repairs } = await repair(path);
    expect({ file, position, remaining }).toEqual({ file, position, remaining: [] });
    expect(repairs.length).toBeGreaterThan(0);
    expect((await verify(path)).findings).toEqual([]);
    await expectServed(path, file, position);
    expect((await verify(path)).findings).toEqual([]);
    rmSync(path, { recursive: true });
    rmSync(`${path}-served`, { recursive: true });
  }
});

test("the kinds of findings say what was hit", async () => {
  const snapshot = `${PARTITION}/producers.snapshot`;
  for (const [file, position, kind] of [
    [FIRST_LOG, 520, "damaged-batch"],
    [FIRST_LOG.replace(".log", ".index"), 3, "damaged-index"],
    [FIRST_LOG.replace(".log", ".timeindex"), 7, "damaged-index"],
    [snapshot, 30, "damaged-snapshot"],
    [FIRST_LOG, batchStart(FIRST_LOG, 120) + 15, "wrong-epoch"],
    ["obelisk.json", 40, "damaged-state"],
    ["meta.db", 20, "damaged-state"],
  ] as const) {
    const path = fresh();
    flipByte(join(path, file), position);
    const { findings } = await verify(path);
    expect(findings.map((finding) => [finding.file, finding.kind])).toEqual([[file, kind]]);
  }
});

test("a damaged batch is reported with its exact place and size, and repair says what was lost", async () => {
  const path = fresh();
  flipByte(join(path, FIRST_LOG), 520);
  const { findings } = await verify(path);
  const [{ position, bytes }] = findings as [Finding];
  expect(position).toBeLessThanOrEqual(520);
  expect(position + bytes).toBeGreaterThan(520);
  const { repairs } = await repair(path);
  expect(repairs.map(({ file, position: at, bytes: lost, kind }) => [file, at, lost, kind])).toEqual([
    [FIRST_LOG, position, bytes, "damaged-batch"],
  ]);
  const quarantined = listTree(path).find(
    ({ file }) => file.startsWith("quarantine/") && !file.endsWith(".txt"),
  );
  expect(quarantined?.bytes).toBe(bytes);
  const { summary } = await verify(path);
  expect([summary.holes, summary.holeBytes]).toEqual([1, bytes]);
});

test("a damaged directory stays repaired when the server appends and stops and starts again", async () => {
  const path = fresh();
  flipByte(join(path, FIRST_LOG), 520);
  flipByte(join(path, lastLog), 200);
  await repair(path);
  const served = (await readData(path))[0]!.length;
  const { engine } = await openData(path);
  const log = await engine.open("orders", 0, NO_LISTENER);
  const batch = batchOf(["new"]);
  log.append(batch, 0, batch.length);
  await engine.sync([log]);
  log.checkpoint(Buffer.from("later"), log.endOffset);
  await engine.close();
  expect((await verify(path)).findings).toEqual([]);
  expect((await readData(path))[0]!.length).toBe(served + 1);
});

test("every truncation of the last segment is found below the checkpoint and repaired", async () => {
  const { bytes } = listTree(whole).find(({ file }) => file === lastLog)!;
  for (let length = 0; length < bytes; length += 61) {
    const path = fresh();
    cutFile(join(path, lastLog), length);
    const { findings } = await verify(path);
    expect(findings.length).toBeGreaterThan(0);
    const { remaining } = await repair(path);
    expect({ length, remaining }).toEqual({ length, remaining: [] });
    const values = (await readData(path))[0]!;
    expect(values).toEqual(expected[0]!.slice(0, values.length));
    rmSync(path, { recursive: true });
  }
});

test("every length of a torn tail is found and cut, and nothing before it is lost", async () => {
  const tail = batchOf(["never acknowledged"]);
  for (let length = 1; length < tail.length; length += 1) {
    const path = fresh();
    appendTo(join(path, lastLog), tail.subarray(0, length));
    const { findings } = await verify(path);
    expect(findings.map(({ file, kind, bytes }) => [file, kind, bytes])).toEqual([
      [lastLog, "torn-tail", length],
    ]);
    if (length % 10 === 0) {
      const { remaining } = await repair(path);
      expect(remaining).toEqual([]);
      expect(await readData(path)).toEqual(expected);
    }
    rmSync(path, { recursive: true });
  }
});

test("a sealed segment that was cut at a batch's end leaves a gap, which repair records", async () => {
  const path = fresh();
  const batchBytes = batchOf(["value-0-0-a", "value-0-0-b"], {}, 1000).length;
  cutFile(join(path, FIRST_LOG), batchBytes * 10);
  const { findings } = await verify(path);
  expect(findings.map(({ kind }) => kind)).toContain("offset-gap");
  const { remaining } = await repair(path);
  expect(remaining).toEqual([]);
  const values = (await readData(path))[0]!;
  expect(values.slice(0, 20)).toEqual(expected[0]!.slice(0, 20));
  expect(expected[0]!.slice(-(values.length - 20))).toEqual(values.slice(20));
  expect((await verify(path)).findings).toEqual([]);
});

test("a missing segment, index, state file, partition or topic is found and repaired", async () => {
  const segments = listTree(whole).filter(({ file }) => file.startsWith(PARTITION) && file.endsWith(".log"));
  for (const [file, kind] of [
    [segments[1]!.file, "offset-gap"],
    [FIRST_LOG.replace(".log", ".index"), "missing-index"],
    [FIRST_LOG.replace(".log", ".timeindex"), "missing-index"],
    ["meta.db", "damaged-state"],
    ["topics/orders/1", "missing-partition"],
    ["topics/orders", "missing-partition"],
  ] as const) {
    const path = fresh();
    rmSync(join(path, file), { recursive: true });
    const { findings } = await verify(path);
    expect(findings.map((finding) => finding.kind)).toContain(kind);
    const { remaining } = await repair(path);
    expect({ file, remaining }).toEqual({ file, remaining: [] });
  }
});

test("after a process that just stopped and a restart there is nothing to find", async () => {
  for (const seed of [1, 2, 3, 4]) {
    const random = randomOf(seed);
    let path = folder.make(`life-${seed}`);
    for (let life = 0; life < 3; life += 1) {
      const { engine } = await openData(path, 3000 + Math.floor(random() * 6000));
      const logs = [await engine.open("orders", 0, NO_LISTENER), await engine.open("orders", 1, NO_LISTENER)];
      for (let step = Math.floor(random() * 120); step > 0; step -= 1) {
        const log = logs[random() < 0.5 ? 0 : 1]!;
        const batch = batchOf(["x".repeat(random() * 300), "y"], {}, random() < 0.1 ? 500 : 2000 - step);
        log.append(batch, 0, batch.length);
        if (random() < 0.3) await engine.sync(logs);
        if (random() < 0.1) log.checkpoint(Buffer.from("state"), log.endOffset);
      }
      expect((await verify(path)).findings).toEqual([]); // beside the running server
      const stopped = copyData(path, `${path}-${life}`);
      await engine.close();
      expect({ seed, life, findings: (await verify(stopped)).findings }).toEqual({
        seed,
        life,
        findings: [],
      });
      await readData(stopped);
      expect({ seed, life, findings: (await verify(stopped)).findings }).toEqual({
        seed,
        life,
        findings: [],
      });
      path = stopped;
    }
  }
});

test("a repair that stops at any change to the disk can be done again", async () => {
  const damaged = fresh();
  flipByte(join(damaged, FIRST_LOG), 520);
  flipByte(join(damaged, FIRST_LOG.replace(".log", ".index")), 3);
  appendTo(join(damaged, lastLog), Buffer.alloc(30, 1));
  flipByte(join(damaged, "topics/orders/1/producers.snapshot"), 30);
  flipByte(join(damaged, "obelisk.json"), 40);
  writeFileSync(join(damaged, "unknown"), "12345");
  let stop = 1;
  for (; ; stop += 3) {
    const path = copyData(damaged, `${damaged}-${stop}`);
    const isWhole = await repair(path, stoppingDisk(stop)).then(
      () => true,
      () => false,
    );
    const { remaining } = await repair(path);
    expect({ stop, remaining }).toEqual({ stop, remaining: [] });
    const values = await readData(path);
    expect({ stop, lost: expected[0]!.length - values[0]!.length }).toEqual({ stop, lost: 2 });
    expect(values[1]).toEqual(expected[1]!);
    rmSync(path, { recursive: true });
    if (isWhole) break;
  }
  expect(stop).toBeGreaterThan(10);
});

test("unknown files are found and moved to quarantine, and hidden ones are left alone", async () => {
  const path = fresh();
  const names = [
    "unknown.txt",
    "topics/note",
    `${PARTITION}/extra`,
    `${PARTITION}/00000000000000009999.index`,
  ];
  for (const name of [...names, ".hidden", `${PARTITION}/x.tmp`]) writeFileSync(join(path, name), "12345");
  mkdirSync(join(path, "topics/orders/not-a-number"));
  const { findings } = await verify(path);
  expect(findings.map(({ file, kind, bytes }) => `${file} ${kind} ${bytes}`).sort()).toEqual(
    [...names.map((name) => `${name} unknown-file 5`), "topics/orders/not-a-number/ unknown-file 0"].sort(),
  );
  const { remaining } = await repair(path);
  expect(remaining).toEqual([]);
  expect(existsSync(join(path, ".hidden"))).toBe(true);
  expect(existsSync(join(path, "quarantine/unknown.txt-1"))).toBe(true);
});

test("a stray segment is reported, nothing else is, and repair moves it away without losing a record", async () => {
  const copied = readFileSync(join(whole, FIRST_LOG));
  for (const [name, content] of [
    ["00000000000000000007.log", Buffer.alloc(3000, "rubbish ")],
    ["00000000000000000007.log", Buffer.alloc(0)],
    ["00000000000000000009.log", copied],
    ["00000000000000009000.log", copied],
  ] as const) {
    const path = fresh();
    const file = `${PARTITION}/${name}`;
    writeFileSync(join(path, file), content);
    const { findings, summary } = await verify(path);
    expect(findings.map((finding) => [finding.file, finding.position, finding.bytes, finding.kind])).toEqual([
      [file, 0, content.length, "unknown-file"],
    ]);
    expect([summary.segments, summary.records]).toEqual([6, 800]);
    const { remaining, repairs } = await repair(path);
    expect([remaining, repairs.map(({ detail }) => detail)]).toEqual([
      [],
      [`moved to quarantine/topics_orders_0_${name}-1`],
    ]);
    expect((await verify(path)).findings).toEqual([]);
    expect(await readData(path)).toEqual(expected);
  }
});

test("a damaged write-ahead log of the state is found, because SQLite would ignore it silently", async () => {
  const path = fresh();
  const { engine, directory } = await openData(path);
  for (let index = 0; index < 5; index += 1) {
    await engine.state.change([{ key: "producer-id", value: JSON.stringify({ next: index }) }]);
  }
  const crashed = copyData(path, `${path}-crashed`);
  await engine.close();
  directory.close();
  expect((await verify(crashed)).findings).toEqual([]);
  flipByte(join(crashed, "meta.db-wal"), 32 + 24 + 100);
  const before = hashTree(crashed);
  const { findings } = await verify(crashed);
  expect(findings.map(({ file, kind, position }) => [file, kind, position])).toEqual([
    ["meta.db-wal", "damaged-state", 32],
  ]);
  expect(hashTree(crashed)).toBe(before);
  const { remaining, repairs } = await repair(crashed);
  expect(remaining).toEqual([]);
  expect(repairs[0]?.detail).toContain("copied to quarantine/meta.db-wal-1");
});

test("files of a Go Obelisk are checked, and repair imports them", async () => {
  const path = fresh();
  cpSync(join(import.meta.dir, "fixtures/go-data"), path, { recursive: true });
  expect(await verify(path)).toMatchObject({ findings: [], summary: { goMessages: 114 } });
  flipByte(join(path, "topics/topic-0.log"), 61);
  writeFileSync(join(path, "consumers/broken.json"), "{");
  const { findings } = await verify(path);
  expect(findings.map(({ file, kind, position, bytes }) => [file, kind, position, bytes])).toEqual([
    ["topics/topic-0.log", "damaged-frame", 61, 61],
    ["consumers/broken.json", "damaged-state", 0, 1],
  ]);
  const { remaining } = await repair(path);
  expect(remaining).toEqual([]);
  const { summary } = await verify(path);
  expect([summary.topics, summary.records, summary.goMessages]).toEqual([2, 913, 0]);
});

test("a running server's directory is read all the same, and repair is refused", async () => {
  const path = fresh();
  const { engine, directory } = await openData(path);
  const log = await engine.open("orders", 0, NO_LISTENER);
  const batch = batchOf(["new"]);
  log.append(batch, 0, batch.length);
  await engine.state.change([{ key: "x", value: "1" }]);
  appendTo(join(path, lastLog), batch.subarray(0, 20)); // as if a write were under way
  const { findings, summary } = await verify(path);
  expect([findings, summary.isServerRunning, summary.stateEntries]).toEqual([[], true, 4]);
  await expect(repair(path)).rejects.toMatchObject({ code: "DATA_DIRECTORY_LOCKED" });
  await engine.close();
  directory.close();
});

test("a directory that cannot be verified is refused with one line", async () => {
  await expect(verify(join(folder.path, "nowhere"))).rejects.toMatchObject({
    code: "DATA_DIRECTORY_UNUSABLE",
  });
  await expect(verify(folder.make("empty"))).rejects.toMatchObject({ code: "DATA_DIRECTORY_UNUSABLE" });
  await expect(repair(join(folder.path, "nowhere"))).rejects.toMatchObject({
    code: "DATA_DIRECTORY_UNUSABLE",
  });
  expect(existsSync(join(folder.path, "nowhere"))).toBe(false);
});

test("repair of a valid directory touches nothing", async () => {
  const path = fresh();
  const before = hashTree(path);
  const { repairs, remaining } = await repair(path);
  expect([repairs, remaining]).toEqual([[], []]);
  expect(hashTree(path)).toBe(before);
});

/** A disk that takes a number of changes and then refuses every other one, as when it has been pulled out. */
function stoppingDisk(changes: number): Files {
  let left = changes;
  const refuse = ["write", "truncate", "replace", "rename", "removeFile", "makeDirectory", "syncNow", "sync"];
  return new Proxy(disk, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...values: unknown[]) => {
        if (refuse.includes(String(name)) && !String(values[0]).startsWith(scratch)) left -= 1;
        if (left < 0 && refuse.includes(String(name)))
          throw Object.assign(new Error("EIO: pulled out"), { code: "EIO" });
        return member.apply(target, values);
      };
    },
  });
}

/** Numbers from 0 to 1 that are the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}

function fresh(): string {
  number += 1;
  return copyData(whole, join(folder.path, `copy-${number}`));
}

/** A dozen places in each file, the first and the last byte among them. */
function placesToDamage(): { file: string; position: number }[] {
  const places: { file: string; position: number }[] = [];
  for (const { file, bytes } of listTree(whole)) {
    if (file === "lock" || bytes === 0 || file.startsWith("topics/orders/1")) continue;
    const step = Math.max(1, Math.floor(bytes / 6));
    for (let position = 0; position < bytes; position += step) places.push({ file, position });
    places.push({ file, position: bytes - 1 });
    if (file !== FIRST_LOG) continue;
    for (const field of HEADER_FIELDS) places.push({ file, position: batchStart(file, 120) + field });
  }
  return places;
}

/** One byte of each field of a batch's header. */
const HEADER_FIELDS = [0, 7, 8, 11, 12, 15, 16, 17, 21, 23, 26, 27, 35, 43, 51, 53, 57, 61];

async function verify(path: string) {
  const findings: Finding[] = [];
  const summary = await verifyDirectory(disk, path, {
    scratchDirectory: scratch,
    onFinding: (finding) => findings.push(finding),
  });
  return { findings, summary };
}

async function repair(path: string, files: Files = disk) {
  const repairs: Finding[] = [];
  const summary = await repairDirectory(files, path, {
    ...directoryOptions,
    log: silentLog,
    newTopicId: () => "an-id",
    scratchDirectory: scratch,
    onFinding: () => undefined,
    onRepair: (finding) => repairs.push(finding),
  });
  return { ...summary, repairs };
}

/** Everything but the batch that was hit, in order; a file that is no log costs nothing. */
async function expectServed(path: string, file: string, position: number): Promise<void> {
  const values = await readData(path);
  const place = `${file} at ${position}`;
  expect([place, values[1]]).toEqual([place, expected[1]!]);
  const lost = expected[0]!.filter((value) => !values[0]!.includes(value));
  const kept = expected[0]!.filter((value) => values[0]!.includes(value));
  expect([place, values[0]]).toEqual([place, kept]);
  expect([place, lost.length]).toEqual([place, file.endsWith(".log") && !isInEpoch(file, position) ? 2 : 0]);
}

/** A wrong leader epoch costs no record. */
function isInEpoch(file: string, position: number): boolean {
  const at = position - batchStart(file, position);
  return at >= 12 && at < 16;
}

/** Where the batch around `position` starts. */
function batchStart(file: string, position: number): number {
  const bytes = readFileSync(join(whole, file));
  let start = 0;
  for (let next = 0; next <= position; next = start + 12 + bytes.readInt32BE(start + 8)) start = next;
  return start;
}

function appendTo(path: string, bytes: Buffer): void {
  writeFileSync(path, new Uint8Array(bytes), { flag: "a" });
}
