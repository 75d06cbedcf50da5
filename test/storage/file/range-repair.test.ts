/**
 * Damage that takes longer to repair than a turn of the loop may: it is scanned in slices, whoever meets it waits, and all others are
 * served between two of them. The result counts only while the log has not changed.
 */

import { expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { createDisk } from "../../../src/base/disk.ts";
import { ObeliskError } from "../../../src/base/errors.ts";
import { KiB, MiB } from "../../../src/base/units.ts";
import { batchBaseOffset } from "../../../src/protocol/record/batch.ts";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { FaultyFiles } from "../../support/faulty-files.ts";
import { append, Replay, remove } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

const FIRST_LOG = "topics/t/0/00000000000000000000.log";
/** Batches of which those in the middle are hit: more than is copied in one turn. */
const BATCHES = 24;
const BATCH_BYTES = 320 * KiB;
const VALUE = "v".repeat(BATCH_BYTES);
const HIT = { start: 3.5 * BATCH_BYTES, end: 18.5 * BATCH_BYTES };
/** What is left: the batches before the damage and after it. */
const LEFT = [0, 1, 2, 19, 20, 21, 22, 23];

interface Opened extends Disposable {
  readonly engine: FileEngine;
  readonly log: PartitionLog;
  readonly files: FaultyFiles;
  readonly path: string;
}

/** A log whose middle is full of what looks like a magic everywhere. */
async function damaged(): Promise<Opened> {
  const folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const first = openEngine(directory, { segmentBytesMax: 64 * MiB });
  const written = await first.open("t", 0, new Replay());
  for (let index = 0; index < BATCHES; index += 1) append(written, [VALUE]);
  await first.sync([written]);
  written.checkpoint(Buffer.from("state"), written.endOffset);
  await first.close();
  const descriptor = openSync(join(folder.path, FIRST_LOG), "r+");
  writeSync(descriptor, Buffer.alloc(HIT.end - HIT.start, 2), 0, HIT.end - HIT.start, HIT.start);
  closeSync(descriptor);
  directory.isClean = true;
  const files = new FaultyFiles(createDisk());
  const engine = openEngine(directory, { segmentBytesMax: 64 * MiB, files, clock: systemClock });
  const log = await engine.open("t", 0, new Replay());
  return { engine, log, files, path: folder.path, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

/** The base offset of the batch that is returned for `offset`, or the code of what was thrown. */
async function responseFor(log: PartitionLog, offset: number): Promise<number | string> {
  try {
    const span = await log.span(offset, log.endOffset, 1, true);
    if (span.length === 0) return "nothing";
    let head = span.peek(() => {});
    while (head === null) {
      await new Promise<void>((resolve) => {
        head = span.peek(resolve);
        if (head !== null) resolve();
      });
    }
    return batchBaseOffset(head, 0);
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.code;
    throw thrown;
  }
}

function quarantined(path: string): number {
  const directory = join(path, "quarantine");
  if (!existsSync(directory)) return 0;
  const names = readdirSync(directory).filter((name) => !name.endsWith(".txt"));
  return names.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

test("every reader that meets it gets the batch after it, it is reported and copied once, and others are served meanwhile", async () => {
  using opened = await damaged();
  const { engine, log, path } = opened;
  let turns = 0;
  let isOver = false;
  const serveOthers = () => {
    turns += 1;
    if (!isOver) setImmediate(serveOthers);
  };
  setImmediate(serveOthers);
  const requested = Array.from({ length: BATCHES }, (_, offset) => offset);
  const responses = await Promise.all(requested.map((offset) => responseFor(log, offset)));
  isOver = true;
  expect(responses).toEqual(requested.map((offset) => LEFT.find((left) => left >= offset)!));
  expect(turns).toBeGreaterThan(4);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["damaged-batch"]);
  const { position, bytes } = engine.findings[0]!;
  expect([position < HIT.start, position + bytes >= HIT.end, quarantined(path)]).toEqual([true, true, bytes]);
  expect(await responseFor(log, 10)).toBe(19);
  await engine.close();
});

test("what is appended meanwhile is there", async () => {
  using opened = await damaged();
  const { engine, log } = opened;
  const response = responseFor(log, 5);
  expect(append(log, ["later"])).toBe(BATCHES);
  expect(await response).toBe(19);
  await engine.sync([log]);
  expect(await responseFor(log, BATCHES)).toBe(BATCHES);
  await engine.close();
});

test("the topic may be removed meanwhile: waiting reads end, and no file of it stays open", async () => {
  for (const turnsBefore of [0, 2, 5]) {
    using opened = await damaged();
    const { engine, log, path } = opened;
    const responses = [responseFor(log, 5), responseFor(log, 9)];
    for (let turn = 0; turn < turnsBefore; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await remove(engine, "t");
    for (const response of await Promise.all(responses))
      expect([19, "nothing", "KAFKA_STORAGE_ERROR"].includes(response)).toBe(true);
    expect([existsSync(join(path, "topics/t")), engine.counters.openFiles]).toEqual([false, 0]);
    await engine.close();
  }
});

test("when it cannot be copied all waiting reads fail, and the next one tries again", async () => {
  using opened = await damaged();
  const { engine, log, files, path } = opened;
  files.setFault({
    operations: ["replace"],
    errno: "ENOSPC",
    nth: 3,
    more: Number.POSITIVE_INFINITY,
    path: "/quarantine",
  });
  expect(await Promise.all([responseFor(log, 5), responseFor(log, 9), responseFor(log, 0)])).toEqual([
    "KAFKA_STORAGE_ERROR",
    "KAFKA_STORAGE_ERROR",
    0,
  ]);
  expect(quarantined(path)).toBe(0);
  files.setFault(null);
  expect(await responseFor(log, 5)).toBe(19);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable", "damaged-batch"]);
  await engine.close();
});
