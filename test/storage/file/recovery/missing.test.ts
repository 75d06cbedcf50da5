/** What a start says when files of a partition are gone: segments in front or between others, or everything. */

import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MemoryState } from "../../../../src/storage/memory/state.ts";
import { batchOf, bytesOf, recordsIn } from "../../../support/batches.ts";
import { NO_LISTENER } from "../../../support/data-tree.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../support.ts";

const BATCHES = 120;

/** A partition of several segments, shut down gracefully; returns its base offsets. */
async function written(directory: TestDirectory): Promise<number[]> {
  const engine = openEngine(directory);
  const log = await engine.open("t", 0, NO_LISTENER);
  for (let index = 0; index < BATCHES; index += 1) {
    const batch = batchOf([`${index} ${"x".repeat(100)}`]);
    log.append(batch, 0, batch.length);
  }
  await engine.sync([log]);
  log.checkpoint(Buffer.from("the producers"), log.endOffset);
  await engine.close();
  const names = readdirSync(join(directory.path, "topics/t/0")).filter((name) => name.endsWith(".log"));
  return names.map((name) => Number.parseInt(name, 10)).sort((left, right) => left - right);
}

function remove(directory: TestDirectory, base: number, suffixes = ["log", "index", "timeindex"]): void {
  const stem = join(directory.path, "topics/t/0", String(base).padStart(20, "0"));
  for (const suffix of suffixes) rmSync(`${stem}.${suffix}`, { force: true });
}

async function findingsOfStart(directory: TestDirectory, mustExist = false) {
  const engine = openEngine(directory, { state: new MemoryState() });
  const log = await engine.open("t", 0, NO_LISTENER, mustExist);
  const found = engine.findings.map(({ file, kind, detail }) => [file, kind, detail]);
  const offsets: number[] = [];
  for (let offset = log.startOffset; offset < log.endOffset; ) {
    const records = recordsIn(await bytesOf(log.span(offset, log.endOffset, 100_000, true)));
    offsets.push(...records.map(([at]) => at));
    offset = (records.at(-1)?.[0] ?? offset) + 1;
  }
  await engine.close();
  return { found, offsets };
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

for (const [what, slot, indexless] of [
  ["the first segment", 0, false],
  ["a segment between others", 2, false],
  ["a segment between others, beside one without an index,", 2, true],
] as const) {
  test(`${what} that is gone at a start is reported once, with its offsets, and the rest is served`, async () => {
    using folder = temporaryDirectory();
    const directory = new TestDirectory(folder.path);
    const bases = await written(directory);
    expect(bases.length).toBeGreaterThan(4);
    const [start, end] = [bases[slot]!, bases[slot + 1]!];
    remove(directory, start);
    if (indexless) remove(directory, bases[slot - 1]!, ["index", "timeindex"]);
    const first = await findingsOfStart(directory);
    const file = `topics/t/0/${String(end).padStart(20, "0")}.log`;
    const gaps = first.found.filter(([, kind]) => kind === "offset-gap");
    const detail = `the offsets ${start} to ${end - 1} are missing, as if a segment were gone`;
    expect(gaps).toEqual([[file, "offset-gap", detail]]);
    expect(first.offsets).toEqual([...range(0, start), ...range(end, BATCHES)]);
    expect((await findingsOfStart(directory)).found).toEqual([]);
  });
}

test("a whole log has no gaps, however it is opened", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  await written(directory);
  for (const isClean of [true, false, true]) {
    directory.isClean = isClean;
    expect((await findingsOfStart(directory, true)).found).toEqual([]);
  }
});

test("a segment after the checkpoint may have been lost in a power cut, and is reported as that", async () => {
  using folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const bases = await written(directory);
  rmSync(join(folder.path, "topics/t/0/producers.snapshot"));
  remove(directory, bases[2]!);
  directory.isClean = false;
  const { found } = await findingsOfStart(directory);
  const detail = `the offsets ${bases[2]} to ${bases[3]! - 1} are missing: a power cut took them before they were synced, or a segment is missing`;
  expect(found.filter(([, kind]) => kind === "torn-tail").map(([, , words]) => words)).toEqual([detail]);
});

test("a partition that was there and is gone is reported; one that is new, or was being made, is not", async () => {
  for (const [mustExist, isClean, hasDirectory, words] of [
    [true, true, false, "its directory is missing"],
    [true, false, false, "its directory is missing"],
    [true, true, true, "its directory is empty"],
    [true, false, true, null],
    [false, true, false, null],
    [false, false, true, null],
  ] as const) {
    using folder = temporaryDirectory();
    const directory = new TestDirectory(folder.path);
    directory.isClean = isClean;
    if (hasDirectory) mkdirSync(join(folder.path, "topics/t/0"), { recursive: true });
    const { found } = await findingsOfStart(directory, mustExist);
    const detail = `the partition existed before, and ${words}: its records are lost, and it begins anew, empty`;
    expect(found).toEqual(words === null ? [] : [["topics/t/0", "missing-partition", detail]]);
  }
});
