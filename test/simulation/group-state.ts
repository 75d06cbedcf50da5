/**
 * The state store of one life of the coordinator: over entries that outlive it, in order, and no faster than the run lets it. A crash
 * loses what was not applied; what was applied and not told may come as a surprise.
 *
 *     change() -> [ waiting ] apply() -> entries, [ applied ] tell() -> resolves
 */

import { ObeliskError } from "../../src/base/errors.ts";
import type {
  StateChange,
  StateEntry,
  StateListener,
  StateStore,
  StateWatch,
} from "../../src/storage/contract.ts";

interface Call {
  readonly changes: readonly StateChange[];
  resolve(isApplied: boolean): void;
  reject(error: unknown): void;
}

export class GroupState implements StateStore {
  readonly refusal: string | null = null;
  readonly #entries: StateStore;
  readonly #waiting: Call[] = [];
  readonly #applied: Call[] = [];
  /** The disk is full. */
  isFull = false;

  constructor(entries: StateStore) {
    this.#entries = entries;
  }

  get isQuiet(): boolean {
    return this.#waiting.length + this.#applied.length === 0;
  }

  get(key: string): Promise<StateEntry | null> {
    return this.#entries.get(key);
  }

  list(prefix: string): Promise<StateEntry[]> {
    return this.#entries.list(prefix);
  }

  page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    return this.#entries.page(prefix, after, countMax);
  }

  change(changes: readonly StateChange[]): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
    });
  }

  /** The next call reaches the disk, or is refused by it. */
  async apply(): Promise<void> {
    const call = this.#waiting.shift();
    if (call === undefined) return;
    if (this.isFull) {
      call.reject(new ObeliskError("DISK_FULL"));
      return;
    }
    await this.#entries.change(call.changes);
    this.#applied.push(call);
  }

  /** The next call that reached the disk is told. */
  tell(): void {
    this.#applied.shift()?.resolve(true);
  }

  watch(prefix: string, listener: StateListener): StateWatch {
    return this.#entries.watch(prefix, listener);
  }

  async close(): Promise<void> {}
}
