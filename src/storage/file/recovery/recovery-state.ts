/**
 * What the steps of one partition's recovery share: what was found so far, and what it means for the end of the log. Each step has
 * a file of its own, and recovery.ts says in which order they run.
 */

import { LeaderEpochs } from "../../leader-epochs.ts";
import type { Segment } from "../segment.ts";
import type { Checkpoint, Snapshot } from "../snapshot.ts";
import type { Store } from "../store.ts";

export interface RecoveryCondition {
  /** The last shutdown was clean: everything in the directory was synced. */
  wasClean: boolean;
  /** The partition existed before: an empty directory is a loss. */
  mustExist: boolean;
  /** The page cache may show bytes that the disk does not hold: what is scanned must be read from the disk. */
  mustEvict: boolean;
}

export class RecoveryState {
  readonly store: Store;
  readonly directory: string;
  readonly wasClean: boolean;
  readonly mustExist: boolean;
  readonly mustEvict: boolean;
  /** Ascending; the last is the active one. */
  segments: Segment[] = [];
  epochs = new LeaderEpochs();
  snapshot: Snapshot | null = null;
  /** The offset after the last batch of each segment that was scanned; -1 after damage. */
  readonly ends = new Map<Segment, number>();
  bytesScanned = 0;
  /** Something was lost: the leader epoch is bumped. */
  hasLost = false;
  /** The last segment takes no more: it ends in damaged bytes that could not be copied. */
  mustRoll = false;
  /** Something is not in the snapshot yet, and another start would do it all over again. */
  hasChanged = false;
  /** A leader epoch begins with the next record. */
  isEpochNew = false;

  constructor(store: Store, directory: string, condition: RecoveryCondition) {
    this.store = store;
    this.directory = directory;
    this.wasClean = condition.wasClean;
    this.mustExist = condition.mustExist;
    this.mustEvict = condition.mustEvict;
  }

  get checkpoint(): Checkpoint | null {
    return this.snapshot?.checkpoint ?? null;
  }

  /** Everything below it was certainly synced by the last owner. */
  get syncedOffset(): number {
    return Math.max(this.checkpoint?.offset ?? 0, this.snapshot?.startOffset ?? 0);
  }
}
