/**
 * The state of a data directory, as long as the directory is ours: once it is lost, changes are refused, because what is written
 * to it then goes to files that nobody finds at the next start, and is not told to who watches. Reads go on.
 *
 * That the state file itself fails is told to the operator here, once for each reason: clients only hear that they shall try again.
 */

import { type ErrorCode, ObeliskError } from "../../../base/errors.ts";
import type { StateChange, StateEntry, StateListener, StateStore, StateWatch } from "../../contract.ts";

/** A disk that is full has its own ways to be told, and comes back. */
const TOLD: ReadonlySet<ErrorCode> = new Set(["STATE_UNUSABLE", "DAMAGED_DATA"]);

export class OwnedState implements StateStore {
  readonly #under: StateStore;
  readonly #loss: () => ObeliskError | null;
  readonly #failed: (reason: string) => void;
  #toldReason = "";
  #isClosing = false;

  /**
   * `loss` is asked before each change and after it, so that none is answered that came too late. `failed` hears why the state file
   * cannot be used.
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
