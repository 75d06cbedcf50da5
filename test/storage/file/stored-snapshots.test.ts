/** Where the log starts of many partitions are stored, and that everybody finds the newest: recovery, verify, repair, inspect. */

import { expect, test } from "bun:test";
import { createDisk } from "../../../src/base/disk.ts";
import type { Finding, PartitionLog, SegmentLimits } from "../../../src/storage/contract.ts";
import type { FileEngine } from "../../../src/storage/file/engine.ts";
import { GROUP_MIN } from "../../../src/storage/file/replacer.ts";
import { SNAPSHOT_FILE } from "../../../src/storage/file/snapshot.ts";
import { SNAPSHOT_JOURNAL } from "../../../src/storage/file/snapshot-journal-format.ts";
import { inspectPath } from "../../../src/storage/inspect.ts";
import { verifyDirectory } from "../../../src/storage/verify.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

const RECORDS = 100;
/** Some may be in own files before there are many. */
const PARTITIONS = 2 * GROUP_MIN;
const SHORT_LIVED: SegmentLimits = {
  segmentBytesMax: 1000,
  segmentAgeMsMax: Number.POSITIVE_INFINITY,
  areShortLived: true,
};

interface Fixture {
  disk: SimulatedFiles;
  directory: TestDirectory;
  engine: FileEngine;
  logs: PartitionLog[];
}

/** As many partitions of topic t as make a group, each with records in several segments, synced. */
async function fixture(limits: SegmentLimits | null = null): Promise<Fixture> {
  const disk = new SimulatedFiles(1);
  disk.makeDirectory("/data");
  disk.syncDirectory("/");
  const directory = new TestDirectory("/data");
  const engine = openEngine(directory, { files: disk });
  await engine.create("t", PARTITIONS);
  const logs = await open(engine);
  for (const log of logs) {
    log.segmentLimits = limits;
    for (let index = 0; index < RECORDS; index += 1) append(log, [`value ${index}`], 1000 + index);
  }
  await engine.sync(logs);
  return { disk, directory, engine, logs };
}

async function open(engine: FileEngine): Promise<PartitionLog[]> {
  const logs: PartitionLog[] = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1)
    logs.push(await engine.open("t", partition, new Replay()));
  return logs;
}

/** Partition n starts at 10 + n. */
function dropAll(logs: readonly PartitionLog[]): Promise<number[]> {
  return Promise.all(logs.map((log, partition) => log.dropBefore(10 + partition)));
}

const STARTS = Array.from({ length: PARTITIONS }, (_, partition) => 10 + partition);

function startsOf(logs: readonly PartitionLog[]): number[] {
  return logs.map((log) => log.startOffset);
}

async function findingsOf(files: SimulatedFiles): Promise<Finding[]> {
  const findings: Finding[] = [];
  files.makeDirectory("/scratch");
  await verifyDirectory(files, "/data", {
    scratchDirectory: "/scratch",
    onFinding: (finding) => findings.push(finding),
    onNote: () => undefined,
    onProgress: () => undefined,
  });
  return findings.filter(({ file }) => file.startsWith("topics/") || file === SNAPSHOT_JOURNAL);
}

test("starts that move together are stored with one sync, without a file for each", async () => {
  const { disk, engine, logs } = await fixture();
  expect(await dropAll(logs)).toEqual(STARTS);
  expect(disk.exists(`/data/${SNAPSHOT_JOURNAL}`)).toBe(true);
  const own = logs.filter(({ partition }) => disk.exists(`/data/topics/t/${partition}/${SNAPSHOT_FILE}`));
  expect(own.length).toBeLessThan(GROUP_MIN);
  await engine.close();
});

test("a start that moves alone is in the own file of its partition", async () => {
  const { disk, engine, logs } = await fixture();
  await logs[0]!.dropBefore(10);
  expect(disk.exists(`/data/${SNAPSHOT_JOURNAL}`)).toBe(false);
  expect(disk.exists(`/data/topics/t/0/${SNAPSHOT_FILE}`)).toBe(true);
  await engine.close();
});

test("after a power cut every log starts where somebody was told, and moves on from there alone", async () => {
  const { disk, directory, logs } = await fixture();
  await dropAll(logs);
  await logs[3]!.dropBefore(50);
  const crashed = disk.crash();
  expect(await findingsOf(crashed)).toEqual([]);
  const again = openEngine(directory, { files: crashed });
  const reopened = await open(again);
  const expected = STARTS.map((start, partition) => (partition === 3 ? 50 : start));
  expect(startsOf(reopened)).toEqual(expected);
  expect((await readAll(reopened[3]!))[0]?.[0]).toBe(50);
  await again.sync(reopened);
  await reopened[4]!.dropBefore(60);
  expect(startsOf(await open(openEngine(directory, { files: crashed.crash() })))).toEqual(
    expected.map((start, partition) => (partition === 4 ? 60 : start)),
  );
});

test("a clean stop keeps them where they are, for the next start", async () => {
  const { disk, directory, engine, logs } = await fixture();
  await dropAll(logs);
  await engine.close();
  expect(directory.isClean).toBe(true);
  expect(await findingsOf(disk)).toEqual([]);
  expect(startsOf(await open(openEngine(directory, { files: disk })))).toEqual(STARTS);
});

test("inspect shows them, from whatever directory it begins", async () => {
  using folder = temporaryDirectory();
  const engine = openEngine(new TestDirectory(folder.path));
  await engine.create("t", PARTITIONS);
  const logs = await open(engine);
  for (const log of logs) for (let index = 0; index < RECORDS; index += 1) append(log, ["more"], 1000);
  await engine.sync(logs);
  await dropAll(logs);
  await engine.close();
  const last = PARTITIONS - 1;
  const told = ["topics", "topics/t", `topics/t/${last}`].map((path) => {
    const { partitions } = inspectPath(createDisk(), `${folder.path}/${path}`).topics[0]!;
    return partitions.at(-1)?.startOffset;
  });
  expect(told).toEqual([10 + last, 10 + last, 10 + last]);
  expect(createDisk().exists(`${folder.path}/topics/t/${last}/${SNAPSHOT_FILE}`)).toBe(false);
});

test("a topic that is made again begins at 0, whenever the power goes", async () => {
  const { disk, directory, engine, logs } = await fixture();
  await dropAll(logs);
  await engine.detach("t");
  const after = disk.crash();
  const again = openEngine(directory, { files: after });
  await again.release("t");
  await again.create("t", PARTITIONS);
  const files = after.crash();
  expect(startsOf(await open(openEngine(directory, { files })))).toEqual(STARTS.map(() => 0));
});

test("a snapshot that becomes large moves to the own file of its partition, and counts there", async () => {
  const { disk, directory, engine, logs } = await fixture();
  await dropAll(logs);
  const log = logs.at(-1);
  log!.checkpoint(Buffer.alloc(200_000, "s"), RECORDS);
  await engine.sync(logs);
  await log!.dropBefore(60);
  const replay = new Replay();
  const reopened = await openEngine(directory, { files: disk.crash() }).open("t", PARTITIONS - 1, replay);
  expect([reopened.startOffset, replay.state?.length]).toEqual([60, 200_000]);
});

test("damage in the journal is reported, by verify and by a start, which reads the logs instead", async () => {
  const { disk, directory, engine, logs } = await fixture();
  await dropAll(logs);
  await Promise.all(logs.map((log) => log.dropBefore(70)));
  await engine.close();
  const path = `/data/${SNAPSHOT_JOURNAL}`;
  const descriptor = disk.open(path, "update");
  disk.write(descriptor, Buffer.from("damage"), 0, 6, 20);
  disk.close(descriptor);
  expect(await findingsOf(disk)).toEqual([
    {
      file: SNAPSHOT_JOURNAL,
      position: 0,
      bytes: 0,
      kind: "damaged-snapshot",
      detail: "no group where one was written",
    },
  ]);
  const again = openEngine(directory, { files: disk });
  expect(again.findings.map(({ file, kind }) => [file, kind])).toEqual([
    [SNAPSHOT_JOURNAL, "damaged-snapshot"],
  ]);
  expect(startsOf(await open(again))).toEqual(logs.map(() => 70)); // later groups are whole
});

test("segments that leave soon have no index files, and are read all the same", async () => {
  const { disk, directory, engine, logs } = await fixture(SHORT_LIVED);
  await dropAll(logs);
  await engine.close();
  const names = disk.list("/data/topics/t/0");
  expect(names.filter((name) => name.endsWith(".log")).length).toBeGreaterThan(2);
  expect(names.filter((name) => name.endsWith("index"))).toEqual([]);
  expect(await findingsOf(disk)).toEqual([]);
  const again = openEngine(directory, { files: disk });
  const log = await again.open("t", 0, new Replay());
  expect((await log.offsetForTimestamp(1030, RECORDS))?.offset).toBe(30);
  expect((await readAll(log)).map(([offset]) => offset)).toEqual(
    Array.from({ length: RECORDS - 10 }, (_, index) => 10 + index),
  );
  expect(again.findings).toEqual([]);
  await again.close();
});
