/** A state that takes nothing any more, from when the test says so, as after a sync of it that failed. */

import { ObeliskError } from "../../src/base/errors.ts";
import type { StateChange, StateEntry } from "../../src/storage/contract.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";

export class UnusableState extends MemoryState {
  isUnusable = false;

  override get(key: string): Promise<StateEntry | null> {
    return this.isUnusable ? Promise.reject(refusal()) : super.get(key);
  }

  override change(changes: readonly StateChange[]): Promise<boolean> {
    return this.isUnusable ? Promise.reject(refusal()) : super.change(changes);
  }
}

function refusal(): ObeliskError {
  return new ObeliskError("STATE_UNUSABLE", { detail: "the state file could not be synced" });
}
