/** What opening makes of damaged files, on a real disk: bytes are flipped, cut and lost by hand between two engines. */

import { expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { ObeliskError } from "../../../../src/base/errors.ts";
import type { PartitionLog } from "../../../../src/storage/contract.ts";
import type { FileEngine } from "../../../../src/storage/file/engine.ts";
import { decodeSnapshot, SNAPSHOT_FILE } from "../../../../src/storage/file/snapshot.ts";
import { bytesOf, recordsIn } from "../../../support/batches.ts";
import { append, Replay, readAll } from "../../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../support.ts";

const NOTHING = Buffer.alloc(0);
const FIRST_LOG = "00000000000000000000.log";

interface Fixture {
  partition: string;
  root: string;
  values: string[];
  /** Opens the directory again; `isClean` says how the last engine left it. */
  open(isClean?: boolean): Promise<{ engine: FileEngine; log: PartitionLog; replay: Replay }>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A partition of 100 batches in four segments, shut down gracefully or not. */
async function fixture(options: {
  stop: "clean" | "dirty";
  checkpointAt?: number;
  segmentBytesMax?: number;
}): Promise<Fixture> {
  const folder = temporaryDirectory();
  const directory = new TestDirectory(folder.path);
  const sizes = options.segmentBytesMax === undefined ? {} : { segmentBytesMax: options.segmentBytesMax };
  const engines: FileEngine[] = [];
  const first = openEngine(directory, sizes);
  const log = await first.open("t", 0, new Replay());
  const values = Array.from({ length: 100 }, (_, index) => `value ${index} ${"y".repeat(40)}`);
  for (const [index, value] of values.entries()) {
    append(log, [value], 1000 + index);
    if (index === options.checkpointAt) log.checkpoint(Buffer.from(String(index + 1)), log.endOffset);
    if (index % 10 === 0) await first.sync([log]);
  }
  if (options.stop === "clean") {
    log.checkpoint(Buffer.from("100"), log.endOffset);
    await first.close();
  } else {
    await first.sync([log]);
    await untilWritten(join(folder.path, "topics/t/0"), options.checkpointAt);
  }
  return {
    partition: join(folder.path, "topics/t/0"),
    root: folder.path,
    values,
    open: async (isClean = options.stop === "clean") => {
      directory.isClean = isClean;
      const engine = openEngine(directory, sizes);
      engines.push(engine);
      const replay = new Replay();
      return { engine, log: await engine.open("t", 0, replay), replay };
    },
    [Symbol.asyncDispose]: async () => {
      for (const engine of engines) await engine.close();
      folder[Symbol.dispose]();
    },
  };
}

/** Sealing and the snapshot are written after the sync: until every segment but the last has its indexes, and the checkpoint is there. */
async function untilWritten(partition: string, checkpointAt?: number): Promise<void> {
  const sealed = logNames(partition).slice(0, -1);
  const indexes = sealed.flatMap((name) => [
    name.replace(".log", ".index"),
    name.replace(".log", ".timeindex"),
  ]);
  const isThere = (name: string) => existsSync(join(partition, name));
  const hasCheckpoint = () =>
    isThere(SNAPSHOT_FILE) &&
    decodeSnapshot(readFileSync(join(partition, SNAPSHOT_FILE))).checkpoint?.offset === checkpointAt! + 1;
  while (!indexes.every(isThere) || (checkpointAt !== undefined && !hasCheckpoint())) await Bun.sleep(1);
}

function flip(path: string, position: number): void {
  const bytes = readFileSync(path);
  bytes[position]! ^= 0x40;
  writeFileSync(path, bytes);
}

/** Where the batch of each offset begins, for batches of one record. */
function batchStarts(path: string): number[] {
  const bytes = readFileSync(path);
  const starts: number[] = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) starts.push(at);
  return starts;
}

/** The log files of a partition, in order. */
function logNames(partition: string): string[] {
  return readdirSync(partition)
    .filter((name) => name.endsWith(".log"))
    .sort();
}

function offsets(records: [number, string | null][]): number[] {
  return records.map(([offset]) => offset);
}

function without(count: number, ...missing: number[]): number[] {
  return Array.from({ length: count }, (_, index) => index).filter((offset) => !missing.includes(offset));
}

test("a torn batch at the end is cut off, kept in quarantine and reported, and the leader epoch is bumped", async () => {
  await using subject = await fixture({ stop: "dirty" });
  const path = join(subject.partition, logNames(subject.partition).at(-1)!);
  const { size } = statSync(path);
  const torn = readFileSync(path).subarray(0, 50);
  appendFileSync(path, torn);
  const { engine, log } = await subject.open();
  expect([log.endOffset, log.leaderEpoch, statSync(path).size]).toEqual([100, 1, size]);
  expect(engine.findings).toEqual([
    expect.objectContaining({
      kind: "torn-tail",
      file: path.slice(subject.root.length + 1),
      position: size,
      bytes: 50,
    }),
  ]);
  const kept = readdirSync(join(subject.root, "quarantine")).find((name) => !name.endsWith(".txt"))!;
  expect(readFileSync(join(subject.root, "quarantine", kept))).toEqual(torn);
  expect(append(log, ["next"])).toBe(100);
  expect(log.endOffsetForEpoch(0)).toEqual({ leaderEpoch: 0, endOffset: 100 });
  expect([log.epochAt(0), log.epochAt(99), log.epochAt(100)]).toEqual([0, 0, 1]);
});

test("every truncation of the active segment gives a prefix of whole batches", async () => {
  await using subject = await fixture({ stop: "dirty", segmentBytesMax: 2 ** 20 });
  const path = join(subject.partition, FIRST_LOG);
  const whole = readFileSync(path);
  const starts = batchStarts(path);
  for (let size = whole.length; size > whole.length - 300; size -= 7) {
    writeFileSync(path, whole.subarray(0, size));
    const { engine, log } = await subject.open();
    const expected = starts.filter((_, index) => (starts[index + 1] ?? whole.length) <= size).length;
    expect([size, log.endOffset]).toEqual([size, expected]);
    expect(offsets(await readAll(log))).toEqual(without(expected));
    await engine.close();
    rmSync(join(subject.partition, "producers.snapshot"), { force: true });
  }
});

for (const [stop, segmentBytesMax] of [
  ["clean", 4000],
  ["dirty", 4000],
  ["clean", 2 ** 20],
  ["dirty", 2 ** 20],
] as const) {
  test(`a flipped byte costs the batch that it lies in and nothing else (${stop} stop, segments of ${segmentBytesMax} bytes)`, async () => {
    await using subject = await fixture({ stop, segmentBytesMax });
    const names = logNames(subject.partition);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(names.length - 1),
        fc.nat(),
        fc.nat(7),
        fc.nat(99),
        async (slot, place, bit, requested) => {
          const path = join(subject.partition, names[slot]!);
          const whole = readFileSync(path);
          const position = place % whole.length;
          const starts = batchStarts(path);
          const victim = starts.findLastIndex((start) => start <= position);
          const offset = Number(names[slot]!.slice(0, 20)) + victim;
          const snapshotPath = join(subject.partition, "producers.snapshot");
          const snapshot = existsSync(snapshotPath) ? readFileSync(snapshotPath) : null;
          const broken = Buffer.from(whole);
          broken[position]! ^= 1 << bit;
          writeFileSync(path, broken);
          const { engine, log } = await subject.open();
          try {
            const atRequested =
              requested < log.endOffset
                ? await bytesOf(log.span(requested, log.endOffset, 1, true))
                : NOTHING;
            const found = await readAll(log, 1500);
            const isEpochByte = position - starts[victim]! >= 12 && position - starts[victim]! < 16;
            const isCut = offset === 99 && stop === "dirty" && !isEpochByte;
            const good = isEpochByte ? without(100) : without(100, offset);
            const [responded] = offsets(recordsIn(atRequested));
            expect([position, responded]).toEqual([
              position,
              good.find((candidate) => candidate >= requested),
            ]);
            expect([position, offsets(found)]).toEqual([
              position,
              isEpochByte ? without(100) : without(100, offset),
            ]);
            expect([position, log.endOffset]).toEqual([position, isCut ? 99 : 100]);
            const kinds = engine.findings.map(({ kind }) => kind);
            if (!isEpochByte) expect(kinds).toContain(isCut ? "torn-tail" : "damaged-batch");
          } finally {
            await engine.close();
            writeFileSync(path, whole);
            if (snapshot === null) rmSync(snapshotPath, { force: true });
            else writeFileSync(snapshotPath, snapshot);
            for (const name of readdirSync(subject.partition)) {
              if (/index$/.test(name)) rmSync(join(subject.partition, name));
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });
}

test("a hole that is known is skipped after a restart without another report", async () => {
  await using subject = await fixture({ stop: "clean" });
  const path = join(subject.partition, FIRST_LOG);
  flip(path, batchStarts(path)[5]! + 70);
  const first = await subject.open();
  expect(offsets(await readAll(first.log))).toEqual(without(100, 5));
  expect(first.engine.findings.length).toBe(1);
  await first.engine.close();
  const second = await subject.open();
  expect(offsets(await readAll(second.log))).toEqual(without(100, 5));
  expect(second.engine.findings).toEqual([]);
});

test("a read that meets damage in the middle returns what lies before it, then what lies after it", async () => {
  await using subject = await fixture({ stop: "clean", segmentBytesMax: 2 ** 20 });
  const path = join(subject.partition, FIRST_LOG);
  flip(path, batchStarts(path)[50]! + 70);
  const { log } = await subject.open();
  const before = await bytesOf(log.span(40, 100, 1e6, true));
  expect(before.readBigInt64BE(0)).toBe(40n);
  expect(before.length).toBe(batchStarts(path)[50]! - batchStarts(path)[40]!);
  expect((await bytesOf(log.span(50, 100, 1e6, true))).readBigInt64BE(0)).toBe(51n);
});

for (const suffix of ["index", "timeindex"]) {
  test(`a missing, cut or garbled ${suffix} file is rebuilt`, async () => {
    const spoils: ((path: string) => void)[] = [
      (path) => rmSync(path),
      (path) => truncateSync(path, Math.max(0, statSync(path).size - 5)),
      (path) => writeFileSync(path, Buffer.alloc(96, 0xee)),
      (path) => writeFileSync(path, Buffer.from("0000000500000064", "hex")),
    ];
    for (const spoil of spoils) {
      await using subject = await fixture({ stop: "clean", segmentBytesMax: 10_000 });
      spoil(join(subject.partition, `00000000000000000000.${suffix}`));
      const { log } = await subject.open();
      expect(await readAll(log)).toEqual(subject.values.map((value, index) => [index, value]));
      for (const offset of [0, 30, 60, 99]) {
        expect(await log.offsetForTimestamp(1000 + offset, 100)).toEqual({
          offset,
          timestampMs: 1000 + offset,
          leaderEpoch: 0,
        });
      }
    }
  });
}

test("a lost or damaged snapshot costs the reading of the whole log", async () => {
  for (const spoil of [rmSync, (path: string) => flip(path, 20)]) {
    await using subject = await fixture({ stop: "clean" });
    spoil(join(subject.partition, "producers.snapshot"));
    const { log, replay } = await subject.open();
    expect([replay.state, offsets(replay.records)]).toEqual([null, without(100)]);
    expect(log.endOffset).toBe(100);
  }
});

test("offsets that were synced and are gone are not assigned again", async () => {
  await using subject = await fixture({ stop: "clean" });
  const logs = logNames(subject.partition);
  truncateSync(join(subject.partition, logs.at(-1)!), 0);
  const { engine, log } = await subject.open();
  const first = Number(logs.at(-1)!.slice(0, 20));
  expect(offsets(await readAll(log))).toEqual(without(first));
  expect([log.endOffset, log.leaderEpoch]).toEqual([100, 1]);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["offset-gap"]);
  expect(append(log, ["next"])).toBe(100);
  expect(offsets(await readAll(log))).toEqual([...without(first), 100]);
  expect((await bytesOf(log.span(100, 101, 1000, true))).readBigInt64BE(0)).toBe(100n);
});

test("a partition that may not be read is offline, the others are not", async () => {
  if (process.getuid?.() === 0) return; // root may read everything
  await using subject = await fixture({ stop: "clean" });
  chmodSync(subject.partition, 0);
  const { engine, log } = await subject.open();
  chmodSync(subject.partition, 0o755);
  expect(log.isOffline).toBe(true);
  expect(engine.findings.map(({ kind }) => kind)).toEqual(["unreadable"]);
  expect((await engine.open("u", 0, new Replay())).isOffline).toBe(false);
});

test("a topic whose deletion was interrupted is deleted at the next start, and nothing else is", async () => {
  await using subject = await fixture({ stop: "clean" });
  const { engine } = await subject.open();
  await engine.close();
  const topics = join(subject.root, "topics");
  const leftover = join(topics, "~removed-7/0");
  const straySegment = join(topics, "~something else");
  for (const path of [leftover, straySegment]) await Bun.$`mkdir -p ${path}`.quiet();
  writeFileSync(join(leftover, FIRST_LOG), "half deleted");
  writeFileSync(join(topics, "notes.txt"), "not ours");
  const again = await subject.open();
  expect(existsSync(join(topics, "~removed-7"))).toBe(false);
  expect(existsSync(straySegment) && existsSync(join(topics, "notes.txt"))).toBe(true);
  expect(again.engine.stored()).toEqual([{ topic: "t", partitions: 1 }]);
});

test("opening reads the log only from the last checkpoint on", async () => {
  await using subject = await fixture({ stop: "dirty", checkpointAt: 79 });
  const { replay, log } = await subject.open();
  expect([replay.state, offsets(replay.records)]).toEqual(["80", without(100).slice(80)]);
  expect(await readAll(log)).toEqual(subject.values.map((value, index) => [index, value]));
});

/** Log files that are no segments, made from what lies in the partition; the first is the name of the file. */
const STRAY_SEGMENTS: { title: string; name: string; content: (partition: string) => Buffer }[] = [
  { title: "rubbish", name: "00000000000000000007.log", content: () => Buffer.alloc(3000, "rubbish ") },
  { title: "zeros", name: "00000000000000000007.log", content: () => Buffer.alloc(3000) },
  { title: "nothing", name: "00000000000000000007.log", content: () => NOTHING },
  {
    title: "a copy of the segment before",
    name: "00000000000000000009.log",
    content: (partition) => readFileSync(join(partition, FIRST_LOG)),
  },
  {
    title: "a copy of the segment after",
    name: "00000000000000000009.log",
    content: (partition) => readFileSync(join(partition, logNames(partition).at(1) ?? FIRST_LOG)),
  },
  {
    title: "a copy of an early segment after a later one",
    name: "00000000000000000050.log",
    content: (partition) => readFileSync(join(partition, FIRST_LOG)),
  },
  {
    title: "a copy beyond the end",
    name: "00000000000000007000.log",
    content: (partition) => readFileSync(join(partition, FIRST_LOG)),
  },
];

for (const { title, name, content } of STRAY_SEGMENTS) {
  for (const [stop, segmentBytesMax] of [
    ["clean", 4000],
    ["dirty", 4000],
    ["clean", 2 ** 20],
    ["dirty", 2 ** 20],
  ] as const) {
    test(`a stray log file with ${title} is quarantined and costs no record (${stop} stop, segments of ${segmentBytesMax} bytes)`, async () => {
      await using subject = await fixture({ stop, segmentBytesMax });
      const bytes = content(subject.partition);
      writeFileSync(join(subject.partition, name), bytes);
      writeFileSync(join(subject.partition, name.replace(".log", ".index")), "12345678");
      const { engine, log } = await subject.open();
      expect(await readAll(log)).toEqual(subject.values.map((value, index) => [index, value]));
      expect(log.endOffset).toBe(100);
      expect(engine.findings).toEqual([
        {
          file: `topics/t/0/${name}`,
          position: 0,
          bytes: bytes.length,
          kind: "unknown-file",
          detail: expect.stringContaining("moved to quarantine/"),
        },
      ]);
      expect(readdirSync(subject.partition).filter((found) => found.startsWith(name.slice(0, 20)))).toEqual(
        [],
      );
      const kept = readFileSync(join(subject.root, `quarantine/topics_t_0_${name}-1`));
      expect(kept.equals(new Uint8Array(bytes))).toBe(true);
      expect(append(log, ["next"])).toBe(100);
      await engine.close();
      const again = await subject.open(true);
      expect([again.engine.findings, again.log.endOffset]).toEqual([[], 101]);
    });
  }
}

test("an empty segment at the end, as a crash during a roll leaves it, stays and goes on", async () => {
  await using subject = await fixture({ stop: "dirty" });
  const name = "00000000000000000100.log";
  writeFileSync(join(subject.partition, name), NOTHING);
  const { engine, log } = await subject.open();
  expect([engine.findings, append(log, ["next"])]).toEqual([[], 100]);
  expect(statSync(join(subject.partition, name)).size).toBeGreaterThan(0);
});

for (const stop of ["clean", "dirty"] as const) {
  test(`a checkpoint whose state means nothing to the owner costs the reading of the whole log (${stop} stop)`, async () => {
    await using subject = await fixture({ stop, checkpointAt: 79 });
    class Refusing extends Replay {
      override restore(): void {
        throw new ObeliskError("DAMAGED_DATA", { detail: "the state does not decode" });
      }
    }
    const directory = new TestDirectory(subject.root);
    directory.isClean = stop === "clean";
    const engine = openEngine(directory);
    const replay = new Refusing();
    const log = await engine.open("t", 0, replay);
    expect([log.isOffline, offsets(replay.records)]).toEqual([false, without(100)]);
    expect(log.durableOffset).toBe(stop === "clean" ? 100 : 80);
    expect(engine.findings).toEqual([
      {
        file: `topics/t/0/${SNAPSHOT_FILE}`,
        position: 0,
        bytes: stop === "clean" ? 3 : 2,
        kind: "damaged-snapshot",
        detail: expect.stringContaining("the whole log is read instead"),
      },
    ]);
    expect(await engine.sync([log])).toEqual([]);
    log.checkpoint(Buffer.from("rebuilt"), log.endOffset);
    await engine.close();
    const again = await subject.open(true);
    expect([again.replay.state, again.engine.findings]).toEqual(["rebuilt", []]);
    expect(await readAll(again.log)).toEqual(subject.values.map((value, index) => [index, value]));
  });
}
