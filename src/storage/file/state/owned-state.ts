/**
 * The state of a data directory while this process owns the directory: once it is lost, changes are refused, because they would go to
 * files that the next start does not find, and watchers are not told of them. Reads still work.
 *
 * A failure of the state file is reported to the operator here, once for each reason: clients only get a retriable error.
 */

import { type ErrorCode, ObeliskError } from "../../../base/errors.ts";
import type { StateChange, StateEntry, StateListener, StateStore, StateWatch } from "../../contract.ts";

/** A full disk is reported elsewhere, and passes. */
const TOLD: ReadonlySet<ErrorCode> = new Set(["STATE_UNUSABLE", "DAMAGED_DATA"]);

export class OwnedState implements StateStore {
  readonly #under: StateStore;
  readonly #loss: () => ObeliskError | null;
  readonly #failed: (reason: string) => void;
  #toldReason = "";
  #isClosing = false;

  /**
   * `loss` is called before each change and after it, so that none is acknowledged that came too late. `failed` is called with the
   * reason when the state file cannot be used.
   */
  constructor(under: StateStore, loss: () => ObeliskError | null, failed: (reason: string) => void) {
    this.#under = under;
    this.#loss = loss;
    this.#failed = failed;
  }

  get refusal(): string | null {
    return this.#under.refusal;
  }

  get(key: string): Promise<StateEntry | null> {
    return this.#telling(this.#under.get(key));
  }

  list(prefix: string): Promise<StateEntry[]> {
    return this.#telling(this.#under.list(prefix));
  }

  page(prefix: string, after: string, countMax: number): Promise<StateEntry[]> {
    return this.#telling(this.#under.page(prefix, after, countMax));
  }

  async change(changes: readonly StateChange[]): Promise<boolean> {
    this.#check();
    const isDone = await this.#telling(this.#under.change(changes));
    this.#check();
    return isDone;
  }

  watch(prefix: string, listener: StateListener): StateWatch {
    return this.#under.watch(prefix, {
      changed: (updates) => {
        if (this.#loss() === null) listener.changed(updates);
      },
      listAgain: () => listener.listAgain(),
    });
  }

  close(): Promise<void> {
    this.#isClosing = true;
    return this.#under.close();
  }

  async #telling<Result>(requested: Promise<Result>): Promise<Result> {
    try {
      return await requested;
    } catch (thrown) {
      if (thrown instanceof ObeliskError && TOLD.has(thrown.code) && !this.#isClosing)
        this.#tell(thrown.message);
      throw thrown;
    }
  }

  #tell(reason: string): void {
    if (reason === this.#toldReason) return;
    this.#toldReason = reason;
    this.#failed(reason);
  }

  #check(): void {
    const loss = this.#loss();
    if (loss !== null) throw loss;
  }
}
