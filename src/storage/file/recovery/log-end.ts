/** The last step of recovery: where the log ends, which leader epoch its next record has, and how much of it is certainly durable. */

import { ObeliskError } from "../../../base/errors.ts";
import type { RecoveryListener } from "../../contract.ts";
import { logPathOf, Segment } from "../segment.ts";
import { SegmentIndex } from "../segment-index.ts";
import type { RecoveryState } from "./recovery-state.ts";

/** Makes sure that there is an active segment whose next offset was never assigned. @throws system errors, ObeliskError */
export function completeEnd(state: RecoveryState, listener: RecoveryListener): void {
  const last = state.segments.at(-1);
  const endOffset = last?.endOffset ?? 0;
  const floor = state.syncedOffset;
  if (last === undefined || endOffset < floor) {
    if (floor > 0) reportLoss(state, last, endOffset, floor);
    if (floor > 0) listener.lost(endOffset);
    begin(state, Math.max(endOffset, floor));
  } else if (state.mustRoll) begin(state, endOffset);
  advanceEpoch(state);
}

/** Offsets below it are durable: those after it were only read, and wait for a sync. */
export function durableOffsetOf({ segments, wasClean, syncedOffset }: RecoveryState): number {
  const { endOffset } = segments.at(-1)!;
  if (wasClean || !segments.some((segment) => segment.isDirty)) return endOffset;
  return Math.min(Math.max(syncedOffset, segments[0]!.baseOffset), endOffset);
}

function reportLoss(state: RecoveryState, last: Segment | undefined, endOffset: number, floor: number): void {
  const path = last?.logPath ?? state.directory;
  const detail = `the log ends at offset ${endOffset}, but was synced up to ${floor}; those offsets are lost`;
  state.store.report(path, last?.bytes ?? 0, 0, "offset-gap", detail);
  state.hasLost = true;
}

function begin({ store, segments, directory }: RecoveryState, baseOffset: number): void {
  const old = segments.at(-1);
  if (old?.baseOffset === baseOffset) {
    const detail =
      "the log ends in bytes that are no valid batch, and they could not be copied to quarantine";
    throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail, file: store.relative(old.logPath) });
  }
  if (old !== undefined) old.endOffset = baseOffset;
  const file = store.pool.create(logPathOf(directory, baseOffset));
  const index = SegmentIndex.growing(store.limits.indexIntervalBytes);
  segments.push(new Segment(directory, baseOffset, file, index));
}

/**
 * An epoch that began after the end began in records that are lost; its number is not used again. One that begins now is stored in the
 * snapshot when its first record is written: a start before that begins the same one again.
 */
function advanceEpoch(state: RecoveryState): void {
  const { epochs, segments } = state;
  const { endOffset } = segments.at(-1)!;
  if (epochs.starts.length === 0) epochs.record(0, segments[0]!.baseOffset);
  if (epochs.starts.at(-1)!.startOffset > endOffset) epochs.truncate(endOffset);
  const hasData = segments.some((segment) => segment.bytes > 0);
  if (state.hasLost) state.hasChanged = true;
  else if (state.wasClean || !hasData) return;
  epochs.bump(endOffset);
  state.isEpochNew = true;
}
