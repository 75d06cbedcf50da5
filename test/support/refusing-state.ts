/** A state that refuses to be changed when the test says so: its disk is full, or a sync of it failed. */

import { ObeliskError } from "../../src/base/errors.ts";
import type { StateChange, StateEntry } from "../../src/storage/contract.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";

/** What a change fails with; with the second nothing can be read either. */
export const FULL = new ObeliskError("DISK_FULL");
export const UNUSABLE = new ObeliskError("STATE_UNUSABLE", { detail: "the state file could not be synced" });

export class RefusingState extends MemoryState {
  refuses: ObeliskError | null = null;

  override get(key: string): Promise<StateEntry | null> {
    return this.refuses === UNUSABLE ? Promise.reject(UNUSABLE) : super.get(key);
  }

  override change(changes: readonly StateChange[]): Promise<boolean> {
    return this.refuses === null ? super.change(changes) : Promise.reject(this.refuses);
  }
}
