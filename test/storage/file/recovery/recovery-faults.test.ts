/**
 * A failing disk while a partition is opened. Every operation of the start in turn fails, once or for good; then the partition is
 * offline and says nothing of its records, or it has them all. The next start, on a disk that works, has all of them in any case.
 */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../../src/storage/contract.ts";
import type { FileEngine } from "../../../../src/storage/file/engine.ts";
import { type Fault, FaultyFiles, type Operation } from "../../../support/faulty-files.ts";
import { SimulatedFiles } from "../../../support/simulated-files.ts";
import { append, Replay, readAll } from "../../conformance/suite.ts";
import { openEngine, TestDirectory } from "../support.ts";

const PARTITION = "/data/topics/t/0";
const RECORDS = 90;
const START = 5;
const CHECKPOINT = 40;
const TORN = Buffer.alloc(70, "torn");

const EXPECTED = Array.from({ length: RECORDS - START }, (_, index) => [
  START + index,
  valueAt(START + index),
]);

function valueAt(offset: number): string {
  return `value ${offset} ${"x".repeat(100)}`;
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
}

/** Several segments, a start offset, a checkpoint in the middle, everything synced; then a kill in the middle of a write. */
async function written(hasSnapshot: boolean): Promise<{ disk: SimulatedFiles; directory: TestDirectory }> {
  const disk = new SimulatedFiles(1);
  disk.makeDirectory("/data");
  const directory = new TestDirectory("/data");
  const engine = openEngine(directory, { files: disk });
  const log = await engine.open("t", 0, new Replay());
  for (let offset = 0; offset < RECORDS; offset += 1) {
    append(log, [valueAt(offset)], 1000 + offset);
    if (offset === CHECKPOINT - 1) {
      await engine.sync([log]);
      if (hasSnapshot) log.checkpoint(Buffer.from(String(CHECKPOINT)), log.endOffset);
      if (hasSnapshot) log.dropBefore(START);
      await turns();
    }
  }
  await engine.sync([log]);
  await turns();
  const last = disk.list(PARTITION).findLast((name) => name.endsWith(".log"))!;
  const descriptor = disk.open(`${PARTITION}/${last}`, "update");
  disk.write(descriptor, TORN, 0, TORN.length, disk.size(descriptor));
  disk.close(descriptor);
  return { disk, directory };
}

const KINDS: { errno: Fault["errno"]; operations?: Operation[] }[] = [
  {
    errno: "EIO",
    operations: [
      "open",
      "list",
      "fileSize",
      "write",
      "truncate",
      "readFile",
      "read",
      "replace",
      "removeFile",
    ],
  },
  { errno: "EACCES" },
  { errno: "EMFILE", operations: ["open", "list", "readFile", "syncDirectory", "replace"] },
  { errno: "ENOSPC", operations: ["open", "write", "truncate", "replace", "makeDirectory", "rename"] },
];

for (const { errno, operations } of KINDS) {
  for (const more of [0, 2, Number.POSITIVE_INFINITY]) {
    const times = more === 0 ? "once" : more === 2 ? "three times" : "for good";
    test(`the nth operation of a start fails ${times} with ${errno}`, async () => {
      for (let nth = 1, isEnd = false; !isEnd; nth += 1) {
        const { disk, directory } = await written(true);
        const files = new FaultyFiles(disk);
        const engine = openEngine(directory, { files });
        const fault: Fault = { nth, more, errno };
        files.setFault(operations === undefined ? fault : { ...fault, operations });
        const log = await engine.open("t", 0, new Replay());
        isEnd = files.failed === 0;
        const story = `nth ${nth}: ${files.lastFailed}`;
        files.setFault(null);
        await checkOpened(engine, log, story);
        await engine.close();
        await checkHealthy(disk, directory, story);
      }
    });
  }
}

/** What is served is everything; what is not served tells nothing. */
async function checkOpened(engine: FileEngine, log: PartitionLog, story: string): Promise<void> {
  if (!log.isOffline) {
    expect([story, await engine.sync([log])]).toEqual([story, []]);
    expect([story, await readAll(log)]).toEqual([story, EXPECTED as never]);
    return;
  }
  expect([story, log.isReadable, log.endOffsetForEpoch(0), log.epochAt(0)]).toEqual([story, false, null, -1]);
  const refused = expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" });
  for (const ask of [
    async () => log.span(50, 60, 1000, true),
    async () => log.span(RECORDS + 5, RECORDS + 6, 1000, true),
    () => log.offsetForTimestamp(1010, RECORDS),
    () => log.offsetOfMaxTimestamp(RECORDS),
    async () => append(log, ["not taken"]),
    async () => log.dropBefore(20),
    async () => log.truncate(20),
  ]) {
    expect(await ask().catch((thrown: unknown) => thrown)).toEqual(refused);
  }
  log.checkpoint(Buffer.from("nothing is known"), log.endOffset);
  expect(await engine.sync([log])).toEqual([log]);
}

/** Nothing is cut off that was not copied. */
function isSomewhere(disk: SimulatedFiles, bytes: Buffer): boolean {
  const directories = [PARTITION, "/data/quarantine"].filter((path) => disk.exists(path));
  const paths = directories.flatMap((directory) =>
    disk.list(directory).map((name) => `${directory}/${name}`),
  );
  return paths.some((path) => disk.readFile(path).includes(bytes));
}

async function checkHealthy(disk: SimulatedFiles, directory: TestDirectory, story: string): Promise<void> {
  await turns();
  for (const isFirst of [true, false]) {
    const engine = openEngine(directory, { files: disk });
    const replay = new Replay();
    const log = await engine.open("t", 0, replay);
    expect([story, log.isOffline, log.startOffset]).toEqual([story, false, START]);
    expect([story, await readAll(log)]).toEqual([story, EXPECTED as never]);
    expect([story, replay.state]).toEqual([story, String(CHECKPOINT)]);
    expect([story, replay.records]).toEqual([story, EXPECTED.slice(CHECKPOINT - START) as never]);
    if (!isFirst) expect([story, engine.findings]).toEqual([story, []]);
    expect([story, await engine.sync([log])]).toEqual([story, []]);
    await turns();
    expect([story, isSomewhere(disk, TORN)]).toEqual([story, true]);
    expect([story, engine.findings.some(({ kind }) => kind === "damaged-batch")]).toEqual([story, false]);
  }
}

test("a start that finds no descriptor free closes idle files and goes on", async () => {
  for (let nth = 1, isEnd = false; !isEnd; nth += 1) {
    const { disk, directory } = await written(true);
    const files = new FaultyFiles(disk);
    const engine = openEngine(directory, { files });
    const idle = await engine.open("u", 0, new Replay());
    append(idle, ["synced, and not pinned"]);
    await engine.sync([idle]);
    files.setFault({ operations: ["open", "list", "readFile", "replace"], nth, errno: "EMFILE" });
    const log = await engine.open("t", 0, new Replay());
    isEnd = files.failed === 0;
    const story = `nth ${nth}: ${files.lastFailed}`;
    files.setFault(null);
    expect([story, log.isOffline, log.endOffset]).toEqual([story, false, RECORDS]);
    expect([story, await readAll(log)]).toEqual([story, EXPECTED as never]);
  }
});

test("a stray log file that cannot be judged now takes no record from its neighbour", async () => {
  const { disk, directory } = await written(true);
  const stray = disk.open(`${PARTITION}/${"7".padStart(20, "0")}.log`, "create");
  disk.write(stray, TORN, 0, TORN.length, 0);
  disk.close(stray);
  const files = new FaultyFiles(disk);
  const engine = openEngine(directory, { files });
  files.setFault({ operations: ["open"], path: "07.log", nth: 1, errno: "EMFILE" });
  const log = await engine.open("t", 0, new Replay());
  expect([log.isOffline, files.failed]).toEqual([true, 1]);
  files.setFault(null);
  await engine.close();
  await checkHealthy(disk, directory, "a stray file");
});
