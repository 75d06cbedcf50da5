/** A state whose disk is full when the test says so. */

import { ObeliskError } from "../../src/base/errors.ts";
import type { StateChange } from "../../src/storage/contract.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";

export class FullState extends MemoryState {
  isFull = false;

  override change(changes: readonly StateChange[]): Promise<boolean> {
    return this.isFull ? Promise.reject(new ObeliskError("DISK_FULL")) : super.change(changes);
  }
}
