/**
 * Ways to hold the indexes of sealed segments: mapped, whole files in memory, or pages read into a bounded cache (what the server does).
 * Look-ups by offset at random over many segments, from the system's cache, with the files unknown to the process (cold) and
 * known (warm), and what stays resident. Each way has a process of its own. Microseconds of CPU for each look-up: others may be at
 * work on the machine.
 *
 *     bun scripts/bench/indexes.ts [--segments 400] [--entries 65536] [--lookups 20000]
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../../src/base/clock.ts";
import { createDisk } from "../../src/base/disk.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { INDEX_PAGES_BYTES_MAX, IndexPages } from "../../src/storage/file/index-pages.ts";
import { DescriptorPool, PooledFile } from "../../src/storage/file/pool.ts";
import { SealedIndex } from "../../src/storage/file/sealed-index.ts";
import { logPathOf, Segment } from "../../src/storage/file/segment.ts";
import { faultOfIndex, OFFSET_ENTRY_BYTES, SegmentIndex } from "../../src/storage/file/segment-index.ts";
import { Store } from "../../src/storage/file/store.ts";

const WAYS = ["map", "whole", "pages"] as const;
type Way = (typeof WAYS)[number];
const NOTHING = Buffer.alloc(0);
/** As many bytes of whole files are kept as of pages. */
const WHOLE_BYTES_MAX = INDEX_PAGES_BYTES_MAX;

const { values } = parseArgs({
  options: {
    segments: { type: "string", default: "400" },
    entries: { type: "string", default: "65536" },
    lookups: { type: "string", default: "20000" },
    way: { type: "string" },
    directory: { type: "string" },
  },
});
const segments = Number(values.segments);
const entries = Number(values.entries);
const lookups = Number(values.lookups);

/** The position of the entry at or before a relative offset in one segment. */
type Find = (segment: number, relativeOffset: number) => number;

function slotIn(offsets: Buffer, relativeOffset: number): number {
  let low = 0;
  let high = offsets.length / OFFSET_ENTRY_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets.readInt32BE(middle * OFFSET_ENTRY_BYTES) <= relativeOffset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function positionIn(offsets: Buffer, relativeOffset: number): number {
  const slot = slotIn(offsets, relativeOffset);
  return slot === -1 ? 0 : offsets.readInt32BE(slot * OFFSET_ENTRY_BYTES + 4);
}

function checked(offsets: Buffer): Buffer {
  const fault = faultOfIndex(offsets, NOTHING, 2 ** 31);
  if (fault !== null) throw new Error(fault);
  return offsets;
}

/** Read and checked as a whole before it is mapped, as it was: what the disk refuses must not be met in the map. */
function byMap(found: readonly Segment[]): Find {
  const maps = new Map<number, Buffer>();
  return (slot, relativeOffset) => {
    let offsets = maps.get(slot);
    if (offsets === undefined) {
      const path = found[slot]!.indexPath;
      checked(readFileSync(path));
      const bytes = Bun.mmap(path, { shared: true });
      offsets = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      maps.set(slot, offsets);
    }
    return positionIn(offsets, relativeOffset);
  };
}

function byWhole(found: readonly Segment[]): Find {
  const files = new Map<number, Buffer>();
  let kept = 0;
  return (slot, relativeOffset) => {
    let offsets = files.get(slot);
    if (offsets === undefined) {
      offsets = checked(readFileSync(found[slot]!.indexPath));
      kept += offsets.length;
    } else files.delete(slot);
    files.set(slot, offsets);
    for (const [oldest, { length }] of files) {
      if (kept <= WHOLE_BYTES_MAX || oldest === slot) break;
      files.delete(oldest);
      kept -= length;
    }
    return positionIn(offsets, relativeOffset);
  };
}

function byPages(found: readonly Segment[]): Find {
  const files = createDisk();
  const limits = { segmentBytesMax: 2 ** 30, segmentAgeMsMax: 1, indexIntervalBytes: 4 * KiB, fileIdleMs: 1 };
  const store = new Store(files, new DescriptorPool(files), systemClock, "/", limits);
  const pages = new IndexPages();
  const opened = new Map<number, SealedIndex>();
  return (slot, relativeOffset) => {
    let index = opened.get(slot);
    if (index === undefined) {
      index = new SealedIndex(store, pages, found[slot]!);
      opened.set(slot, index);
    }
    const entry = index.slotOf(relativeOffset);
    return entry === -1 ? 0 : index.positionAt(entry);
  };
}

const MAKERS: Record<Way, (found: readonly Segment[]) => Find> = {
  map: byMap,
  whole: byWhole,
  pages: byPages,
};

function segmentsIn(directory: string): Segment[] {
  return Array.from({ length: segments }, (_, slot) => {
    const segment = new Segment(directory, slot, new PooledFile(logPathOf(directory, slot), "read"), null);
    segment.bytes = 2 ** 31 - 1;
    return segment;
  });
}

/** Writes one index for each segment: an entry for every 4 KiB, one record each. */
function write(directory: string): void {
  const index = SegmentIndex.growing(1);
  for (let slot = 0; slot <= entries; slot += 1) index.record(slot, slot * 4 * KiB, 4 * KiB, slot);
  for (const segment of segmentsIn(directory)) {
    writeFileSync(segment.indexPath, index.offsets);
    writeFileSync(segment.timeIndexPath, index.times);
  }
}

function residentMiB(): number {
  Bun.gc(true);
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line?.[1] ?? 0) / KiB;
}

/** As one process of its own: so many look-ups at random, each in another segment than the one before. */
function measure(way: Way, directory: string): object {
  const found = segmentsIn(directory);
  const before = residentMiB();
  const find = MAKERS[way](found);
  let seed = 1;
  let wrong = 0;
  const run = (count: number, among: number) => {
    const before = process.cpuUsage();
    for (let turn = 0; turn < count; turn += 1) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const offset = 1 + ((seed >>> 4) % entries);
      if (find((turn * 7919) % among, offset) !== offset * 4 * KiB) wrong += 1;
    }
    const { user, system } = process.cpuUsage(before);
    return ((user + system) / count).toFixed(1);
  };
  const cold = run(segments, segments);
  const all = run(lookups, segments);
  const few = run(lookups, 10);
  if (wrong > 0) throw new Error(`${wrong} look-ups were wrong`);
  return {
    way,
    "first look, us": cold,
    "all segments, us": all,
    "ten segments, us": few,
    "resident, MiB": (residentMiB() - before).toFixed(1),
  };
}

if (values.way !== undefined) {
  process.stdout.write(JSON.stringify(measure(values.way as Way, values.directory!)));
} else {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-indexes-"));
  try {
    write(directory);
    const args = ["--segments", values.segments, "--entries", values.entries, "--lookups", values.lookups];
    const rows = WAYS.map((way) => {
      const words = [process.execPath, import.meta.path, ...args, "--way", way, "--directory", directory];
      const { stdout, exitCode } = Bun.spawnSync(words, { stderr: "inherit" });
      if (exitCode !== 0) throw new Error(`${way} failed`);
      return JSON.parse(stdout.toString()) as object;
    });
    const mebibytes = (segments * entries * 20) / MiB;
    console.log(`${segments} segments, ${entries} entries each: ${mebibytes.toFixed(0)} MiB of indexes`);
    console.table(rows);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
