/**
 * What takes away the rows of a group whose name has become another one's, or nobody's, as long as the store has not taken it: it goes with
 * whatever is stored next under the name, in one piece and first. So what the disk refuses is late, and never forgotten.
 */

import { fail } from "../base/assert.ts";
import type { StateChange, StateStore } from "../storage/contract.ts";

export class OwedChanges {
  readonly #state: StateStore;
  readonly #byName = new Map<string, readonly StateChange[]>();

  constructor(state: StateStore) {
    this.#state = state;
  }

  /** A group that stood in the way of another one is given up: there can be only one. */
  owe(name: string, changes: readonly StateChange[]): void {
    if (this.#byName.has(name)) fail("a group of another kind was given up twice");
    this.#byName.set(name, changes);
  }

  /** As `owe`, after what is owed already. */
  add(name: string, changes: readonly StateChange[]): void {
    this.#byName.set(name, [...(this.#byName.get(name) ?? []), ...changes]);
  }

  /** Nothing is owed here any more: who takes it stores it. */
  take(name: string): readonly StateChange[] {
    const owed = this.#byName.get(name) ?? [];
    this.#byName.delete(name);
    return owed;
  }

  /** Stores what is owed, and then the changes, in one piece. @throws ObeliskError of the store; it is owed still then */
  async change(name: string, changes: readonly StateChange[]): Promise<void> {
    const owed = this.#byName.get(name);
    await this.#state.change([...(owed ?? []), ...changes]);
    if (owed !== undefined && this.#byName.get(name) === owed) this.#byName.delete(name);
  }

  /** Stores what is owed; null: nothing is. @throws ObeliskError of the store; it is owed still then */
  settle(name: string): Promise<void> | null {
    return this.#byName.has(name) ? this.change(name, []) : null;
  }
}
