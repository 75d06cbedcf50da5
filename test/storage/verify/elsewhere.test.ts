/**
 * What lies behind symbolic links is served and judged like everything else, and stays where it is. What the system refuses to
 * show, and a state file that is gone, are findings beside which the rest is judged.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Files } from "../../../src/base/files.ts";
import { systemError } from "../../../src/base/system-error.ts";
import { inspectRecords } from "../../../src/storage/inspect/records.ts";
import { inspectPath } from "../../../src/storage/inspect.ts";
import {
  buildData,
  copyData,
  cutFile,
  disk,
  flipByte,
  hashTree,
  listTree,
  NO_LISTENER,
  openData,
  readData,
  scratchFolder,
} from "../../support/data-tree.ts";
import { placeAndKind, repairTree, verifyTree } from "../../support/verify-tree.ts";

setDefaultTimeout(60_000);

const folder = scratchFolder();
const whole = folder.make("whole");
const scratch = folder.make("scratch");
const FIRST_LOG = "topics/orders/0/00000000000000000000.log";
let expected: Record<number, string[]> = {};
let number = 0;

beforeAll(async () => {
  await buildData(whole);
  expected = await readData(fresh());
});
afterAll(() => folder[Symbol.dispose]());

/** A copy of the directory, with `link` moved elsewhere and linked to. */
function linked(link: string): { path: string; elsewhere: string } {
  const path = fresh();
  const elsewhere = `${path}-elsewhere`;
  renameSync(join(path, link), elsewhere);
  symlinkSync(elsewhere, join(path, link));
  return { path, elsewhere };
}

function fresh(): string {
  number += 1;
  return copyData(whole, join(folder.path, `copy-${number}`));
}

for (const link of ["topics", "topics/orders", "topics/orders/0", FIRST_LOG]) {
  test(`a link at ${link} is followed by the server, by verify and by inspect`, async () => {
    const { path } = linked(link);
    const { findings, summary } = await verifyTree(path, scratch);
    expect([findings, summary.partitions, summary.records]).toEqual([[], 2, 800]);
    expect(inspectPath(disk, path).records).toBe(800);
    expect(await readData(path)).toEqual(expected);
    expect((await verifyTree(path, scratch)).findings).toEqual([]);
  });

  test(`a repair also repairs what lies behind a link at ${link}, and leaves the link where it is`, async () => {
    const { path } = linked(link);
    flipByte(join(path, FIRST_LOG), 520);
    writeFileSync(join(path, "unknown"), "x");
    expect((await repairTree(path, scratch)).remaining).toEqual([]);
    expect(lstatSync(join(path, link)).isSymbolicLink()).toBe(true);
    const served = (await readData(path))[0]!;
    expect(served).toEqual(expected[0]!.filter((value) => served.includes(value)));
    expect(served.length).toBe(expected[0]!.length - 2);
  });
}

test("a link that leads nowhere is a finding, its neighbour is judged, and a repair creates nothing in its place", async () => {
  for (const link of ["topics/orders", "topics/orders/0", FIRST_LOG]) {
    const { path, elsewhere } = linked(link);
    renameSync(elsewhere, `${elsewhere}-away`);
    const { findings, summary } = await verifyTree(path, scratch);
    expect(findings.map(placeAndKind)).toEqual([`${link} unreadable`]);
    expect(summary.partitions).toBe({ "topics/orders": 0, "topics/orders/0": 1, [FIRST_LOG]: 2 }[link]!);
    expect((await repairTree(path, scratch)).remaining.map(placeAndKind)).toContain(`${link} unreadable`);
    const { engine } = await openData(path);
    expect((await engine.open("orders", 0, NO_LISTENER)).isOffline).toBe(true);
    const words = engine.findings.map(({ kind, detail }) => `${kind}: ${detail}`);
    const reason =
      link === FIRST_LOG ? "no such file or directory (ENOENT)" : `${link} is a link that leads nowhere`;
    expect(words).toEqual([`unreadable: the partition is offline: ${reason}`]);
    await engine.close();
    renameSync(`${elsewhere}-away`, elsewhere);
    expect(await readData(path)).toEqual(expected);
  }
});

test("an unknown file is not moved when it is a link or lies behind one", async () => {
  const { path, elsewhere } = linked("topics/orders/0");
  writeFileSync(join(elsewhere, "owners.txt"), "mine");
  symlinkSync(elsewhere, join(path, "topics/orders/other"));
  const places = ["topics/orders/0/owners.txt unknown-file", "topics/orders/other/ unknown-file"];
  const { remaining } = await repairTree(path, scratch);
  expect(remaining.map(placeAndKind).sort()).toEqual(places);
  expect(existsSync(join(elsewhere, "owners.txt"))).toBe(true);
});

test("a damaged snapshot behind a link to another file system goes to quarantine", async () => {
  const { path, elsewhere } = linked("topics/orders/0");
  using far = farFolder();
  cpSync(elsewhere, join(far.path, "0"), { recursive: true });
  rmSync(join(path, "topics/orders/0"));
  symlinkSync(join(far.path, "0"), join(path, "topics/orders/0"));
  flipByte(join(path, "topics/orders/0/producers.snapshot"), 30);
  expect((await repairTree(path, scratch)).remaining).toEqual([]);
  expect(await readData(path)).toEqual(expected);
  expect(existsSync(join(path, "quarantine/topics_orders_0_producers.snapshot-1"))).toBe(true);
});

/** Outside of the memory that the other directories of this file are in, where there is such a place. */
function farFolder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "obelisk-far-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

test("links that lead in a circle end the walk", async () => {
  const path = fresh();
  symlinkSync(path, join(path, "topics/circle"));
  const { findings } = await verifyTree(path, scratch);
  expect(findings.map(({ kind }) => kind)).not.toContain("damaged-batch");
});

test("a directory or a file that the system refuses to show is a finding, and the rest is judged", async () => {
  const path = fresh();
  for (const [refused, place, partitions] of [
    ["topics/orders", "topics/orders", 0],
    ["topics/orders/0", "topics/orders/0", 2],
    [FIRST_LOG, FIRST_LOG, 2],
    ["meta.db", "meta.db", 2],
    ["obelisk.json", "obelisk.json", 2],
  ] as const) {
    flipByte(join(path, FIRST_LOG.replace("orders/0", "orders/1")), 520);
    const { findings, summary } = await verifyTree(path, scratch, refusing(join(path, refused)));
    expect(findings.map(placeAndKind)).toContain(`${place} unreadable`);
    expect(summary.partitions).toBe(partitions);
    if (partitions > 0) expect(findings.map(({ kind }) => kind)).toContain("damaged-batch");
    flipByte(join(path, FIRST_LOG.replace("orders/0", "orders/1")), 520);
    expect(inspectPath(refusing(join(path, refused)), path).kind).toBe("data");
  }
});

/** The disk, but everything at one path is refused. */
function refusing(path: string): Files {
  const refuse = (name: "list" | "open" | "readFile") => (given: string, mode: "read") => {
    if (given === path) throw systemError(name, 13);
    return disk[name](given, mode);
  };
  const methods = { list: refuse("list"), open: refuse("open"), readFile: refuse("readFile") };
  return Object.assign(Object.create(disk), methods) as Files;
}

test("a state file that is empty or missing is a finding, for verify and for the next start, and says what is lost", async () => {
  for (const [change, words] of [
    [(file: string) => cutFile(file, 0), "it is empty"],
    [(file: string) => rmSync(file), "it is missing"],
  ] as const) {
    const path = fresh();
    change(join(path, "meta.db"));
    const { findings } = await verifyTree(path, scratch);
    const lost = `${words}, and with it the committed offsets of all groups and the ids and configs of all topics`;
    expect(findings.map(({ file, kind, detail }) => [file, kind, detail])).toEqual([
      ["meta.db", "damaged-state", lost],
    ]);
    const opened = await openData(path);
    expect(opened.findings.map(({ file, kind }) => [file, kind])).toEqual([["meta.db", "damaged-state"]]);
    expect(opened.findings[0]!.detail).toStartWith(lost);
    await opened.engine.close();
    expect((await verifyTree(path, scratch)).findings).toEqual([]);
  }
});

test("a first start that was interrupted has lost nothing", async () => {
  const path = folder.make("first-start");
  const opened = await openData(path);
  const interrupted = copyData(path, `${path}-interrupted`);
  await opened.engine.close();
  cutFile(join(interrupted, "meta.db"), 0);
  for (const name of ["meta.db-wal", "meta.db-shm"]) rmSync(join(interrupted, name), { force: true });
  expect((await verifyTree(interrupted, scratch)).findings).toEqual([]);
  const next = await openData(interrupted);
  await next.engine.close();
  expect(next.findings).toEqual([]);
});

test("a directory that is none of ours is refused and left alone, one with directories of our names too", async () => {
  const path = folder.make("foreign");
  for (const name of ["topics", "topics/essays", "topics/essays/draft"]) mkdirSync(join(path, name));
  writeFileSync(join(path, "topics/essays/index.md"), "# mine");
  writeFileSync(join(path, "notes.log"), "a line of another program\n");
  const before = hashTree(path);
  const refusal = expect.objectContaining({ code: "DATA_DIRECTORY_UNUSABLE" });
  expect(await verifyTree(path, scratch).catch((thrown) => thrown)).toEqual(refusal);
  expect(await repairTree(path, scratch).catch((thrown) => thrown)).toEqual(refusal);
  const nothing = expect.objectContaining({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
  for (const place of [path, join(path, "notes.log")]) {
    let thrown: unknown;
    try {
      inspectPath(disk, place);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toEqual(nothing);
  }
  expect(hashTree(path)).toBe(before);
  expect(listTree(path).length).toBe(2);
});

test("inspect lists what it skips, damage apart from what the system refuses", async () => {
  const path = fresh();
  flipByte(join(path, FIRST_LOG), 520);
  const omitted: string[] = [];
  let count = 0;
  const files = refusing(join(path, FIRST_LOG.replace("orders/0", "orders/1")));
  for await (const _ of inspectRecords(files, path, (omission) => omitted.push(placeAndKind(omission))))
    count += 1;
  expect(omitted).toEqual([
    `${FIRST_LOG} damaged-batch`,
    `${FIRST_LOG.replace("orders/0", "orders/1")} unreadable`,
  ]);
  expect(count).toBeGreaterThan(400);
});
