/**
 * Looks at the process's descriptors now and then: the limit may have been changed, and they may be used up although the budget says
 * otherwise. The system tells neither: a connection that cannot be accepted stays in its queue, and the loop that would accept it
 * spins.
 *
 *     all well         the spare ones are held, and one more can be opened
 *     used up          one of the spare ones is left to the system, so that what comes is accepted and refused
 *     nothing to leave the listeners accept no more until there is one: what comes waits in the system's queue
 */

import type { Clock, Timer } from "../clock.ts";
import { errnoOf } from "../errors.ts";
import type { Files } from "../files.ts";
import type { Log } from "../log.ts";
import { RateLimitedWarning } from "../rate-limited-warning.ts";
import { SECOND_MS } from "../units.ts";
import type { DescriptorBudget } from "./descriptor-budget.ts";
import { isOutOfDescriptors, type SpareDescriptors } from "./spare-descriptors.ts";

/** Often enough for a short rush to be seen; a look costs microseconds. */
export const DESCRIPTOR_LOOK_MS = SECOND_MS;
const ALWAYS_THERE = "/dev/null";

export interface DescriptorWatchParts {
  /** Without spares: it looks whether the system has some. */
  files: Pick<Files, "open" | "close">;
  /** What the system allows now; null: any number. */
  limit: () => number | null;
  spares: Pick<SpareDescriptors, "refill" | "leaveOne">;
  budget: Pick<DescriptorBudget, "limit" | "setLimit" | "isShort">;
  /** Every listener accepts connections, or none does. */
  accept: (isAccepting: boolean) => void;
  clock: Clock;
  log: Log;
}

export class DescriptorWatch {
  readonly #parts: DescriptorWatchParts;
  readonly #warning: RateLimitedWarning;
  #timer: Timer;

  constructor(parts: DescriptorWatchParts) {
    this.#parts = parts;
    this.#warning = new RateLimitedWarning(
      parts.log,
      parts.clock,
      "no file descriptor is left: connections are refused, and files may not be opened; raise `ulimit -n`, or lower connections-max",
    );
    this.#timer = this.#plan();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #plan(): Timer {
    return this.#parts.clock.after(DESCRIPTOR_LOOK_MS, () => {
      this.#look();
      this.#timer = this.#plan();
    });
  }

  #look(): void {
    const { spares, budget, accept } = this.#parts;
    this.#readLimit();
    const isHeld = spares.refill();
    const reason = isHeld ? this.#shortage() : "EMFILE";
    budget.isShort = reason !== null;
    if (reason === null) {
      accept(true);
      return;
    }
    this.#warning.tell({ reason, limit: budget.limit });
    accept(this.#leaveOne());
  }

  /** Below a limit that was lowered some are of no use: their numbers are too high. */
  #leaveOne(): boolean {
    while (this.#parts.spares.leaveOne()) if (this.#shortage() === null) return true;
    return false;
  }

  /** Why nothing more can be opened, or null. */
  #shortage(): string | null {
    const { files } = this.#parts;
    try {
      files.close(files.open(ALWAYS_THERE, "read"));
      return null;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      // Anything else is about /dev/null itself, and says nothing.
      return isOutOfDescriptors(thrown) ? errnoOf(thrown)! : null;
    }
  }

  #readLimit(): void {
    const { limit, budget, log } = this.#parts;
    const before = budget.limit;
    budget.setLimit(limit());
    if (budget.limit !== before)
      log.warn("the limit of open files has been changed", { before, now: budget.limit });
  }
}
