/**
 * The state store of one life: over entries that outlive it, as slow as the scheduler says. A change that a crash meets on its way
 * is there afterwards or not, as a transaction is.
 */

import { ObeliskError } from "../../src/base/errors.ts";
import type {
  StateChange,
  StateEntry,
  StateListener,
  StateStore,
  StateWatch,
} from "../../src/storage/contract.ts";

export interface StateConditions {
  delay(label: string): Promise<void>;
  /** Why the next change is refused, or null. */
  refusal(): string | null;
}

export class SimulatedState implements StateStore {
  readonly refusal: string | null = null;
  readonly #entries: StateStore;
  readonly #conditions: StateConditions;

  constructor(entries: StateStore, conditions: StateConditions) {
    this.#entries = entries;
    this.#conditions = conditions;
  }

  async get(key: string): Promise<StateEntry | null> {
    return await this.#entries.get(key);
  }

  async list(prefix: string): Promise<StateEntry[]> {
    return await this.#entries.list(prefix);
  }

  async page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    return await this.#entries.page(prefix, after, countMax);
  }

  async change(changes: readonly StateChange[]): Promise<boolean> {
    await this.#conditions.delay("state, to be changed");
    const detail = this.#conditions.refusal();
    if (detail !== null) throw new ObeliskError("DISK_FULL", { detail });
    const isDone = await this.#entries.change(changes);
    await this.#conditions.delay("state, changed");
    return isDone;
  }

  watch(prefix: string, listener: StateListener): StateWatch {
    return this.#entries.watch(prefix, listener);
  }

  /** The entries stay for the next life. */
  async close(): Promise<void> {}
}
