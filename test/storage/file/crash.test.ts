/**
 * The power goes away at random moments. Whatever the disk made of the unsynced writes, the recovered log must hold everything
 * that was synced as an unbroken prefix; after that, only records that were appended, in order, at their offsets, and from then
 * on it must not change any more. (A batch in the middle of the unsynced part may be gone: it cannot be told from damage to
 * synced bytes, and what lies after such damage must not be thrown away.) A log start that was told never goes back. Found seeds are kept in `SEEDS`.
 */

import { expect, test } from "bun:test";
import type { PartitionLog } from "../../../src/storage/contract.ts";
import { randomOf } from "../../support/random.ts";
import { SimulatedFiles } from "../../support/simulated-files.ts";
import { append, Replay, readAll } from "../conformance/suite.ts";
import { openEngine, TestDirectory } from "./support.ts";

const SEEDS: readonly number[] = [100_837_455];
const ROUNDS = 40;

for (const hasSyncAll of [true, false]) {
  test(`a power cut leaves everything synced, and nothing that was not appended (${hasSyncAll ? "syncfs" : "fdatasync"})`, async () => {
    const first = Math.floor(Math.random() * 1e9);
    for (const seed of [...SEEDS, ...Array.from({ length: ROUNDS }, (_, index) => first + index)]) {
      try {
        await run(seed, hasSyncAll);
      } catch (thrown) {
        throw new Error(`seed ${seed}: ${thrown instanceof Error ? thrown.message : thrown}`, {
          cause: thrown,
        });
      }
    }
  });
}

async function run(seed: number, hasSyncAll: boolean): Promise<void> {
  const random = randomOf(seed);
  let files = new SimulatedFiles(seed ^ 0x5a5a, hasSyncAll);
  files.makeDirectory("/data");
  files.syncDirectory("/");
  const directory = new TestDirectory("/data");
  let values: (string | null)[] = [];
  let synced = 0;
  let dropped = 0;
  /** The largest start that somebody was told. */
  let told = 0;
  let state = -1;
  let opened: PartitionLog | null = null;
  for (let life = 0; life < 4; life += 1) {
    const engine = openEngine(directory, { files });
    const replay = new Replay();
    const log: PartitionLog = await engine.open("t", 0, replay);
    opened = log;
    expect(engine.findings.filter(({ kind }) => kind === "offset-gap")).toEqual([]);
    expect(log.startOffset).toBeGreaterThanOrEqual(told);
    const before = values;
    values = await checkRecovered(log, values, synced, dropped);
    if (random() < 0.5) {
      expect(await engine.sync([log])).toEqual([]);
      synced = values.length;
    }
    checkReplay(replay, before, values, state, log.startOffset);
    const steps = Math.floor(random() * 60);
    for (let step = 0; step < steps; step += 1) {
      const dice = random();
      if (dice < 0.75) {
        const value = `${seed}/${life}/${step}/${"x".repeat(Math.floor(random() * 600))}`;
        append(log, [value]);
        values.push(value);
      } else if (dice < 0.9) {
        const end = log.endOffset;
        expect(await engine.sync([log])).toEqual([]);
        synced = end;
      } else if (dice < 0.95) {
        log.checkpoint(Buffer.from(String(log.endOffset)), log.endOffset);
        state = log.endOffset;
      } else if (dice < 0.97 && log.durableOffset > log.startOffset) {
        dropped = Math.max(dropped, log.durableOffset - (random() < 0.5 ? 0 : 1));
        const tell = (start: number) => {
          if (log === opened) told = Math.max(told, start); // a dead process tells nobody
        };
        void log.dropBefore(dropped).then(tell, () => undefined);
        if (random() < 0.3) log.roll();
      } else await turns(Math.floor(random() * 20));
    }
    opened = null;
    files = files.crash();
    await turns(50); // what still runs of the dead process meets a dead disk
  }
}

/** Compares what was found with what was appended; returns it with null for offsets that are lost. */
async function checkRecovered(
  log: PartitionLog,
  values: readonly (string | null)[],
  synced: number,
  dropped: number,
): Promise<(string | null)[]> {
  expect(log.isOffline).toBe(false);
  expect(log.endOffset).toBeGreaterThanOrEqual(synced);
  expect(log.endOffset).toBeLessThanOrEqual(Math.max(values.length, synced));
  expect(log.startOffset).toBeLessThanOrEqual(dropped);
  const found = new Map(await readAll(log));
  for (const [offset, value] of found) expect([offset, value]).toEqual([offset, values[offset]!]);
  for (let offset = log.startOffset; offset < synced; offset += 1) {
    expect([offset, found.get(offset) ?? null]).toEqual([offset, values[offset]!]);
  }
  return Array.from({ length: log.endOffset }, (_, offset) =>
    offset < log.startOffset ? values[offset]! : (found.get(offset) ?? null),
  );
}

/** The owner's state is never ahead of the log, and everything after it is replayed. */
function checkReplay(
  replay: Replay,
  before: readonly (string | null)[],
  values: readonly (string | null)[],
  stateMax: number,
  startOffset: number,
): void {
  const from = replay.state === null ? null : Number(replay.state);
  if (from !== null) {
    expect(from).toBeLessThanOrEqual(stateMax);
    expect(from).toBeLessThanOrEqual(values.length);
  }
  for (const [offset, value] of replay.records) expect([offset, value]).toEqual([offset, values[offset]!]);
  if (from === null) return;
  for (let offset = startOffset; offset < from; offset += 1) {
    expect([offset, values[offset]]).toEqual([offset, before[offset]]); // what the state knows of is there
  }
  const isKept = (offset: number) => offset >= startOffset && values[offset] !== null;
  expect(replay.records.map(([offset]) => offset).filter(isKept)).toEqual(
    range(from, values.length).filter(isKept),
  );
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}
