/**
 * The first step of recovery: which segments a partition's directory has, and what its snapshot says of them. Nothing is read but
 * names, lengths and the snapshot; a stray segment (stray-segments.ts) goes to quarantine, and leftovers of an interrupted
 * replacement or removal are deleted.
 */

import { TEMPORARY_SUFFIX } from "../../../base/disk.ts";
import { errnoOf, ObeliskError } from "../../../base/errors.ts";
import { LeaderEpochs } from "../../leader-epochs.ts";
import { findStraySegments } from "../../stray-segments.ts";
import { PooledFile } from "../pool.ts";
import { quarantineFile } from "../quarantine.ts";
import { logPathOf, parseSegmentName, removeSegmentFiles, Segment, segmentName } from "../segment.ts";
import { decodeSnapshot, SNAPSHOT_FILE } from "../snapshot.ts";
import type { RecoveryState } from "./recovery-state.ts";

/** Makes the directory if need be and fills in `segments`, `snapshot` and `epochs`. @throws system errors, ObeliskError */
export function findSegments(state: RecoveryState): void {
  const found = listIfThere(state);
  if (found === null) {
    refuseDanglingLink(state);
    state.store.files.makeDirectory(state.directory);
  }
  const names = found ?? [];
  const bases = basesOf(state, names);
  readSnapshot(state, names.includes(SNAPSHOT_FILE));
  addSegments(state, bases);
  recordHoles(state);
  finishDrop(state, names);
  if (state.segments.length === 0) reportIfMissing(state, found === null);
}

/** The names in the directory; null when there is none. */
function listIfThere({ store, directory }: RecoveryState): string[] | null {
  try {
    return store.pool.withRoom(directory, () => store.files.list(directory));
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
    return null;
  }
}

/** The disk that the link leads to may come back: nothing is created in its place. */
function refuseDanglingLink({ store, directory }: RecoveryState): void {
  const { files, root } = store;
  for (let path = directory; path.length > root.length; path = path.slice(0, path.lastIndexOf("/"))) {
    if (!files.isLink(path) || files.exists(path)) continue;
    const detail = `${store.relative(path)} is a link that leads nowhere`;
    throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail });
  }
}

/** The base offsets of the segments, ascending; stray segments are quarantined. */
function basesOf(state: RecoveryState, names: readonly string[]): number[] {
  const { store, directory } = state;
  const found = logBases(state, names);
  const open = (path: string) => store.pool.withRoom(path, () => store.files.open(path, "read"));
  const straySegments = findStraySegments(store.files, open, directory, found);
  for (const { baseOffset, bytes, reason } of straySegments) {
    const outcome = quarantineStraySegment(state, baseOffset, reason);
    store.report(logPathOf(directory, baseOffset), 0, bytes, "unknown-file", reason + outcome);
  }
  return found.filter((base) => !straySegments.some(({ baseOffset }) => baseOffset === base));
}

/**
 * The base offsets of the log files, ascending; removes leftovers of interrupted replacements. A snapshot's temporary file
 * stays until the next snapshot replaces it: a kill may leave thousands, and a disk that discards takes 5 ms for each.
 */
function logBases({ store, directory }: RecoveryState, names: readonly string[]): number[] {
  const bases: number[] = [];
  for (const name of names) {
    const isTemporary = name.endsWith(TEMPORARY_SUFFIX);
    if (isTemporary && name !== SNAPSHOT_FILE + TEMPORARY_SUFFIX)
      store.files.removeFile(`${directory}/${name}`);
    const parsed = parseSegmentName(name);
    if (parsed?.suffix === "log") bases.push(parsed.baseOffset);
    else if (parsed === null && name !== SNAPSHOT_FILE && !isTemporary) {
      const detail = "not a file of a partition; left alone";
      store.report(`${directory}/${name}`, 0, 0, "unknown-file", detail);
    }
  }
  return bases.sort((left, right) => left - right);
}

/** Moves the files of that name, the log last. What cannot be moved stays, and does not count as a segment either. */
function quarantineStraySegment(
  { store, directory }: RecoveryState,
  baseOffset: number,
  reason: string,
): string {
  const { files, root } = store;
  let target = "";
  try {
    for (const suffix of ["index", "timeindex", "log"]) {
      const path = `${directory}/${segmentName(baseOffset)}.${suffix}`;
      if (files.exists(path)) target = quarantineFile(files, root, store.relative(path), reason);
    }
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === undefined && !(thrown instanceof ObeliskError)) throw thrown;
    return `; it could not be moved to quarantine (${errno ?? "refused"}) and is left alone`;
  }
  return `; moved to ${target}`;
}

function readSnapshot(state: RecoveryState, hasFile: boolean): void {
  const { store, directory } = state;
  const journaled = store.snapshots.journaled(directory);
  if (journaled !== undefined) {
    state.snapshot = decodeSnapshot(journaled);
    state.epochs = new LeaderEpochs(state.snapshot.epochs);
    return;
  }
  if (!hasFile) return;
  const path = `${directory}/${SNAPSHOT_FILE}`;
  const content = store.pool.withRoom(path, () => store.files.readFile(path));
  try {
    state.snapshot = decodeSnapshot(content);
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    const target = quarantineFile(store.files, store.root, store.relative(path), thrown.message);
    const detail = `${thrown.message}; moved to ${target}, the log is read instead`;
    store.report(path, 0, content.length, "damaged-snapshot", detail);
    return;
  }
  state.epochs = new LeaderEpochs(state.snapshot.epochs);
}

/** Those from the checkpoint's on may be written again; sealed ones before it are only read. */
function addSegments(state: RecoveryState, bases: readonly number[]): void {
  const { store, directory, snapshot, wasClean } = state;
  const checkpoint = snapshot?.checkpoint ?? null;
  const rewritten = wasClean ? bases.length - 1 : slotOf(bases, checkpoint?.segment ?? 0);
  for (const [slot, base] of bases.entries()) {
    const path = logPathOf(directory, base);
    const file = new PooledFile(path, slot >= rewritten ? "update" : "read");
    const segment = new Segment(directory, base, file, null);
    segment.bytes = store.files.fileSize(path);
    segment.endOffset = bases[slot + 1] ?? base;
    segment.hasOldTimes = snapshot !== null && base < snapshot.timesFrom;
    segment.resetVerified();
    state.segments.push(segment);
  }
}

/** The segment of that base offset, or the last one that begins before it. */
function slotOf(bases: readonly number[], baseOffset: number): number {
  return Math.max(
    bases.findLastIndex((base) => base <= baseOffset),
    0,
  );
}

function recordHoles({ segments, snapshot }: RecoveryState): void {
  for (const { segment: base, position, bytes } of snapshot?.holes ?? []) {
    const segment = segments.find((candidate) => candidate.baseOffset === base);
    if (segment !== undefined && (position < segment.bytes || bytes === 0))
      segment.addHole({ position, bytes });
  }
}

/**
 * Deletes segments that were dropped before a crash: the snapshot says that the log starts after them. Those after the checkpoint are
 * replayed before they leave (log-start.ts). An index that was left without its log goes too.
 */
function finishDrop({ store, directory, segments, snapshot }: RecoveryState, names: readonly string[]): void {
  if (snapshot === null) return;
  const { startOffset, checkpoint } = snapshot;
  const bound = Math.min(startOffset, checkpoint?.offset ?? startOffset);
  while (segments.length > 1 && segments[0]!.endOffset <= bound) {
    removeSegmentFiles(store.files, segments.shift()!);
  }
  const kept = new Set(names);
  for (const name of names) {
    const parsed = parseSegmentName(name);
    if (parsed === null || parsed.suffix === "log" || parsed.baseOffset >= startOffset) continue;
    const path = `${directory}/${name}`;
    if (!kept.has(`${segmentName(parsed.baseOffset)}.log`) && store.files.exists(path))
      store.files.removeFile(path);
  }
}

/** A creation that a crash interrupted leaves nothing in its directory, and is no loss. */
function reportIfMissing({ store, directory, snapshot, mustExist, wasClean }: RecoveryState, isNew: boolean) {
  if (snapshot !== null || !mustExist || !(isNew || wasClean)) return;
  const what = isNew ? "its directory is missing" : "its directory is empty";
  const detail = `the partition existed before, and ${what}: its records are lost, and it begins anew, empty`;
  store.report(directory, 0, 0, "missing-partition", detail);
}
