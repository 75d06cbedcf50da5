/**
 * Opens a partition's directory: finds its segments (segment-finder.ts), reads what the log holds after the last checkpoint
 * (log-replay.ts), and determines where it ends (log-end.ts). What a crash or a disk has damaged is repaired. Damage is reported and never
 * stops the start.
 *
 *     checkpoint of the snapshot
 *            v
 *     [sealed][.....|== scanned with CRC, replayed to the owner ==]
 *                   ^ durableOffset, unless the last shutdown was clean
 *
 *   what is found                               what is done
 *   bytes at the end that are no valid batch    copied to quarantine, truncated, leader epoch bumped; what cannot be copied stays
 *   bytes in the middle that are no valid batch copied to quarantine, recorded as a hole, skipped by readers
 *   the log ends before its checkpoint          a new segment begins at the checkpoint's offset: no offset is assigned again
 *   snapshot missing or damaged                 the whole log is scanned
 *   a stray segment                             moved to quarantine (stray-segments.ts)
 *   a segment between others, or the first,     the missing offsets are recorded, as a hole of 0 bytes
 *   is missing
 *   nothing at all where a partition was        reported, and the partition begins anew
 *   a file that cannot be opened or read        the partition is offline, the others are not
 *
 * Sealed segments before the checkpoint were synced and are not read: opening takes as long as the data after the
 * checkpoint, not as the log. Damage in them is found by readers (reader.ts) and by `verify`.
 *
 * After an unclean shutdown the batches after the checkpoint were read from the page cache, and may be on the disk or not. They are
 * written again, and the log is returned with `durableOffset` before them: they must not be read or acknowledged before a sync, which
 * its owner requests. The leader epoch is bumped then also when nothing was truncated: bytes that were never synced may be gone without
 * a trace, and clients that had read further must find out (KIP-320).
 */

import { fail } from "../../../base/assert.ts";
import { errnoOf, ObeliskError } from "../../../base/errors.ts";
import { systemReason } from "../../../base/system-error.ts";
import type { RecoveryListener } from "../../contract.ts";
import type { LeaderEpochs } from "../../leader-epochs.ts";
import { PooledFile } from "../pool.ts";
import { logPathOf, Segment } from "../segment.ts";
import { SegmentIndex } from "../segment-index.ts";
import type { Checkpoint } from "../snapshot.ts";
import type { Store } from "../store.ts";
import { findGaps } from "./gaps.ts";
import { completeEnd, durableOffsetOf } from "./log-end.ts";
import { replayLog } from "./log-replay.ts";
import { type RecoveryCondition, RecoveryState } from "./recovery-state.ts";
import { findSegments } from "./segment-finder.ts";

/** After the checkpoint a power cut can take the end of a segment and leave the next one. */
const NEVER_SYNCED = "a power cut took them before they were synced, or a segment is missing";

export interface Recovered {
  directory: string;
  /** At least one; the last is the active one. Those that wait for a sync are dirty. */
  segments: Segment[];
  epochs: LeaderEpochs;
  startOffset: number;
  /** Batches between it and the end of the log wait for a sync. */
  durableOffset: number;
  checkpoint: Checkpoint | null;
  bytesSinceCheckpoint: number;
  /** `firstAtMs` of the active segment in the snapshot. */
  storedFirstAtMs: number;
  /** The log could not be opened: its bounds mean nothing. */
  isUnreadable: boolean;
  needsSnapshot: boolean;
  /** The first record needs a snapshot: its leader epoch is new. */
  isEpochNew: boolean;
  /** Directories whose entries may not be durable yet. */
  directoriesToSync: string[];
}

/** Opens the partition in `directory`, or creates it. @throws what `listener` throws */
export function recoverPartition(
  store: Store,
  directory: string,
  condition: RecoveryCondition,
  listener: RecoveryListener,
): Recovered {
  const state = new RecoveryState(store, directory, condition);
  let isUnreadable = false;
  try {
    findSegments(state);
    if (state.segments.length > 0) {
      replayLog(state, listener);
      recordGaps(state);
    }
    completeEnd(state, listener);
    syncDirectories(state);
  } catch (thrown) {
    goOffline(state, thrown);
    isUnreadable = true;
  }
  const recovered = resultOf(state, isUnreadable);
  if (!isUnreadable) check(recovered);
  return recovered;
}

/** Reported once: as holes of 0 bytes they are known from then on. */
function recordGaps(state: RecoveryState): void {
  const { store, segments, ends, snapshot, epochs, wasClean, checkpoint } = state;
  for (const { segment, start } of findGaps(store, segments, ends, snapshot, epochs)) {
    const { baseOffset, logPath } = segment;
    const detail = `the offsets ${start} to ${baseOffset - 1} are missing`;
    if (wasClean || baseOffset <= (checkpoint?.offset ?? 0))
      store.report(logPath, 0, 0, "offset-gap", `${detail}, as if a segment were gone`);
    else store.report(logPath, 0, 0, "torn-tail", `${detail}: ${NEVER_SYNCED}`);
    segment.addHole({ position: 0, bytes: 0 });
    state.hasChanged = true;
  }
}

/**
 * Where too many files were open the batches are synced already, and count as durable: no sync follows that would make the directory
 * entries of their files durable.
 */
function syncDirectories(state: RecoveryState): void {
  const { store, segments, wasClean, syncedOffset } = state;
  const active = segments.at(-1) ?? fail("a recovered partition has a segment");
  if (wasClean || active.endOffset <= syncedOffset || segments.some(({ isDirty }) => isDirty)) return;
  for (const path of directoriesToSync(state, active))
    store.pool.withRoom(path, () => store.files.syncDirectory(path));
}

/** What was written again needs no sync any more: the next start does it anew. */
function goOffline({ store, directory, segments }: RecoveryState, thrown: unknown): void {
  const errno = errnoOf(thrown);
  if (errno === undefined && !(thrown instanceof ObeliskError)) throw thrown;
  const reason = thrown instanceof Error ? systemReason(thrown) : String(thrown);
  store.report(directory, 0, 0, "unreadable", `the partition is offline: ${reason}`);
  for (const segment of segments) if (segment.isDirty) segment.markClean(store.pool);
  if (segments.length > 0) return;
  const index = SegmentIndex.growing(store.limits.indexIntervalBytes);
  segments.push(new Segment(directory, 0, new PooledFile(logPathOf(directory, 0), "read"), index));
}

function resultOf(state: RecoveryState, isUnreadable: boolean): Recovered {
  const { store, segments, snapshot, directory } = state;
  const active = segments.at(-1) ?? fail("a recovered partition has a segment");
  for (const segment of segments) if (!segment.isDirty) segment.syncedBytes = segment.bytes;
  active.index ??= SegmentIndex.growing(store.limits.indexIntervalBytes);
  active.firstAtMs = firstAtOf(state, active);
  return {
    directory,
    segments,
    epochs: state.epochs,
    startOffset: Math.max(snapshot?.startOffset ?? 0, segments[0]!.baseOffset),
    durableOffset: durableOffsetOf(state),
    checkpoint: state.checkpoint,
    bytesSinceCheckpoint: state.bytesScanned,
    storedFirstAtMs: snapshot?.firstAtMs ?? -1,
    isUnreadable,
    needsSnapshot: state.hasChanged && !isUnreadable,
    isEpochNew: state.isEpochNew,
    directoriesToSync: directoriesToSync(state, active),
  };
}

/** From the snapshot, which may be of the segment before; now when it has none. */
function firstAtOf({ store, snapshot }: RecoveryState, active: Segment): number {
  if (active.bytes === 0) return -1;
  const nowMs = store.clock.steadyMs();
  const firstAtMs = snapshot?.firstAtMs ?? -1;
  // Never ahead, though the clock may have been set back since.
  return firstAtMs === -1 ? nowMs : Math.min(firstAtMs, nowMs);
}

/** A checkpoint is written after a sync of the log: then its own directory entries were durable, and those of segments that had records. */
function directoriesToSync({ directory, wasClean, checkpoint }: RecoveryState, active: Segment): string[] {
  if (wasClean && active.bytes > 0) return [];
  if (checkpoint !== null) {
    const wasThere = checkpoint.segment === active.baseOffset && checkpoint.position > 0;
    return wasThere ? [] : [directory];
  }
  const parent = directory.slice(0, directory.lastIndexOf("/"));
  return [directory, parent, parent.slice(0, parent.lastIndexOf("/"))];
}

/** What the log relies on from now on. */
function check({ segments, startOffset, durableOffset, checkpoint }: Recovered): void {
  for (const [slot, { baseOffset, endOffset }] of segments.entries()) {
    if (!(endOffset >= baseOffset)) fail("a segment ends before it begins");
    const next = segments[slot + 1];
    if (next !== undefined && !(endOffset <= next.baseOffset)) fail("two segments hold the same offset");
  }
  const active = segments.at(-1)!;
  if (active.index === null || active.file.mode !== "update") fail("the last segment takes the next record");
  if (!(durableOffset <= active.endOffset)) fail("a log is durable beyond its end");
  if (!(durableOffset >= startOffset)) fail("a log begins after its durable offset");
  if (!(durableOffset >= (checkpoint?.offset ?? 0))) fail("a checkpoint is ahead of its log");
}
