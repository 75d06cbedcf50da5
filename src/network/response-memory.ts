/**
 * One connection's part of the memory for responses. Handlers reserve in it before they build what is large, and release when the
 * socket has taken it. What lies in the output waits for the peer; while none does, all that is held is our own work.
 */

import type { MemoryAccount, MemoryHolder } from "../base/memory/memory-account.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";

/** The connection, as the memory of its responses sees it. */
export interface ResponsePeer {
  readonly remoteHost: string;
  readonly bytesOut: number;
  readonly heldOutputBytes: number;
  /** Closes the connection at once, because others wait for the memory. */
  cutForMemory(heldBytes: number): void;
}

export class ResponseMemory implements MemoryHolder {
  readonly host: string;
  readonly account: MemoryAccount;
  readonly #peer: ResponsePeer;

  constructor(budget: MemoryBudget, peer: ResponsePeer) {
    this.host = peer.remoteHost;
    this.#peer = peer;
    this.account = budget.open(this);
  }

  get movedBytes(): number {
    return this.#peer.bytesOut;
  }

  get unfinishedBytes(): number {
    return Math.min(this.account.bytes, this.#peer.heldOutputBytes);
  }

  get isResting(): boolean {
    return true;
  }

  evict(heldBytes: number): void {
    this.#peer.cutForMemory(heldBytes);
  }
}
