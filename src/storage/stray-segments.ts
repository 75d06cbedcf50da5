/**
 * Finds log files that do not belong to their partition: rubbish, or a copy of a segment under another name. A file's name is
 * its base offset, and the segment before it is expected to end there; so a stray file that was taken for a segment would make
 * valid records of its neighbour look like damage. Recovery and `verify` share this judgement. It only reads.
 *
 *     [ segment 0: offsets 0 ................... 999 ][ segment 1000 ]
 *                  [ stray segment "7": no batch with base offset 7 at its front ]
 *
 * A file is a stray segment when no batch of its own base offset stands at its front, and
 *   - the segment before it has a batch that holds or passes this offset, in line with the batch before that one, or
 *   - it holds valid batches, two at least, and all of their offsets lie below its base.
 *
 * What it never takes for one: the first file; a segment whose front is damaged (the one before it ends where this one
 * begins); an empty file at the end of the log, which a crash during a roll leaves. A base offset lies outside the CRC, so one
 * batch alone proves nothing: "in line" keeps a single flipped bit from making a segment look longer than it is.
 *
 * A file that the disk refuses to read is judged by its name alone, as long as the segment before it does not reach there; else
 * nothing can be said, because one of the two is wrong.
 *
 * Cost: one small read for each file; only what looks suspect is scanned, with the segment before it.
 */

import { errnoOf } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  batchBaseOffset,
  batchLastOffset,
  MAGIC,
} from "../protocol/record/batch.ts";
import { logPathOf } from "./file/segment.ts";
import { scanBatches } from "./scan.ts";

export interface StraySegment {
  baseOffset: number;
  bytes: number;
  reason: string;
}

/** A batch whose base offset was damaged may seem to lie below its segment; two say the same by chance only in theory. */
const COPY_BATCHES_MIN = 2;

/** Opens a file for reading; null: what the system refuses is not judged. */
export type Opener = (path: string) => number | null;

/** For who reports unreadable files elsewhere. */
export function openerOfReadable(files: Files): Opener {
  return (path) => {
    try {
      return files.open(path, "read");
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return null;
    }
  };
}

/**
 * Those of the log files of `directory` (base offsets, ascending) that belong to no segment of its log.
 * @throws what `open` throws; system errors, when that depends on bytes that the disk refuses to read
 */
export function findStraySegments(
  files: Files,
  open: Opener,
  directory: string,
  bases: readonly number[],
): StraySegment[] {
  const straySegments: StraySegment[] = [];
  const disk = { files, open };
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  let before = bases[0] ?? 0;
  for (const baseOffset of bases.slice(1)) {
    const path = logPathOf(directory, baseOffset);
    const straySegment = withFile(disk, path, (descriptor) => {
      try {
        const claimed = claimedOffset(files, descriptor, header);
        if (claimed === baseOffset) return null;
        return judge(disk, directory, { before, baseOffset, claimed }, descriptor);
      } catch (thrown) {
        if (errnoOf(thrown) === undefined || covers(disk, directory, before, baseOffset)) throw thrown;
        return null;
      }
    });
    if (straySegment === null) before = baseOffset;
    else straySegments.push(straySegment);
  }
  return straySegments;
}

interface Disk {
  files: Files;
  open: Opener;
}

function withFile<Result>(
  { files, open }: Disk,
  path: string,
  work: (descriptor: number) => Result | null,
): Result | null {
  const descriptor = open(path);
  if (descriptor === null) return null;
  try {
    return work(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** The base offset in the header at the front of the file, -1 when there is none that could be one. */
function claimedOffset(files: Files, descriptor: number, header: Buffer): number {
  const got = files.read(descriptor, header, 0, header.length, 0);
  if (got < header.length || header[BATCH_MAGIC] !== MAGIC) return -1;
  const offset = Number(header.readBigInt64BE(0)); // anything may stand here, also what `readInt64` refuses
  return Number.isSafeInteger(offset) && offset >= 0 ? offset : -1;
}

interface Suspect {
  /** Base offset of the segment before it. */
  before: number;
  baseOffset: number;
  /** A copy may be of a segment far before `before`, and is read from there. */
  claimed: number;
}

function judge(disk: Disk, directory: string, suspect: Suspect, descriptor: number): StraySegment | null {
  const { files } = disk;
  const { before, baseOffset, claimed } = suspect;
  const bytes = files.size(descriptor);
  const start = claimed >= 0 && claimed < before ? claimed : before;
  const own = readOwn(files, descriptor, bytes, start, baseOffset);
  if (own.first === baseOffset) return null;
  const isCopy = own.count >= COPY_BATCHES_MIN && !own.reachesBase;
  if (!isCopy && !covers(disk, directory, before, baseOffset)) return null;
  const what =
    own.first < 0
      ? "holds no batch"
      : `begins with the batch of offset ${own.first}, as if it were a copy of another segment`;
  const reason = `a stray segment: it ${what}, and the log's own segments do not need it`;
  return { baseOffset, bytes, reason };
}

/** What batches a file has: the first one's base offset (-1: none), how many lie below `baseOffset`, whether one reaches it. */
function readOwn(files: Files, descriptor: number, bytes: number, offset: number, baseOffset: number) {
  const own = { first: -1, count: 0, reachesBase: false };
  const range = {
    start: 0,
    end: bytes,
    offset,
    offsetLimit: Number.POSITIVE_INFINITY,
    allowsGaps: true,
  };
  scanBatches(files, descriptor, range, {
    batch: (buffer, position) => {
      if (own.first < 0) own.first = batchBaseOffset(buffer, position);
      own.count += 1;
      own.reachesBase = batchLastOffset(buffer, position) >= baseOffset;
      return !own.reachesBase;
    },
    damage: () => undefined,
  });
  return own;
}

/** Whether the segment `before` has a batch at or after `offset` that goes on from the batch before it. */
function covers(disk: Disk, directory: string, before: number, offset: number): boolean {
  const { files } = disk;
  const found = withFile(disk, logPathOf(directory, before), (descriptor) => {
    let isCovered = false;
    let expected = before;
    const range = {
      start: 0,
      end: files.size(descriptor),
      offset: before,
      offsetLimit: Number.POSITIVE_INFINITY,
      allowsGaps: true,
    };
    scanBatches(files, descriptor, range, {
      batch: (buffer, position) => {
        const lastOffset = batchLastOffset(buffer, position);
        isCovered = batchBaseOffset(buffer, position) === expected && lastOffset >= offset;
        expected = lastOffset + 1;
        return !isCovered;
      },
      damage: () => undefined,
    });
    return isCovered;
  });
  return found === true;
}
