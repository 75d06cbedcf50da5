/**
 * A byte budget that independent peers share. What is held is counted when it is held, never because somebody has promised to send it.
 *
 *     |<---------------- large: at most three quarters ---------------->|<--- small only --->|
 *     0                                                            largeBytesMax         limitBytes
 *
 *     reserve fits, and nobody is before  ->  held at once
 *     otherwise                           ->  waits (memory-queue.ts, growth-order.ts)
 *     release                             ->  who waits is served: small before large, what is under way before what is new,
 *                                             among these the eldest first, or the host that holds least
 *     nothing fits                        ->  a holder whose peer does not move is evicted (memory-pressure.ts)
 *
 * Small is what belongs to something of `smallBytesMax` at most. Small requests may use everything, until a large one has waited for
 * LARGE_PATIENCE_MS: from then on they have their quarter only, and it gets what it waits for.
 *
 * Invariants
 *   - usedBytes = what the accounts hold together = what the hosts hold together; largeBytes <= usedBytes.
 *   - 0 <= usedBytes <= limitBytes, and the large part <= largeBytesMax, whatever is reserved. What has come already and could not be
 *     refused may pass both. Above ceilingBytes, an eighth beyond the limit, holders are evicted at once until it fits again, unless
 *     all of it is our own work.
 *   - A large request never delays a small one as long as the small ones keep to their quarter.
 *   - Nobody waits for ever: a request larger than there can be room is refused (`canHold`); who holds finishes, is cut by the timeout
 *     of its work, or is evicted; where those who wait hold each other up, the youngest is evicted.
 *   - Nobody is evicted while nobody waits and everything fits, nor ever for what is our own work.
 *
 * Evictions run in a microtask, because the caller may be in the middle of something. It moves no bytes and knows no sockets: it counts.
 */

import { fail } from "../assert.ts";
import type { Clock, Timer } from "../clock.ts";
import { MiB } from "../units.ts";
import { GrowthOrder } from "./growth-order.ts";
import {
  type AccountOwner,
  type BudgetWaiter,
  MemoryAccount,
  type MemoryHolder,
  type MemoryWait,
} from "./memory-account.ts";
import { GRACE_MS, MemoryPressure } from "./memory-pressure.ts";
import { MemoryQueue } from "./memory-queue.ts";

/** What usual requests and responses are below, even with many partitions. */
export const SMALL_BYTES_MAX = MiB;
/** The rest is for small ones only. */
const LARGE_PART = 0.75;
/** What has come already and has no room may pass the limit by one of so many parts before holders are cut at once. */
const BEYOND_PARTS = 8;
/** So long small requests may take what a large one waits for. */
const LARGE_PATIENCE_MS = 1000;
/** Evicted in one turn of the loop: closing one whose socket is full of unread bytes takes 0.2 ms. The others follow in the next. */
const EVICTED_AT_ONCE_MAX = 16;
/** How often it is recorded who moves, while somebody holds anything. */
const LOOK_MS = GRACE_MS / 2;

/** One of the two kinds of requests. */
interface Kind {
  readonly isLarge: boolean;
  /** Those of which a part is held. */
  readonly order: GrowthOrder;
  /** Everybody who waits, the longest first; of these who is under way already. */
  readonly waits: Set<MemoryWait>;
  readonly growing: Set<MemoryWait>;
}

export class MemoryBudget implements AccountOwner {
  readonly limitBytes: number;
  /** What large ones may hold together. */
  readonly largeBytesMax: number;
  /** The limit, and what may have come beyond it. */
  readonly ceilingBytes: number;
  /** Holders that were cut because others waited. */
  evictedCount = 0;
  /** Requests that had to wait. */
  waitedCount = 0;
  readonly #clock: Clock;
  readonly #smallBytesMax: number;
  readonly #holders = new Set<MemoryAccount>();
  readonly #pressure = new MemoryPressure(this.#holders);
  readonly #queue = new MemoryQueue();
  readonly #small: Kind = kind(false);
  readonly #large: Kind = kind(true);
  #usedBytes = 0;
  #largeBytes = 0;
  #isLargePatient = true;
  #isRelieving = false;
  #timer: Timer | null = null;

  constructor(limitBytes: number, clock: Clock, smallBytesMax = SMALL_BYTES_MAX) {
    this.limitBytes = limitBytes;
    this.largeBytesMax = Math.floor(limitBytes * LARGE_PART);
    this.ceilingBytes = limitBytes + Math.floor(limitBytes / BEYOND_PARTS);
    this.#clock = clock;
    this.#smallBytesMax = smallBytesMax;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get largeBytes(): number {
    return this.#largeBytes;
  }

  get waitingCount(): number {
    return this.#small.waits.size + this.#large.waits.size;
  }

  /** The largest request that can ever be granted. */
  get requestBytesMax(): number {
    return Math.max(this.largeBytesMax, Math.min(this.limitBytes, this.#smallBytesMax));
  }

  /** Whether such a request can ever be granted. */
  canHold(bytes: number): boolean {
    return bytes <= (this.#kindOf(bytes).isLarge ? this.largeBytesMax : this.limitBytes);
  }

  /** An account for one holder; it costs nothing while it holds nothing. */
  open(holder: MemoryHolder): MemoryAccount {
    return new MemoryAccount(this, holder);
  }

  // What accounts call.

  reserve(
    account: MemoryAccount,
    bytes: number,
    waiter: BudgetWaiter,
    wholeBytes: number,
    cameBytes: number,
  ): boolean {
    const isPart = wholeBytes > 0;
    if (!this.canHold(Math.max(bytes, wholeBytes))) fail("a reservation larger than there can be room");
    const requested = this.#kindOf(Math.max(bytes, wholeBytes));
    if (isPart) {
      if (account.wholeBytes > 0 && account.wholeBytes !== wholeBytes)
        fail("two things are under way in one account");
      account.wholeBytes = wholeBytes;
    }
    const isGrowth = isPart && requested.order.has(account);
    if (isGrowth || !this.#isSomebodyBefore(requested)) {
      if (this.#hasRoom(bytes, requested) && (!isPart || bytes <= this.#headroom(account, requested))) {
        this.#take(account, bytes, requested, isPart);
        return true;
      }
    }
    if (cameBytes > 0) this.#take(account, cameBytes, requested, isPart);
    this.#enqueue(account, bytes - cameBytes, waiter, requested, isPart);
    this.#watch();
    this.#scheduleRelief();
    return false;
  }

  charge(account: MemoryAccount, bytes: number, wholeBytes: number): void {
    this.#take(account, bytes, this.#kindOf(wholeBytes), false);
    if (this.#isOver) this.#scheduleRelief();
  }

  /** What an account holds of large things goes first. */
  release(account: MemoryAccount, bytes: number): void {
    if (bytes > account.bytes) fail("more bytes were released than were held");
    const largeBytes = Math.min(bytes, account.largeBytes);
    account.bytes -= bytes;
    account.largeBytes -= largeBytes;
    this.#usedBytes -= bytes;
    this.#largeBytes -= largeBytes;
    this.#queue.changed(account, -bytes);
    if (account.bytes === 0) {
      this.#holders.delete(account);
      account.stillSinceMs = -1;
    }
    this.#serve();
  }

  complete(account: MemoryAccount): void {
    this.#kindOf(account.wholeBytes).order.remove(account);
    account.wholeBytes = 0;
    this.#serve();
  }

  cancel(wait: MemoryWait): void {
    this.#unqueue(wait);
    this.#serve();
  }

  #kindOf(bytes: number): Kind {
    return bytes > this.#smallBytesMax ? this.#large : this.#small;
  }

  get #isOver(): boolean {
    return this.#usedBytes > this.ceilingBytes;
  }

  /** Whether someone waits whose turn comes before that of a new request. */
  #isSomebodyBefore({ isLarge }: Kind): boolean {
    return this.#small.waits.size > 0 || (isLarge && this.#large.waits.size > 0);
  }

  /** Whether so much more may be held, whoever it is for. */
  #hasRoom(bytes: number, { isLarge }: Kind): boolean {
    const isWithinLimit = this.#usedBytes + bytes <= this.limitBytes;
    if (isLarge) return isWithinLimit && this.#largeBytes + bytes <= this.largeBytesMax;
    const smallBytes = this.#usedBytes - this.#largeBytes;
    if (smallBytes + bytes <= this.limitBytes - this.largeBytesMax) return true;
    return isWithinLimit && this.#isLargePatient;
  }

  /** What those of one kind that are under way can count on together. */
  #growthRoom({ isLarge }: Kind): number {
    if (isLarge) return this.largeBytesMax;
    return this.limitBytes - Math.min(this.#largeBytes, this.largeBytesMax);
  }

  #headroom(account: MemoryAccount, requested: Kind): number {
    return requested.order.headroom(account, this.#growthRoom(requested));
  }

  #take(account: MemoryAccount, bytes: number, { isLarge, order }: Kind, isPart: boolean): void {
    account.bytes += bytes;
    this.#usedBytes += bytes;
    if (isLarge) {
      account.largeBytes += bytes;
      this.#largeBytes += bytes;
    }
    this.#holders.add(account);
    this.#queue.changed(account, bytes);
    if (isPart) order.grown(account, bytes);
    this.#watch();
  }

  #serve(): void {
    if (this.waitingCount === 0) return;
    for (const served of [this.#small, this.#large]) {
      this.#serveGrowing(served);
      this.#serveNew(served);
    }
  }

  #serveGrowing(served: Kind): void {
    if (served.growing.size === 0) return;
    served.order.offer(this.#growthRoom(served), (account, headroomBytes) => {
      const wait = account.waits.find((each) => each.isPart);
      if (wait === undefined || wait.bytes > headroomBytes || !this.#hasRoom(wait.bytes, served)) return 0;
      this.#grant(wait, served);
      return wait.bytes;
    });
  }

  #serveNew(served: Kind): void {
    while (served.growing.size === 0) {
      const wait = served.isLarge ? this.#queue.nextLarge() : this.#queue.nextSmall();
      if (wait === null || !this.#hasRoom(wait.bytes, served)) return;
      if (wait.isPart && wait.bytes > this.#headroom(wait.account, served)) return;
      this.#grant(wait, served);
    }
  }

  #grant(wait: MemoryWait, served: Kind): void {
    this.#unqueue(wait);
    this.#take(wait.account, wait.bytes, served, wait.isPart);
    wait.account.stillSinceMs = -1;
    wait.waiter.budgetGranted(wait.bytes);
  }

  #unqueue(wait: MemoryWait): void {
    const { waits } = wait.account;
    const index = waits.indexOf(wait);
    if (index < 0) fail("who does not wait was taken out of the queue");
    waits.splice(index, 1);
    const { isLarge } = wait;
    const requested = isLarge ? this.#large : this.#small;
    requested.waits.delete(wait);
    if (!requested.growing.delete(wait)) this.#queue.remove(wait);
  }

  #enqueue(
    account: MemoryAccount,
    bytes: number,
    waiter: BudgetWaiter,
    requested: Kind,
    isPart: boolean,
  ): void {
    const wait = {
      account,
      waiter,
      bytes,
      isLarge: requested.isLarge,
      isPart,
      sinceMs: this.#clock.monotonicMs(),
    };
    account.waits.push(wait);
    requested.waits.add(wait);
    if (isPart && requested.order.has(account)) requested.growing.add(wait);
    else this.#queue.add(wait);
    this.waitedCount += 1;
  }

  #scheduleRelief(schedule: (callback: () => void) => unknown = queueMicrotask): void {
    if (this.#isRelieving) return;
    this.#isRelieving = true;
    schedule(() => {
      this.#isRelieving = false;
      this.#relieve();
    });
  }

  /** Evicts as long as somebody waits, or too much is held, and there is somebody to be evicted. */
  #relieve(): void {
    if (this.waitingCount === 0 && !this.#isOver) return;
    const nowMs = this.#clock.monotonicMs();
    this.#pressure.look(nowMs);
    this.#isLargePatient = nowMs - sinceMs(this.#large.waits, nowMs) < LARGE_PATIENCE_MS;
    this.#serve();
    for (let evicted = 0; this.waitingCount > 0 || this.#isOver; evicted += 1) {
      const victim = this.#victim(nowMs);
      if (victim === null) return;
      if (evicted === EVICTED_AT_ONCE_MAX) {
        this.#scheduleRelief(setImmediate);
        return;
      }
      this.evictedCount += 1;
      victim.holder.evict(victim.bytes);
      if (victim.bytes > 0) fail("a holder that was evicted kept its memory");
    }
  }

  #victim(nowMs: number): MemoryAccount | null {
    const stillest = this.#pressure.stillest(nowMs, this.#isOnlyLargeShort());
    if (stillest !== null) return stillest;
    if (this.#isOver) return this.#pressure.largest(true) ?? this.#youngest();
    const longestMs = nowMs - Math.min(sinceMs(this.#small.waits, nowMs), sinceMs(this.#large.waits, nowMs));
    if (longestMs < GRACE_MS || !this.#pressure.isStuck) return null;
    return this.#youngest();
  }

  /** Who loses least, of those that wait for more: the youngest of the host that holds most. */
  #youngest(): MemoryAccount | null {
    const weigh = (account: MemoryAccount) => this.#queue.hostBytes(account);
    const large = this.#large.order.youngestWaiting(weigh);
    return large ?? this.#small.order.youngestWaiting(weigh) ?? this.#pressure.largest(false);
  }

  /** Whether those who wait would have room if only large things were fewer. */
  #isOnlyLargeShort(): boolean {
    if (this.#isOver || this.#small.waits.size > 0) return false;
    for (const wait of this.#large.waits) return this.#usedBytes + wait.bytes <= this.limitBytes;
    return false;
  }

  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = this.#clock.after(LOOK_MS, () => {
      this.#timer = null;
      this.#pressure.look(this.#clock.monotonicMs());
      this.#relieve();
      if (this.#holders.size > 0 || this.waitingCount > 0) this.#watch();
    });
  }
}

/** The limit of a budget that never passes `ceilingBytes`. */
export function limitWithin(ceilingBytes: number): number {
  return Math.floor((ceilingBytes * BEYOND_PARTS) / (BEYOND_PARTS + 1));
}

/** What a large request may have of such a budget: two thirds of the ceiling. */
export function largeWithin(ceilingBytes: number): number {
  return Math.floor(limitWithin(ceilingBytes) * LARGE_PART);
}

function kind(isLarge: boolean): Kind {
  return { isLarge, order: new GrowthOrder(), waits: new Set(), growing: new Set() };
}

/** Since when the first of those that wait does; now when nobody does. */
function sinceMs(waits: ReadonlySet<MemoryWait>, nowMs: number): number {
  for (const wait of waits) return wait.sinceMs;
  return nowMs;
}
