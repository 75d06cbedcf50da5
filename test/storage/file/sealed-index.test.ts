/** The index in its files against the same one in memory, and with every harm that can come to a file. */

import { afterAll, describe, expect, test } from "bun:test";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { createDisk } from "../../../src/base/disk.ts";
import type { Files } from "../../../src/base/files.ts";
import { IndexPages, PAGE_ENTRIES } from "../../../src/storage/file/index-pages.ts";
import { DescriptorPool, PooledFile } from "../../../src/storage/file/pool.ts";
import { IndexFault, SealedIndex } from "../../../src/storage/file/sealed-index.ts";
import { logPathOf, Segment } from "../../../src/storage/file/segment.ts";
import {
  OFFSET_ENTRY_BYTES,
  SegmentIndex,
  TIME_ENTRY_BYTES,
} from "../../../src/storage/file/segment-index.ts";
import { Store } from "../../../src/storage/file/store.ts";
import { CountedFiles } from "../../support/counted-files.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { RefusingFiles } from "../../support/refusing-files.ts";
import { temporaryDirectory } from "./support.ts";

const STEP_BYTES = 100;
const LIMITS = { segmentBytesMax: 1e9, segmentAgeMsMax: 1e9, indexIntervalBytes: 1, fileIdleMs: 1e9 };
const folder = temporaryDirectory();

afterAll(() => folder[Symbol.dispose]());

/** With so many entries in the offset index: batches of three offsets, their times a hundred apart, each second one late. */
function indexOf(entries: number): SegmentIndex {
  const index = SegmentIndex.growing(1);
  for (let slot = 0; slot <= entries; slot += 1) {
    index.record(slot * 3 + 2, slot * STEP_BYTES, STEP_BYTES, slot * 100 - (slot % 2) * 150 + 150);
  }
  index.seal();
  return index;
}

function written<Disk extends Files = CountedFiles>(
  entries: number,
  pages = new IndexPages(),
  files: Disk = new CountedFiles(createDisk()) as Files as Disk,
) {
  const segment = new Segment(folder.path, 0, new PooledFile(logPathOf(folder.path, 0), "read"), null);
  segment.bytes = (entries + 1) * STEP_BYTES;
  const index = indexOf(entries);
  writeFileSync(segment.indexPath, index.offsets);
  writeFileSync(segment.timeIndexPath, index.times);
  const store = new Store(files, new DescriptorPool(files), new ManualClock(), folder.path, LIMITS);
  return { index, segment, files, open: () => new SealedIndex(store, pages, segment) };
}

/** A hundred questions, the same of each index. */
function responses(index: SealedIndex | SegmentIndex, entries: number): unknown[] {
  const told: unknown[] = [index.maxTimestamp, index.maxTimestampOffset];
  for (let part = -1; part <= 100; part += 1) {
    const offset = Math.floor((part * (entries + 1) * 3) / 99);
    const slot = index.slotOf(offset);
    const entry = slot === -1 ? null : [index.offsetAt(slot), index.positionAt(slot)];
    told.push([offset, slot, entry, index.offsetBefore(Math.floor((part * entries * 100) / 99))]);
  }
  return told;
}

for (const entries of [0, 1, 2, 511, 512, 513, 1024, 1025, 5000]) {
  test(`returns what the one in memory does (${entries} entries), and leaves no file open`, () => {
    for (const pages of [new IndexPages(), new IndexPages(0)]) {
      const { index, open, files } = written(entries, pages);
      const sealed = open();
      expect(responses(sealed, entries)).toEqual(responses(index, entries));
      expect([files.openCount, files.openPeak]).toEqual([0, 1]);
      if (pages.bytes === 0) continue;
      files.opened = 0;
      expect([responses(sealed, entries), files.opened]).toEqual([responses(index, entries), 0]);
    }
  });
}

/** The kind of the fault that comes of asking everything, or null. */
function faultOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof IndexFault)) throw thrown;
    return thrown.kind;
  }
}

const ENTRIES = 3 * PAGE_ENTRIES;

for (const [name, entryBytes] of [
  ["index", OFFSET_ENTRY_BYTES],
  ["timeindex", TIME_ENTRY_BYTES],
] as const) {
  const pathOf = (segment: Segment) => (name === "index" ? segment.indexPath : segment.timeIndexPath);

  describe(`a .${name} file`, () => {
    for (const when of ["before it is opened", "when it was opened"]) {
      const harmed = (harm: (path: string) => void): string | null => {
        const { segment, open } = written(ENTRIES);
        if (when === "before it is opened") harm(pathOf(segment));
        return faultOf(() => {
          const index = open();
          if (when === "when it was opened") harm(pathOf(segment));
          responses(index, ENTRIES);
        });
      };

      test(`that is gone ${when} is reported`, () => {
        expect(harmed((path) => rmSync(path))).toBe("missing-index");
      });

      test(`that is not whole ${when} is reported`, () => {
        expect(harmed((path) => truncateSync(path, 401 * entryBytes + 1))).toBe("damaged-index");
        if (when === "when it was opened")
          expect(harmed((path) => truncateSync(path, 0))).toBe("damaged-index");
      });

      test(`of garbage or zeros ${when} is reported`, () => {
        for (const byte of [0, 0x7f, 0xff])
          expect(harmed((path) => writeFileSync(path, Buffer.alloc(ENTRIES * entryBytes, byte)))).toBe(
            "damaged-index",
          );
      });
    }

    test("that cannot be read is reported", () => {
      const { segment, open, files } = written(ENTRIES, new IndexPages(), new RefusingFiles(createDisk()));
      const index = open();
      files.refused = [{ file: pathOf(segment), start: 0, end: Number.POSITIVE_INFINITY }];
      expect([faultOf(open), faultOf(() => responses(index, ENTRIES))]).toEqual(["unreadable", "unreadable"]);
    });

    test("that the process has no descriptor for is refused, and no fault", () => {
      const { open, files } = written(ENTRIES);
      files.openMax = 0;
      expect(open).toThrow(expect.objectContaining({ code: "KAFKA_STORAGE_ERROR" }));
    });
  });
}
