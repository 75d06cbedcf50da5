/**
 * A state store that tells those who watch as one over PostgreSQL's LISTEN may: a turn later, several changes as one, and never what
 * has changed.
 */

import type { StateListener, StateWatch } from "../../src/storage/contract.ts";
import { MemoryState } from "../../src/storage/memory/state.ts";

export class LookAgainState extends MemoryState {
  override watch(prefix: string, listener: StateListener): StateWatch {
    let isDue = false;
    let isCancelled = false;
    const notify = () => {
      if (isDue) return;
      isDue = true;
      setImmediate(() => {
        isDue = false;
        if (!isCancelled) listener.listAgain();
      });
    };
    const watch = super.watch(prefix, { changed: notify, listAgain: notify });
    return {
      cancel: () => {
        isCancelled = true;
        watch.cancel();
      },
    };
  }
}
