/** A state store in a map, whose writes can be held back and failed, so that tests decide what is durable when. */

import type { StateChange, StateEntry, StateStore, StateWatch } from "../../src/storage/contract.ts";

export class HeldStateStore implements StateStore {
  readonly #entries = new Map<string, StateEntry>();
  readonly #waiting: (() => void)[] = [];
  /** While true, changes wait for `release`. */
  isHeld = false;
  failure: Error | null = null;
  /** Called for each change before it is made or refused. */
  onChange: ((changes: readonly StateChange[]) => void) | null = null;
  changeCount = 0;
  readonly refusal = null;

  get waitingCount(): number {
    return this.#waiting.length;
  }

  async get(key: string): Promise<StateEntry | null> {
    return this.#entries.get(key) ?? null;
  }

  async list(prefix: string): Promise<StateEntry[]> {
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
    return entries.sort((left, right) => (left.key < right.key ? -1 : 1));
  }

  async page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    return (await this.list(prefix)).filter(({ key }) => key > after).slice(0, countMax);
  }

  async change(changes: readonly StateChange[]): Promise<boolean> {
    this.changeCount += 1;
    this.onChange?.(changes);
    if (this.isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.failure !== null) throw this.failure;
    for (const { key, expectedVersion } of changes) {
      if (expectedVersion !== undefined && (this.#entries.get(key)?.version ?? 0) !== expectedVersion)
        return false;
    }
    for (const { key, value } of changes) {
      const version = (this.#entries.get(key)?.version ?? 0) + 1;
      if (value === null) this.#entries.delete(key);
      else this.#entries.set(key, { key, value, version });
    }
    return true;
  }

  watch(): StateWatch {
    throw new Error("nothing watches a state that is held back");
  }

  async close(): Promise<void> {}

  /** Lets the change at `index` of those that wait go on. */
  release(index = 0): void {
    this.#waiting.splice(index, 1)[0]?.();
  }

  put(key: string, value: string): void {
    this.#entries.set(key, { key, value, version: 1 });
  }
}
