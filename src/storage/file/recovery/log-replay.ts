/**
 * The second step of recovery: reads what the log holds after its last checkpoint, batch by batch with CRC, and hands it to the owner.
 * The index of each segment that is read grows with it. Without a checkpoint, or with one that means nothing to the owner, it reads all.
 *
 *     checkpoint's segment              rolled since                 active
 *     [ synced, not read ][== read ==]  [========= read =========]   [==== read ====][ torn: cut off ]
 *
 *   - After an unclean shutdown everything after the checkpoint is written again (rewriter.ts) and left dirty: the sync that
 *     follows covers it, a truncated tail with it. Only when too many files wait for that already it is synced here.
 *   - Bytes that are no valid batch are copied to quarantine. At the end of the log they are then truncated; elsewhere, and where they could
 *     not be copied, they stay and are recorded as a hole.
 */

import { errnoOf, ObeliskError } from "../../../base/errors.ts";
import { batchBaseOffset, batchLeaderEpoch } from "../../../protocol/record/batch.ts";
import type { RecoveryListener } from "../../contract.ts";
import { scanBatches } from "../../scan.ts";
import { indexBatch } from "../index-builder.ts";
import { extendsCopies, type IndexBytes, readCopies } from "../index-copies.ts";
import { isUnindexed, type Segment } from "../segment.ts";
import { SegmentIndex } from "../segment-index.ts";
import { type Checkpoint, SNAPSHOT_FILE } from "../snapshot.ts";
import type { RecoveryState } from "./recovery-state.ts";
import { Rewriter } from "./rewriter.ts";

const NO_ENTRIES = Buffer.alloc(0);
/** An epoch in a batch that is further ahead than this is damage: the field lies outside the CRC. */
const EPOCH_STEP_MAX = 1000;

/** Bytes at the end of a segment that are no valid batch. */
interface Tail {
  position: number;
  bytes: number;
  reason: string;
}

interface Place {
  position: number;
  offset: number;
}

/** Whoever gets the batches at and after `from`. */
interface Owner {
  listener: RecoveryListener;
  from: number;
}

/** There is at least one segment. @throws what `listener` throws, system errors, ObeliskError */
export function replayLog(state: RecoveryState, listener: RecoveryListener): void {
  const { segments } = state;
  const checkpoint = restoreOwner(state, listener);
  let { slot, position, offset } = startOf(segments, checkpoint);
  for (; slot < segments.length; slot += 1) {
    const segment = segments[slot]!;
    segment.index = SegmentIndex.growing(state.store.limits.indexIntervalBytes);
    const copies = position > 0 ? restoreIndex(state, segment, position, checkpoint!) : null;
    segment.hasOldTimes = false;
    if (position === segment.bytes) recordEnd(state, segment, offset, offset);
    else replaySegment(state, segment, { position, offset }, { listener, from: checkpoint?.offset ?? 0 });
    if (copies === null || !extendsCopies(segment.index!, copies)) removeIndexFiles(state, segment);
    position = 0;
    offset = segments[slot + 1]?.baseOffset ?? 0;
  }
}

/** The checkpoint that the replay begins at. Null: there is none, or its state means nothing to the owner, who needs the whole log then. */
function restoreOwner(
  { store, directory, checkpoint }: RecoveryState,
  listener: RecoveryListener,
): Checkpoint | null {
  if (checkpoint === null) return null;
  try {
    listener.restore(checkpoint.state);
    return checkpoint;
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    const detail = `${thrown.message}; the whole log is read instead`;
    store.report(`${directory}/${SNAPSHOT_FILE}`, 0, checkpoint.state.length, "damaged-snapshot", detail);
    return null;
  }
}

/** At the checkpoint if its place is there, else at the front of the last segment that begins at or before it. */
function startOf(
  segments: readonly Segment[],
  checkpoint: Checkpoint | null,
): { slot: number; position: number; offset: number } {
  const found = segments.findLastIndex(({ baseOffset }) => baseOffset <= (checkpoint?.segment ?? 0));
  const slot = Math.max(found, 0);
  const { baseOffset, bytes } = segments[slot]!;
  const isThere = checkpoint !== null && checkpoint.segment === baseOffset && bytes >= checkpoint.position;
  if (!isThere) return { slot, position: 0, offset: baseOffset };
  return { slot, position: checkpoint.position, offset: checkpoint.offset };
}

/** A short segment's index has no entries, and its copy is not worth a read. */
function storedIndex({ store }: RecoveryState, segment: Segment, position: number) {
  if (position <= store.limits.indexIntervalBytes) return { offsets: NO_ENTRIES, times: NO_ENTRIES };
  return store.pool.withRoom(segment.indexPath, () => readCopies(store, segment, position));
}

/** The index of the checkpoint's segment up to there: from its copies, which are returned, else from the log. */
function restoreIndex(
  state: RecoveryState,
  segment: Segment,
  position: number,
  checkpoint: Checkpoint,
): IndexBytes | null {
  const { store } = state;
  const stored = segment.hasOldTimes ? null : storedIndex(state, segment, position);
  if (stored !== null) {
    const { maxTimestamp, maxTimestampOffset } = checkpoint;
    segment.index!.restore(stored.offsets, stored.times, position, maxTimestamp, maxTimestampOffset);
    const bytes = segment.index!.offsets.length + segment.index!.times.length;
    if (bytes === stored.offsets.length + stored.times.length) segment.index!.copiedBytes = bytes;
    return stored;
  }
  const range = {
    start: 0,
    end: position,
    offset: segment.baseOffset,
    offsetLimit: checkpoint.offset,
    allowsGaps: true,
  };
  scanBatches(store.files, store.pool.use(segment.file), range, {
    batch: (buffer, at, end, filePosition) => {
      indexBatch(segment.index!, segment.baseOffset, buffer, at, end, filePosition);
      return true;
    },
    damage: (at, bytes, reason) => recordHole(state, segment, at, bytes, reason),
  });
  if (segment.hasOldTimes || segment.index!.offsets.length === 0) return null;
  if (isUnindexed(store.files, segment)) return null;
  store.report(segment.indexPath, 0, segment.index!.offsets.length, "missing-index", "rebuilt from the log");
  return null;
}

function replaySegment(state: RecoveryState, segment: Segment, start: Place, owner: Owner): void {
  const { store } = state;
  const descriptor = store.pool.use(segment.file);
  segment.pin();
  try {
    if (state.mustEvict) evictLost(state, descriptor);
    scanSegment(state, segment, descriptor, start, owner);
    segment.verifiedStart = start.position;
    segment.verifiedEnd = segment.bytes;
    segment.syncedBytes = start.position;
    if (!segment.isDirty || !store.pool.isCrowded) return;
    store.files.syncNow(descriptor);
    segment.markClean(store.pool);
  } finally {
    segment.unpin(store.pool);
  }
}

/** Makes the scan read what the disk holds. A failed write-back is reported here, where it is ignored, and not to the sync that follows. */
function evictLost({ store }: RecoveryState, descriptor: number): void {
  try {
    store.files.syncNow(descriptor);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
  store.files.evict(descriptor);
}

function scanSegment(
  state: RecoveryState,
  segment: Segment,
  descriptor: number,
  start: Place,
  owner: Owner,
): void {
  const isLast = segment === state.segments.at(-1);
  const { files } = state.store;
  const rewriter = state.wasClean ? null : new Rewriter(files, descriptor, segment.bytes - start.position);
  const syncedOffset = state.checkpoint?.offset ?? 0;
  const range = {
    start: start.position,
    end: segment.bytes,
    offset: start.offset,
    offsetLimit: isLast ? Number.POSITIVE_INFINITY : segment.endOffset,
    allowsGaps: !isLast,
  };
  let tail: Tail | null = null;
  const end = scanBatches(files, descriptor, range, {
    batch: (buffer, at, batchEnd, filePosition) => {
      indexBatch(segment.index!, segment.baseOffset, buffer, at, batchEnd, filePosition);
      // The snapshot may be older than a truncation, and later batches lie where the damage was.
      if (segment.dropHoles(filePosition, filePosition + batchEnd - at)) state.hasChanged = true;
      state.bytesScanned += batchEnd - at;
      const baseOffset = batchBaseOffset(buffer, at);
      recordEpoch(state, batchLeaderEpoch(buffer, at), baseOffset);
      if (baseOffset >= owner.from) owner.listener.replay(buffer, at, batchEnd);
      if (rewriter === null || baseOffset < syncedOffset) return true;
      if (!segment.isDirty) segment.markDirty();
      rewriter.add(buffer, at, batchEnd, filePosition);
      return true;
    },
    damage: (position, bytes, reason, isTail) => {
      if (isTail) tail = { position, bytes, reason };
      if (!isTail || !isLast) recordHole(state, segment, position, bytes, reason);
    },
  });
  rewriter?.flush();
  recordEnd(state, segment, end, tail === null ? end : -1);
  if (isLast && tail !== null) cutTail(state, segment, descriptor, tail);
}

/** `told`: the end for the search for gaps, -1 where it is unknown. */
function recordEnd({ segments, ends }: RecoveryState, segment: Segment, end: number, told: number): void {
  ends.set(segment, told);
  if (segment === segments.at(-1)) segment.endOffset = end;
}

function recordEpoch({ epochs }: RecoveryState, epoch: number, offset: number): void {
  if (epoch - epochs.current <= EPOCH_STEP_MAX) epochs.record(epoch, offset);
}

function recordHole(
  state: RecoveryState,
  segment: Segment,
  position: number,
  bytes: number,
  reason: string,
): void {
  const known = segment.holeFrom(position);
  if (known?.position === position && known.bytes === bytes) return;
  const { store } = state;
  const descriptor = () => store.pool.use(segment.file);
  const { outcome } = store.quarantine(segment.logPath, descriptor, position, bytes, reason);
  store.report(segment.logPath, position, bytes, "damaged-batch", reason + outcome);
  segment.addHole({ position, bytes });
  state.hasChanged = true;
}

/** Truncates the tail once it is copied. What could not be copied stays, and the log continues in another segment. */
function cutTail(
  state: RecoveryState,
  segment: Segment,
  descriptor: number,
  { position, bytes, reason }: Tail,
): void {
  const { store } = state;
  const { refusal, outcome } = store.quarantine(segment.logPath, () => descriptor, position, bytes, reason);
  const what = refusal === null ? "cut off" : "left in its place";
  store.report(segment.logPath, position, bytes, "torn-tail", `${reason}; ${what}${outcome}`);
  state.hasLost = true;
  if (refusal !== null) {
    segment.addHole({ position, bytes });
    state.mustRoll = true;
    return;
  }
  store.files.truncate(descriptor, position);
  if (!segment.isDirty) segment.markDirty();
  segment.bytes = position;
  segment.dropHoles(position, Number.POSITIVE_INFINITY);
  removeIndexFiles(state, segment);
}

function removeIndexFiles({ store }: RecoveryState, segment: Segment): void {
  const { files } = store;
  for (const path of [segment.indexPath, segment.timeIndexPath])
    if (files.exists(path)) files.removeFile(path);
  if (segment.index !== null) segment.index.copiedBytes = -1;
}
