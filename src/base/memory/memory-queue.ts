/**
 * Who waits for memory and holds no part yet of what it waits for: small requests and large ones apart, each host by host.
 *
 *     host A  holds 12 MiB   small [a1][a2]   large [a3]
 *     host B  holds  1 MiB   small [b1]       large            next small: b1, then the host that holds least by then
 *
 * Within a host first come first served. A host is known here while it holds or waits.
 */

import { fail } from "../assert.ts";
import type { MemoryAccount, MemoryWait } from "./memory-account.ts";

interface HostShare {
  bytes: number;
  readonly small: Set<MemoryWait>;
  readonly large: Set<MemoryWait>;
}

export class MemoryQueue {
  smallCount = 0;
  largeCount = 0;
  readonly #shares = new Map<string, HostShare>();
  /** The hosts with somebody who waits. */
  readonly #smallWaiting = new Set<HostShare>();
  readonly #largeWaiting = new Set<HostShare>();

  /** The account's host holds `bytes` more, or less when it is negative. */
  changed(account: MemoryAccount, bytes: number): void {
    const { host } = account.holder;
    const share = this.#share(host);
    share.bytes += bytes;
    if (share.bytes < 0) fail("a host holds less than nothing");
    this.#evictIfDone(host, share);
  }

  /** What the account's host holds over all its accounts. */
  hostBytes({ holder }: MemoryAccount): number {
    return this.#shares.get(holder.host)?.bytes ?? 0;
  }

  add(wait: MemoryWait): void {
    const share = this.#share(wait.account.holder.host);
    if (wait.isLarge) {
      share.large.add(wait);
      this.#largeWaiting.add(share);
      this.largeCount += 1;
    } else {
      share.small.add(wait);
      this.#smallWaiting.add(share);
      this.smallCount += 1;
    }
  }

  /** Granted, or given up. Nothing happens when it is not here. */
  remove(wait: MemoryWait): void {
    const { host } = wait.account.holder;
    const share = this.#shares.get(host);
    if (share === undefined) return;
    if (share.small.delete(wait)) {
      this.smallCount -= 1;
      if (share.small.size === 0) this.#smallWaiting.delete(share);
    } else if (share.large.delete(wait)) {
      this.largeCount -= 1;
      if (share.large.size === 0) this.#largeWaiting.delete(share);
    }
    this.#evictIfDone(host, share);
  }

  /** The first small request of the host that holds least. */
  nextSmall(): MemoryWait | null {
    const share = least(this.#smallWaiting);
    return share === null ? null : first(share.small);
  }

  nextLarge(): MemoryWait | null {
    const share = least(this.#largeWaiting);
    return share === null ? null : first(share.large);
  }

  #share(host: string): HostShare {
    let share = this.#shares.get(host);
    if (share === undefined) {
      share = { bytes: 0, small: new Set(), large: new Set() };
      this.#shares.set(host, share);
    }
    return share;
  }

  #evictIfDone(host: string, share: HostShare): void {
    if (share.bytes === 0 && share.small.size === 0 && share.large.size === 0) this.#shares.delete(host);
  }
}

function least(shares: ReadonlySet<HostShare>): HostShare | null {
  let found: HostShare | null = null;
  for (const share of shares) if (found === null || share.bytes < found.bytes) found = share;
  return found;
}

function first(waits: ReadonlySet<MemoryWait>): MemoryWait {
  for (const wait of waits) return wait;
  fail("a host that waits has nobody who waits");
}
