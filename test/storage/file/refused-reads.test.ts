/**
 * A disk that fails to read, for a while. A read error in a log is returned to clients, who may retry; it has no other effect: no hole,
 * no truncation, no copy. An index holds nothing that the log does not: it is rebuilt. Damage that cannot be copied is neither truncated
 * nor skipped by readers.
 */

import { expect, test } from "bun:test";
import { ObeliskError } from "../../../src/base/errors.ts";
import { KiB } from "../../../src/base/units.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { decodeSnapshot } from "../../../src/storage/file/snapshot.ts";
import { bytesOf, recordsIn } from "../../support/batches.ts";
import { RefusingFiles } from "../../support/refusing-files.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const PARTITION = "/data/topics/t/0";
const PAGE_BYTES = 4 * KiB;
const FIRST_LOG = "00000000000000000000.log";

/** Segments of some pages each, with batches that lie across their borders, and one that is read in the pool. */
const VALUES = Array.from(
  { length: 60 },
  (_, index) => `${index} ${"v".repeat(index === 40 ? 200_000 : 900)}`,
);
const NUMBERS = VALUES.map((_, index) => String(index));
const SEGMENT_BYTES_MAX = 20_000;
const CHECKPOINT_OFFSET = 50;

interface Subject {
  files: RefusingFiles;
  directory: TestDirectory;
  open(): Promise<{ engine: FileEngine; log: PartitionLog }>;
}

/** `stop`: how the engine that wrote the values ended. An unclean one leaves the last ten after the checkpoint. */
async function written(stop: "clean" | "dirty"): Promise<Subject> {
  const files = new RefusingFiles(new SimulatedFiles(1));
  files.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const open = async () => {
    const engine = openEngine(directory, { files, segmentBytesMax: SEGMENT_BYTES_MAX });
    return { engine, log: await engine.open("t", 0, new Replay()) };
  };
  const { engine, log } = await open();
  for (const [index, value] of VALUES.entries()) {
    append(log, [value], 1000 + index);
    if (index + 1 !== CHECKPOINT_OFFSET) continue;
    await engine.sync([log]);
    log.checkpoint(Buffer.from("state"), log.endOffset);
  }
  await engine.close();
  directory.isClean = stop === "clean";
  return { files, directory, open };
}

/** Everything below `/data`, but for what every start writes. */
function contents(files: RefusingFiles, directory = "/data"): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of files.list(directory)) {
    const path = `${directory}/${name}`;
    if (name.endsWith("/")) for (const entry of contents(files, path.slice(0, -1))) found.set(...entry);
    else found.set(path, files.readFile(path).toString("latin1"));
  }
  return found;
}

/** What a read of each offset returns: its value's number, or the code of the error. */
async function responses(log: PartitionLog, bytesMax: number): Promise<string[]> {
  const found: string[] = [];
  for (let offset = 0; offset < log.endOffset; offset += 1) {
    try {
      const buffer = await bytesOf(log.span(offset, log.endOffset, bytesMax, true));
      found.push(recordsIn(buffer)[0]?.[1]?.split(" ")[0] ?? "nothing");
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      found.push(thrown.retriable ? thrown.code : `${thrown.code}, for good`);
    }
  }
  return found;
}

async function thrownBy(work: () => unknown): Promise<ObeliskError> {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

/** Where each batch lies: file, start and end. */
function places(files: RefusingFiles): { file: string; start: number; end: number }[] {
  const found: { file: string; start: number; end: number }[] = [];
  for (const file of files.list(PARTITION).filter((name) => name.endsWith(".log"))) {
    const bytes = files.readFile(`${PARTITION}/${file}`);
    for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
      found.push({ file, start: at, end: at + 12 + bytes.readInt32BE(at + 8) });
    }
  }
  return found;
}

for (const bytesMax of [1, 3000, 64 * KiB, 1024 * KiB]) {
  test(`a page that cannot be read costs the batches on it, until it can (reads of ${bytesMax} bytes)`, async () => {
    const { files, open } = await written("clean");
    const before = contents(files, PARTITION);
    const batches = places(files);
    for (const { file, start } of batches.filter((_, slot) => slot % 7 === 0)) {
      const page = start - (start % PAGE_BYTES);
      const refused = { file, start: page, end: page + PAGE_BYTES };
      const { engine, log } = await open();
      files.refused = [refused];
      const told = await responses(log, bytesMax);
      const isHit = (batch: (typeof batches)[number]) =>
        batch.file === file && batch.start < refused.end && batch.end > refused.start;
      // The way to a batch leads over the headers before it; an index is built from the whole file.
      for (const [offset, batch] of batches.entries()) {
        if (batch.file !== file) expect([offset, told[offset]]).toEqual([offset, NUMBERS[offset]]);
        else if (isHit(batch)) expect([offset, told[offset]]).toEqual([offset, "KAFKA_STORAGE_ERROR"]);
        else expect(["KAFKA_STORAGE_ERROR", NUMBERS[offset]]).toContain(told[offset]);
      }
      expect(engine.findings.map(({ kind, file: path }) => [kind, path])).toEqual([
        ["unreadable", "topics/t/0"],
      ]);
      files.refused = [];
      expect(await responses(log, bytesMax)).toEqual(NUMBERS);
      expect(engine.findings).toHaveLength(1);
      await engine.close();
    }
    expect([...contents(files, PARTITION)].filter(([path]) => !path.endsWith(".snapshot"))).toEqual(
      [...before].filter(([path]) => !path.endsWith(".snapshot")),
    );
    expect(files.exists("/data/quarantine")).toBe(false);
  });
}

test("a sequential reader gets everything before the page that cannot be read", async () => {
  const { files, open } = await written("clean");
  const { engine, log } = await open();
  await responses(log, 1); // the indexes are in memory
  const batches = places(files);
  const slot = batches.findLastIndex(({ file, start }) => file === FIRST_LOG && start < 3 * PAGE_BYTES);
  files.refused = [{ file: FIRST_LOG, start: 3 * PAGE_BYTES, end: 4 * PAGE_BYTES }];
  let next = 0;
  while (next < slot)
    next += recordsIn(await bytesOf(log.span(next, log.endOffset, 1024 * KiB, true))).length;
  expect(next).toBe(slot);
  expect(() => log.span(next, log.endOffset, 1024 * KiB, true)).toThrow(
    expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }),
  );
  files.refused = [];
  await engine.close();
});

for (const suffix of ["index", "timeindex"]) {
  test(`a ${suffix} file that cannot be read is rebuilt from the log, and no read fails`, async () => {
    const { files, open } = await written("clean");
    const before = contents(files, PARTITION);
    const { engine, log } = await open();
    const file = FIRST_LOG.replace("log", suffix);
    files.refused = [{ file, start: 0, end: Number.POSITIVE_INFINITY }];
    expect(await responses(log, 1)).toEqual(NUMBERS);
    expect(await log.offsetForTimestamp(1010, log.endOffset)).toMatchObject({ offset: 10 });
    expect(engine.findings).toEqual([
      expect.objectContaining({
        kind: "unreadable",
        file: `topics/t/0/${FIRST_LOG.replace("log", "index")}`,
        detail: "input/output error (EIO); rebuilt from the log",
      }),
    ]);
    files.refused = [];
    await engine.close();
    expect([...contents(files, PARTITION)]).toEqual([...before]);
  });
}

for (const errno of ["EMFILE", "ENOMEM"] as const) {
  test(`an index that cannot be read for a shortage of the process (${errno}) is not rebuilt: the shortage may pass`, async () => {
    const { files, open } = await written("clean");
    const before = contents(files, PARTITION);
    const { engine, log } = await open();
    files.setFault({ operations: ["open"], errno, nth: 1, more: Number.POSITIVE_INFINITY, path: "index" });
    const told = await responses(log, 1);
    const isSealed = (offset: number) => places(files)[offset]!.file !== places(files).at(-1)!.file;
    expect(told).toEqual(
      NUMBERS.map((number, offset) => (isSealed(offset) ? "KAFKA_STORAGE_ERROR" : number)),
    );
    await expect(log.offsetForTimestamp(1010, log.endOffset)).rejects.toMatchObject({
      code: "KAFKA_STORAGE_ERROR",
    });
    files.setFault(null);
    expect(await responses(log, 1)).toEqual(NUMBERS);
    expect(engine.findings.filter(({ kind }) => kind !== "unreadable")).toEqual([]);
    expect([...contents(files, PARTITION)]).toEqual([...before]);
    await engine.close();
  });
}

test("a start that cannot read a page takes the partition offline and changes nothing; the next one that can has it all", async () => {
  const { files, directory, open } = await written("dirty");
  const before = contents(files, PARTITION);
  for (const { file, start } of places(files).slice(CHECKPOINT_OFFSET)) {
    directory.isClean = false;
    files.refused = [{ file, start, end: start + 1 }];
    const { engine, log } = await open();
    files.refused = [];
    expect([log.isOffline, log.isReadable]).toEqual([true, false]);
    expect(engine.findings).toEqual([
      expect.objectContaining({
        kind: "unreadable",
        file: "topics/t/0",
        detail: "the partition is offline: input/output error (EIO)",
      }),
    ]);
    await engine.close();
    expect([...contents(files, PARTITION)]).toEqual([...before]);
  }
  directory.isClean = false;
  const { engine, log } = await open();
  expect(await responses(log, 1)).toEqual(NUMBERS);
  expect([engine.findings, files.exists("/data/quarantine")]).toEqual([[], false]);
  await engine.close();
});

for (const file of ["producers.snapshot", "index", "timeindex"]) {
  test(`a start that cannot read a ${file} quarantines nothing`, async () => {
    const { files, directory, open } = await written("dirty");
    const before = contents(files, PARTITION);
    files.refused = [{ file, start: 0, end: Number.POSITIVE_INFINITY }];
    const first = await open();
    files.refused = [];
    expect(first.engine.findings.filter(({ kind }) => kind !== "unreadable")).toEqual([]);
    await first.engine.close();
    for (const [path, content] of before)
      if (!first.log.isOffline && path.endsWith(".snapshot")) continue;
      else expect([path, contents(files, PARTITION).get(path)]).toEqual([path, content]);
    directory.isClean = false;
    const { engine, log } = await open();
    expect(await responses(log, 1)).toEqual(NUMBERS);
    expect([engine.findings, files.exists("/data/quarantine")]).toEqual([[], false]);
    await engine.close();
  });
}

test("a log file whose front cannot be read is no stray one", async () => {
  const { files, open } = await written("clean");
  const before = contents(files, PARTITION);
  const names = files.list(PARTITION).filter((name) => name.endsWith(".log"));
  for (const file of names.slice(1, -1)) {
    files.refused = [{ file, start: 0, end: 1 }];
    const { engine, log } = await open();
    expect([file, log.isOffline, log.endOffset, engine.findings]).toEqual([file, false, VALUES.length, []]);
    files.refused = [];
    expect(await responses(log, 1)).toEqual(NUMBERS);
    await engine.close();
  }
  expect([...contents(files, PARTITION).keys()]).toEqual([...before.keys()]);
});

/** What may refuse the copy of damage, and what is to be done then. */
const REFUSED_COPIES = [
  { errno: "ENOSPC", operations: ["replace"], remedy: "free space on that disk" },
  { errno: "EACCES", operations: ["makeDirectory", "replace"], remedy: "check the disk and the rights" },
  { errno: "EIO", operations: ["replace"], remedy: "check the disk and the rights" },
] as const;

for (const { errno, operations, remedy } of REFUSED_COPIES) {
  const fault = { operations, errno, nth: 1, more: Number.POSITIVE_INFINITY, path: "/quarantine" };

  test(`a torn end that cannot be copied (${errno}) stays where it is, and the log goes on after it`, async () => {
    const { files, directory, open } = await written("dirty");
    const last = `${PARTITION}/${places(files).at(-1)!.file}`;
    const torn = Buffer.concat([files.readFile(last), files.readFile(last).subarray(0, 50)]);
    files.replace(last, torn);
    files.setFault(fault);
    const first = await open();
    expect([first.log.isOffline, files.readFile(last)]).toEqual([false, torn]);
    expect(first.engine.findings).toEqual([expect.objectContaining({ kind: "torn-tail", bytes: 50 })]);
    expect(first.engine.findings[0]!.detail).toContain(
      `left in its place; it could not be copied to quarantine (${errno})`,
    );
    expect(append(first.log, [`${VALUES.length} more`])).toBe(VALUES.length);
    await first.engine.sync([first.log]);
    expect(files.exists("/data/quarantine") ? files.list("/data/quarantine") : []).toEqual([]);
    files.setFault(null);
    await first.engine.close();
    directory.isClean = false;
    const { engine, log } = await open();
    expect(await responses(log, 1)).toEqual([...NUMBERS, String(VALUES.length)]);
    expect([engine.findings, files.readFile(last)]).toEqual([[], torn]);
    await engine.close();
  });

  test(`damage that cannot be copied (${errno}) is not skipped: the read is refused until it can`, async () => {
    const { files, open } = await written("clean");
    const path = `${PARTITION}/${FIRST_LOG}`;
    const [, , batch] = places(files);
    const damaged = files.readFile(path);
    damaged[batch!.start + 100]! ^= 1;
    files.replace(path, damaged);
    const { engine, log } = await open();
    files.setFault(fault);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const expected = NUMBERS.with(2, "KAFKA_STORAGE_ERROR");
      expect(await responses(log, 1)).toEqual(expected);
    }
    const refused = await thrownBy(() => log.span(2, log.endOffset, 1, true));
    expect(refused.message).toContain(`could not be copied to quarantine/`);
    for (const part of [errno, remedy]) expect(refused.message).toContain(part);
    expect(engine.findings.map(({ kind, file }) => [kind, file])).toEqual([["unreadable", "topics/t/0"]]);
    files.setFault(null);
    const left = files.exists("/data/quarantine") ? files.list("/data/quarantine") : [];
    expect(left).toEqual([]);
    expect(await responses(log, 1)).toEqual(NUMBERS.with(2, NUMBERS[3]!));
    expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable", "damaged-batch"]);
    await engine.close();
    const snapshot = decodeSnapshot(files.readFile(`${PARTITION}/producers.snapshot`));
    expect(snapshot.holes).toEqual([
      { segment: 0, position: batch!.start, bytes: batch!.end - batch!.start },
    ]);
    expect(files.list("/data/quarantine")).toHaveLength(2);
  });
}

test("what is written where a torn end was, once it could be cut off, is no hole", async () => {
  const { files, directory, open } = await written("dirty");
  const last = `${PARTITION}/${places(files).at(-1)!.file}`;
  files.replace(last, Buffer.concat([files.readFile(last), files.readFile(last).subarray(0, 50)]));
  files.setFault({
    operations: ["replace"],
    errno: "ENOSPC",
    nth: 1,
    more: Number.POSITIVE_INFINITY,
    path: "/quarantine",
  });
  const first = await open();
  await first.engine.sync([first.log]);
  await first.engine.close();
  const snapshot = files.readFile(`${PARTITION}/producers.snapshot`);
  expect(decodeSnapshot(snapshot).holes).toHaveLength(1);
  files.setFault(null);
  // A power cut takes the segment that was begun after it.
  const next = files.list(PARTITION).findLast((name) => name.endsWith(".log"))!;
  expect(`${PARTITION}/${next}`).not.toBe(last);
  files.removeFile(`${PARTITION}/${next}`);
  for (const isOld of [false, true]) {
    // And another one the snapshot that tells of the cut.
    if (isOld) files.replace(`${PARTITION}/producers.snapshot`, snapshot);
    directory.isClean = false;
    const { engine, log } = await open();
    if (!isOld) append(log, [`${VALUES.length} more`]);
    await engine.sync([log]);
    expect([isOld, await responses(log, 1)]).toEqual([isOld, [...NUMBERS, String(VALUES.length)]]);
    await engine.close();
    expect(decodeSnapshot(files.readFile(`${PARTITION}/producers.snapshot`)).holes).toEqual([]);
  }
});
