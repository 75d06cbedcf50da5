/** The state store in memory: a map, sorted when it is listed. For tests and for trying out; it dies with the process. */

import type {
  StateChange,
  StateEntry,
  StateListener,
  StateStore,
  StateUpdate,
  StateWatch,
} from "../contract.ts";
import { StateWatches } from "../state-watches.ts";

export class MemoryState implements StateStore {
  readonly refusal: string | null = null;
  readonly #entries = new Map<string, StateEntry>();
  readonly #watches = new StateWatches();
  /** No entry had a later one, also none that was removed. */
  #lastVersion = 0;

  async get(key: string): Promise<StateEntry | null> {
    const entry = this.#entries.get(key);
    return entry === undefined ? null : { ...entry };
  }

  async list(prefix: string): Promise<StateEntry[]> {
    const found: StateEntry[] = [];
    for (const entry of this.#entries.values()) if (entry.key.startsWith(prefix)) found.push({ ...entry });
    return found.sort(compareKeys);
  }

  async page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    const start = Buffer.from(after);
    const rest = (await this.list(prefix)).filter(({ key }) => Buffer.compare(Buffer.from(key), start) > 0);
    return rest.slice(0, countMax);
  }

  async change(changes: readonly StateChange[]): Promise<boolean> {
    const before = new Map(this.#entries);
    const lastVersion = this.#lastVersion;
    const updates: StateUpdate[] = [];
    for (const change of changes) {
      if (this.#apply(change)) {
        updates.push({ key: change.key, value: change.value, version: this.#lastVersion });
        continue;
      }
      this.#restore(before);
      this.#lastVersion = lastVersion;
      return false;
    }
    this.#watches.tell(updates);
    return true;
  }

  watch(prefix: string, listener: StateListener): StateWatch {
    return this.#watches.watch(prefix, listener);
  }

  async close(): Promise<void> {
    this.#watches.close();
    this.#entries.clear();
  }

  /** Changes of one call see each other, as statements of one transaction do. */
  #apply({ key, value, expectedVersion }: StateChange): boolean {
    const version = this.#entries.get(key)?.version ?? 0;
    if (expectedVersion !== undefined && expectedVersion !== version) return false;
    this.#lastVersion += 1;
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, { key, value, version: this.#lastVersion });
    return true;
  }

  #restore(before: ReadonlyMap<string, StateEntry>): void {
    this.#entries.clear();
    for (const [key, entry] of before) this.#entries.set(key, entry);
  }
}

/** The order of UTF-8 bytes, which every engine can give. */
function compareKeys(left: StateEntry, right: StateEntry): number {
  return Buffer.compare(Buffer.from(left.key), Buffer.from(right.key));
}
