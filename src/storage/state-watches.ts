/**
 * Who watches a state store, and which updates each of them has still to be told. Both stores of this process use it.
 *
 *     change is durable -> tell(updates) -> by prefix -> what is pending of each watch -> listener
 *
 *   - Everything is told in the turn in which it became durable, so nothing gathers here. Only what a listener causes itself while it
 *     is being told waits, until the others have heard what came before.
 *   - More than `UPDATES_MAX` at once are not told one by one: the listener is told to list again.
 *   - A listener that throws is a bug of our own. Its watch is over, the others are told all the same, and the change stands; what
 *     it threw becomes a rejection that nobody catches, which ends the process.
 */

import { fail } from "../base/assert.ts";
import type { StateListener, StateUpdate, StateWatch } from "./contract.ts";

/** Updates that a listener hears at once: as many changes as a usual transaction has, and less than a millisecond of a turn. */
export const UPDATES_MAX = 1024;
/** Each part of the broker that keeps a view has one or two. More are watches that nobody cancels. */
const WATCHES_MAX = 64;

export class StateWatches {
  readonly #watches = new Set<Watch>();
  #isTelling = false;

  watch(prefix: string, listener: StateListener): StateWatch {
    if (!(this.#watches.size < WATCHES_MAX)) fail("too many watches of the state: some were never cancelled");
    const watch = new Watch(prefix, listener, this.#watches);
    this.#watches.add(watch);
    return watch;
  }

  /** What is durable now; versions ascend from call to call, not within one. */
  tell(updates: readonly StateUpdate[]): void {
    for (const watch of this.#watches) watch.add(updates);
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let hasTold = true; hasTold; ) {
      hasTold = false;
      for (const watch of this.#watches) if (watch.tellPending()) hasTold = true;
    }
    this.#isTelling = false;
  }

  /** Nobody is told anything any more. */
  close(): void {
    for (const watch of this.#watches) watch.cancel();
  }
}

class Watch implements StateWatch {
  readonly #prefix: string;
  readonly #listener: StateListener;
  /** All that are not cancelled. */
  readonly #watches: Set<Watch>;
  #pending: StateUpdate[] = [];
  #hasTooMany = false;

  constructor(prefix: string, listener: StateListener, watches: Set<Watch>) {
    this.#prefix = prefix;
    this.#listener = listener;
    this.#watches = watches;
  }

  cancel(): void {
    this.#watches.delete(this);
    this.#pending = [];
    this.#hasTooMany = false;
  }

  add(updates: readonly StateUpdate[]): void {
    if (this.#hasTooMany) return;
    for (const update of updates) {
      if (!update.key.startsWith(this.#prefix)) continue;
      if (this.#pending.length === UPDATES_MAX) {
        this.#pending = [];
        this.#hasTooMany = true;
        return;
      }
      this.#pending.push(update);
    }
  }

  /** Whether there was anything to tell. */
  tellPending(): boolean {
    const updates = this.#pending;
    const hasTooMany = this.#hasTooMany;
    if (updates.length === 0 && !hasTooMany) return false;
    this.#pending = [];
    this.#hasTooMany = false;
    try {
      if (hasTooMany) this.#listener.listAgain();
      else this.#listener.changed(updates.sort(byVersion));
    } catch (thrown) {
      this.cancel();
      void Promise.reject(thrown);
    }
    return true;
  }
}

function byVersion(left: StateUpdate, right: StateUpdate): number {
  return left.version - right.version;
}
