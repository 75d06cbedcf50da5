/**
 * Things that grow while they hold: frames of which a part is in, in the order of age. It keeps them out of each other's way.
 *
 *     a part may grow  <=>  afterwards each elder one still fits, when it is complete, beside what all younger ones hold
 *
 *     elder [####......]  [##........]  [#...] younger         # held   . still to come
 *
 * So the eldest can always be completed once those that are complete have released, and then the next: nobody who holds a part waits
 * for another who holds one (a banker's rule with a fixed order). Room is kept free for an elder one only as far as it has shown that
 * it comes: for `CLAIM_FACTOR` times what it holds, so that a promise and a few bytes keep nobody away. Where elder ones lag behind
 * so far that those who hold a part do wait for each other, the youngest is evicted (memory-pressure.ts).
 *
 * Cost: a walk over what is under way, once for each growth.
 */

import { fail } from "../assert.ts";
import type { MemoryAccount } from "./memory-account.ts";

/** Of a frame of 100 MiB that is all of it when 6 MiB have their memory. */
const CLAIM_FACTOR = 16;

export class GrowthOrder {
  readonly #accounts = new Set<MemoryAccount>();
  #partBytes = 0;

  has(account: MemoryAccount): boolean {
    return this.#accounts.has(account);
  }

  /** The account's part has grown by `bytes`; with its first part it joins as the youngest. */
  grown(account: MemoryAccount, bytes: number): void {
    this.#accounts.add(account);
    account.partBytes += bytes;
    this.#partBytes += bytes;
    if (account.partBytes > account.wholeBytes) fail("a part grew beyond the whole");
  }

  /** It is complete, or given up. */
  remove(account: MemoryAccount): void {
    if (!this.#accounts.delete(account)) return;
    this.#partBytes -= account.partBytes;
    account.partBytes = 0;
  }

  /** Of those that wait for more the one that weighs most, and of these the youngest. */
  youngestWaiting(weigh: (account: MemoryAccount) => number): MemoryAccount | null {
    let found: MemoryAccount | null = null;
    let most = 0;
    for (const account of this.#accounts) {
      const weight = account.isGrowing ? weigh(account) : -1;
      if (weight < most) continue;
      found = account;
      most = weight;
    }
    return found;
  }

  /** How far `account` may grow beside its elders, which together have `roomBytes`. One that is not under way would be the youngest. */
  headroom(account: MemoryAccount, roomBytes: number): number {
    let headroomBytes = Number.POSITIVE_INFINITY;
    let youngerBytes = this.#partBytes;
    for (const elder of this.#accounts) {
      if (elder === account) break;
      youngerBytes -= elder.partBytes;
      headroomBytes = Math.min(headroomBytes, roomBytes - claimOf(elder) - youngerBytes);
    }
    return headroomBytes;
  }

  /**
   * Offers room to everyone under way, from the eldest on. `grant(account, headroomBytes)` returns by how much the account has
   * grown, having called `grown`.
   */
  offer(roomBytes: number, grant: (account: MemoryAccount, headroomBytes: number) => number): void {
    let headroomBytes = Number.POSITIVE_INFINITY;
    let youngerBytes = this.#partBytes;
    for (const account of this.#accounts) {
      const grownBytes = grant(account, headroomBytes);
      youngerBytes += grownBytes - account.partBytes;
      headroomBytes = Math.min(headroomBytes - grownBytes, roomBytes - claimOf(account) - youngerBytes);
    }
  }
}

/** What room is kept free for, with what is held already. */
function claimOf({ wholeBytes, partBytes }: MemoryAccount): number {
  return Math.min(wholeBytes, partBytes * CLAIM_FACTOR);
}
