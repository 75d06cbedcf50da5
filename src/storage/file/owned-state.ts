/**
 * The state of a data directory, as long as the directory is ours: once it is lost, changes are refused, because what is written
 * to it then goes to files that nobody finds at the next start. Reads go on.
 */

import type { ObeliskError } from "../../base/errors.ts";
import type { StateChange, StateEntry, StateStore } from "../contract.ts";

export class OwnedState implements StateStore {
  readonly #under: StateStore;
  readonly #loss: () => ObeliskError | null;

  /** `loss` is asked before each change and after it, so that none is answered that came too late. */
  constructor(under: StateStore, loss: () => ObeliskError | null) {
    this.#under = under;
    this.#loss = loss;
  }

  get refusal(): string | null {
    return this.#under.refusal;
  }

  get(key: string): Promise<StateEntry | null> {
    return this.#under.get(key);
  }

  list(prefix: string): Promise<StateEntry[]> {
    return this.#under.list(prefix);
  }

  page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    return this.#under.page(prefix, after, countMax);
  }

  async change(changes: readonly StateChange[]): Promise<boolean> {
    this.#check();
    const isDone = await this.#under.change(changes);
    this.#check();
    return isDone;
  }

  close(): Promise<void> {
    return this.#under.close();
  }

  #check(): void {
    const loss = this.#loss();
    if (loss !== null) throw loss;
  }
}
