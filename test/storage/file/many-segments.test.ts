/**
 * Searches by time in a log of thousands of segments: how much of it is done in one turn of the event loop, counted in files that are
 * opened, and not in time. The disk is simulated and the clock stands still.
 */

import { expect, test } from "bun:test";
import { nextTurn } from "../../../src/base/loop/turns.ts";
import type { PartitionLog, TimestampedOffset } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { boundsOf } from "../../../src/storage/file/pool.ts";
import { LOOK_STEPS, SLICE_STEPS_MAX } from "../../../src/storage/file/time-search.ts";
import { CountedFiles } from "../../support/counted-files.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, remove } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const SEGMENTS = 1000;
const OPEN_FILES_MAX = 10;
/** Both indexes, and the end of the log after them. */
const OPENS_FOR_A_LOOK = 3;
/** Of one slice; and the few that are read in the segment that has the record. */
const OPENS_IN_A_TURN_MAX = (OPENS_FOR_A_LOOK * SLICE_STEPS_MAX) / LOOK_STEPS + 10;

interface Subject {
  files: CountedFiles;
  engine: FileEngine;
  log: PartitionLog;
}

/** A log after a start, with a batch of one record in each segment, a second apart. */
async function started(): Promise<Subject> {
  const files = new CountedFiles(new SimulatedFiles(1));
  files.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const open = () =>
    openEngine(directory, { files, segmentBytesMax: 100, fileBounds: boundsOf(OPEN_FILES_MAX) });
  const before = open();
  const written = await before.open("t", 0, new Replay());
  for (let offset = 0; offset < SEGMENTS; offset += 1) {
    append(written, [`${offset}`], offset * 1000);
    if (offset % 100 === 99) await before.sync([written]);
  }
  written.checkpoint(Buffer.from("state"), written.endOffset);
  await before.close();
  const engine = open();
  files.openPeak = 0;
  return { files, engine, log: await engine.open("t", 0, new Replay()) };
}

/** What the work returns, and how many files it opened in each turn that it took. */
async function opensByTurn<Result>(
  files: CountedFiles,
  work: Promise<Result>,
): Promise<{ response: Result | Error; opens: number[] }> {
  let isDone = false;
  const completed = work
    .catch((error: Error) => error)
    .finally(() => {
      isDone = true;
    });
  const opens: number[] = [];
  let before = 0;
  while (!isDone) {
    opens.push(files.opened - before);
    before = files.opened;
    await nextTurn();
  }
  opens.push(files.opened - before);
  return { response: await completed, opens };
}

const total = (opens: readonly number[]) => opens.reduce((sum, count) => sum + count, 0);

for (const [name, search, offset] of [
  [
    "a time",
    (log: PartitionLog) => log.offsetForTimestamp((SEGMENTS - 2) * 1000, log.endOffset),
    SEGMENTS - 2,
  ],
  ["the latest record", (log: PartitionLog) => log.offsetOfMaxTimestamp(log.endOffset), SEGMENTS - 1],
] as const) {
  test(`a search for ${name} opens a few indexes in a turn, each once after a start, and keeps no file open`, async () => {
    const { files, engine, log } = await started();
    files.opened = 0;
    const first = await opensByTurn<TimestampedOffset | null>(files, search(log));
    expect(first.response).toMatchObject({ offset });
    expect(Math.max(...first.opens)).toBeLessThanOrEqual(OPENS_IN_A_TURN_MAX);
    expect(total(first.opens)).toBeGreaterThan(SEGMENTS);
    expect(files.openPeak).toBeLessThanOrEqual(OPEN_FILES_MAX + 2);
    files.opened = 0;
    const second = await opensByTurn<TimestampedOffset | null>(files, search(log));
    expect(second.response).toMatchObject({ offset });
    expect(total(second.opens)).toBeLessThan(10);
    await engine.close();
  });

  test(`a search for ${name} that nobody waits for any more ends with its slice`, async () => {
    const { files, engine, log } = await started();
    files.opened = 0;
    const isWanted = () => files.opened === 0;
    const search =
      name === "a time"
        ? log.offsetForTimestamp(10 ** 9, log.endOffset, isWanted)
        : log.offsetOfMaxTimestamp(log.endOffset, isWanted);
    const { response, opens } = await opensByTurn(files, search);
    expect(response).toBeNull();
    expect(total(opens)).toBeLessThanOrEqual(OPENS_IN_A_TURN_MAX);
    await engine.close();
  });

  test(`a search for ${name} ends with its slice when the topic is removed`, async () => {
    const { files, engine, log } = await started();
    const found = search(log).catch((error: Error) => error);
    await remove(engine, "t");
    files.opened = 0;
    expect(await found).toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
    expect(files.opened).toBe(0);
    await engine.close();
  });
}

test("what is sealed under a running server is known, and no search opens it", async () => {
  const files = new CountedFiles(new SimulatedFiles(1));
  files.makeDirectory("/data");
  const engine = openEngine(new TestDirectory("/data"), { files, segmentBytesMax: 100 });
  const log = await engine.open("t", 0, new Replay());
  for (let offset = 0; offset < 200; offset += 1) append(log, [`${offset}`], offset * 1000);
  await engine.sync([log]);
  while (!files.exists("/data/topics/t/0/00000000000000000198.timeindex")) await nextTurn();
  await nextTurn();
  files.opened = 0;
  expect(await log.offsetForTimestamp(150_000, log.endOffset)).toMatchObject({ offset: 150 });
  expect(files.opened).toBeLessThan(10);
  await engine.close();
});

test("the latest record below the end of a busy log is found without a walk through its segment", async () => {
  const files = new CountedFiles(new SimulatedFiles(1));
  files.makeDirectory("/data");
  const engine = openEngine(new TestDirectory("/data"), { files, segmentBytesMax: 2 ** 25 });
  const log = await engine.open("t", 0, new Replay());
  for (let offset = 0; offset < 4000; offset += 1) append(log, ["v".repeat(5000)], offset * 1000);
  await engine.sync([log]);
  const slices = await opensByTurn(files, log.offsetOfMaxTimestamp(3990));
  expect(slices.response).toMatchObject({ offset: 3989, timestampMs: 3_989_000 });
  // The whole segment is 20 MB, and a slice ends after 16 reads of a quarter MB.
  expect(slices.opens.length).toBeLessThan(6);
  await engine.close();
});
