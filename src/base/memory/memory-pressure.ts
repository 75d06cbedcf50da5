/**
 * Whose memory others get when there is none left. It looks at those who hold; it takes nothing by itself.
 *
 *     still      has something that only its peer can end, and for GRACE_MS the peer has moved less of it than `enoughBytes`
 *     moving     the same, but the peer moves, or it waits for memory itself: it is spared
 *     ours       all that it holds is our work: it is never cut
 *
 * Who is still goes first, of those who holds most. Only where more has come than the ceiling allows, or where everybody who holds
 * something waits for more of it, others go: of whom nothing is on its way, then the youngest of the host that holds most.
 */

import { KiB } from "../units.ts";
import type { MemoryAccount } from "./memory-account.ts";

/** A peer is given so long to move before it is cut for others: some round trips around the world, and a lost packet. */
export const GRACE_MS = 250;
/** Moving is this part of what is held in each `GRACE_MS`: all of it within 16 seconds, 11 MiB at 700 KB/s. */
const ENOUGH_PART = 64;
const ENOUGH_BYTES_MIN = KiB;

export class MemoryPressure {
  readonly #holders: ReadonlySet<MemoryAccount>;

  constructor(holders: ReadonlySet<MemoryAccount>) {
    this.#holders = holders;
  }

  /** Records who has moved since the last look. */
  look(nowMs: number): void {
    for (const account of this.#holders) {
      const { movedBytes, unfinishedBytes } = account.holder;
      const hasMoved = movedBytes - account.lastMovedBytes >= enoughBytes(unfinishedBytes);
      const isSpared = unfinishedBytes === 0 || account.isGrowing;
      if (!isSpared && !hasMoved && account.stillSinceMs >= 0) continue;
      account.lastMovedBytes = movedBytes;
      account.stillSinceMs = nowMs;
    }
  }

  /** The still one that holds most, as of the last look; `isLargeOnly`: among those that hold something large. */
  stillest(nowMs: number, isLargeOnly: boolean): MemoryAccount | null {
    let worst: MemoryAccount | null = null;
    for (const account of this.#holders) {
      const isStill = account.stillSinceMs >= 0 && nowMs - account.stillSinceMs >= GRACE_MS;
      if (!isStill || account.isGrowing || (isLargeOnly && account.largeBytes === 0)) continue;
      if (account.holder.unfinishedBytes > (worst?.holder.unfinishedBytes ?? 0)) worst = account;
    }
    return worst;
  }

  /** Who holds most of what is not our work; `isResting`: among those of which nothing is on its way. */
  largest(isResting: boolean): MemoryAccount | null {
    let worst: MemoryAccount | null = null;
    for (const account of this.#holders) {
      if (isResting && !account.holder.isResting) continue;
      if (account.holder.unfinishedBytes > (worst?.holder.unfinishedBytes ?? 0)) worst = account;
    }
    return worst;
  }

  /** Everybody who holds something waits for more, and none of it is our work: nothing will be given back. */
  get isStuck(): boolean {
    for (const account of this.#holders) {
      if (!account.isGrowing || account.bytes > account.holder.unfinishedBytes) return false;
    }
    return true;
  }
}

function enoughBytes(unfinishedBytes: number): number {
  return Math.max(ENOUGH_BYTES_MIN, unfinishedBytes / ENOUGH_PART);
}
