/**
 * What each way to sync gains (src/storage/file/sync/log-syncer.ts), on the disk that holds the temporary directory: the same work
 * with the way and without it, in turns, and the median ratio of the rounds.
 *
 *     bun scripts/bench/sync-ways.ts [--rounds N] [--directory PATH]
 *
 *   in place   one small record, again when it is synced                    microseconds for each, median
 *   thread     16 KiB batches, 5 in flight, the next when one completes     MB/s
 *   together   4 KiB in each of 16 partitions, again when all are synced    milliseconds for each group, median
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { createDisk } from "../../src/base/disk.ts";
import type { Files } from "../../src/base/files.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { FileEngine } from "../../src/storage/file/engine.ts";
import type { FileLog } from "../../src/storage/file/log.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";

const SMALL_BYTES = 100;
const SMALL_RECORDS = 1500;
const STREAM_BATCH_BYTES = 16 * KiB;
const STREAM_BYTES = 64 * MiB;
const STREAM_IN_FLIGHT = 5;
const GROUP_LOGS = 16;
const GROUP_BYTES = 4 * KiB;
const GROUPS = 200;

interface Ways {
  inPlace: boolean;
  thread: boolean;
  together: boolean;
}

const ALL: Ways = { inPlace: true, thread: true, together: true };

interface Work {
  name: string;
  way: keyof Ways;
  unit: string;
  /** Whether a larger figure is the better one. */
  isMoreBetter: boolean;
  run(engine: FileEngine): Promise<number>;
}

const WORKS: readonly Work[] = [
  { name: "in place", way: "inPlace", unit: "us", isMoreBetter: false, run: sparse },
  { name: "thread", way: "thread", unit: "MB/s", isMoreBetter: true, run: stream },
  { name: "together", way: "together", unit: "ms", isMoreBetter: false, run: groups },
];

async function main(args: readonly string[]): Promise<void> {
  const rounds = Number(optionOf(args, "--rounds") ?? 5);
  const directory = optionOf(args, "--directory") ?? tmpdir();
  for (const work of WORKS) {
    const ratios: number[] = [];
    const figures: [number, number][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const without = await measure(directory, work, { ...ALL, [work.way]: false });
      const withIt = await measure(directory, work, ALL);
      figures.push([without, withIt]);
      ratios.push(work.isMoreBetter ? withIt / without : without / withIt);
    }
    const pairs = figures.map(([without, withIt]) => `${round3(without)}:${round3(withIt)}`).join(", ");
    console.log(
      `${work.name.padEnd(9)} gain ${median(ratios).toFixed(2)}   without:with ${pairs} ${work.unit}`,
    );
  }
}

async function measure(parent: string, work: Work, ways: Ways): Promise<number> {
  const path = mkdtempSync(join(parent, "obelisk-sync-ways-"));
  const disk = createDisk();
  const files = ways.together ? disk : withoutSyncAll(disk);
  const engine = new FileEngine({
    files,
    clock: systemClock,
    directory: {
      path,
      isClean: true,
      markDirty: () => {},
      markClean: () => {},
      lossReason: () => null,
      close: () => {},
    },
    state: new MemoryState(),
    canSyncInPlace: ways.inPlace,
    canSyncContinuously: ways.thread,
  });
  try {
    return await work.run(engine);
  } finally {
    await engine.close();
    rmSync(path, { recursive: true });
  }
}

async function sparse(engine: FileEngine): Promise<number> {
  const log = await open(engine, 0);
  const batch = batchOf(SMALL_BYTES);
  const spent: number[] = [];
  for (let count = 0; count < SMALL_RECORDS; count += 1) {
    const startedAtMs = performance.now();
    log.append(batch, 0, batch.length);
    await engine.sync([log]);
    spent.push((performance.now() - startedAtMs) * 1000);
    await turn();
  }
  return median(spent.slice(SMALL_RECORDS / 3));
}

/** As a producer at a socket: its next batch comes a turn or two after the response. */
async function stream(engine: FileEngine): Promise<number> {
  const log = await open(engine, 0);
  const batch = batchOf(STREAM_BATCH_BYTES);
  const startedAtMs = performance.now();
  let waiting: number[] = [];
  let syncing: Promise<unknown> | null = null;
  const send = () => {
    log.append(batch, 0, batch.length);
    waiting.push(log.endOffset);
  };
  const response = () => {
    const isDone = (offset: number) => offset <= log.durableOffset;
    const responded = waiting.filter(isDone).length;
    waiting = waiting.filter((offset) => !isDone(offset));
    for (let count = 0; count < responded; count += 1) {
      setImmediate(() => {
        if (log.bytes < STREAM_BYTES) send();
      });
    }
  };
  log.onDurable = response;
  for (let count = 0; count < STREAM_IN_FLIGHT; count += 1) send();
  while (waiting.length > 0 || log.bytes < STREAM_BYTES) {
    syncing ??= engine.sync([log]).then(() => {
      syncing = null;
      response();
    });
    await syncing;
    await turn();
    await turn();
  }
  return log.bytes / 1000 / (performance.now() - startedAtMs);
}

async function groups(engine: FileEngine): Promise<number> {
  const logs: FileLog[] = [];
  for (let index = 0; index < GROUP_LOGS; index += 1) logs.push(await open(engine, index));
  const batch = batchOf(GROUP_BYTES);
  const spent: number[] = [];
  for (let count = 0; count < GROUPS; count += 1) {
    for (const log of logs) log.append(batch, 0, batch.length);
    const startedAtMs = performance.now();
    await engine.sync(logs);
    spent.push(performance.now() - startedAtMs);
  }
  return median(spent.slice(GROUPS / 4));
}

async function open(engine: FileEngine, partition: number): Promise<FileLog> {
  return (await engine.open("t", partition, {
    restore: () => {},
    replay: () => {},
    lost: () => undefined,
  })) as FileLog;
}

function batchOf(bytes: number): Buffer {
  const builder = new BatchBuilder(2 * bytes);
  const value = Buffer.alloc(bytes, "x");
  builder.append(Date.now(), null, 0, 0, value, 0, value.length);
  return builder.finish({ codec: "none" });
}

function withoutSyncAll(disk: Files): Files {
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === "syncAll") return undefined;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[values.length >>> 1]!;
}

function round3(value: number): string {
  return value.toPrecision(3);
}

function optionOf(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at === -1 ? undefined : args[at + 1];
}

await main(process.argv.slice(2));
