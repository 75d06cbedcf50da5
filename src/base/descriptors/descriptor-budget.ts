/**
 * How the descriptors that the system allows this process (`ulimit -n`) are divided. Nothing is refused by the system as long as
 * everybody keeps to it, so nothing that is under way is harmed by what comes later.
 *
 *     | at the start | own | spare | connections ........ | files ........ |
 *     0                                                                    limit
 *
 *   at the start   what the runtime had, and what whoever started the process left open
 *   own            state, threads, listening sockets, and some that are open for a moment only
 *   spare          held by spare-descriptors.ts for small files
 *   connections    of all listeners; each has some that the others cannot take
 *   files          segments that stay open; those that wait for a sync may have what connections do not use
 *
 * Both sides get half, or what the other does not want. All is computed when it is needed: the limit may change.
 */

import { fail } from "../assert.ts";
import { ObeliskError } from "../errors.ts";

/** Opened by a server beside connections and segments (20 counted: lock, state, threads, three listeners of two addresses), and 8 for a moment. */
const OWN_DESCRIPTORS = 28;
/** Of the limit: more small files are replaced side by side where there is more of everything. */
const SPARE_SHARE = 1 / 16;
const SPARE_MIN = 4;
const SPARE_MAX = 32;
/** A server with fewer of either cannot do its work. */
const CONNECTIONS_MIN = 8;
const FILES_MIN = 8;
/** What a listener can count on, of all connections: two fifths remain for whoever comes first. */
const LISTENER_SHARE = 1 / 5;
/** A listener with more of them is not shut out. */
const LISTENER_MIN = 32;
/** What Bun has open before anything is done (Bun 1.4.5), where the system does not tell. */
const OPEN_AT_START = 8;

/** Why a connection is refused: the setting, or what the system allows. */
export type RefusalCause = "connections-max" | "descriptors";

/** What segment files may take. */
export interface FileBounds {
  /** Files that may stay open when nothing needs them. */
  readonly openMax: number;
  /** Beyond it even a file with bytes that wait for a sync is refused. */
  readonly pinnedMax: number;
  /** Descriptors that are to be had are below it. */
  readonly limit: number;
}

export interface DescriptorBudgetOptions {
  /** Null: the system does not tell, and nothing is taken off. */
  limit: number | null;
  openAtStart: number | null;
  filesMax: number;
}

export class DescriptorBudget implements FileBounds {
  /** The system has none left though the budget says otherwise: somebody else has taken them. Set by the descriptor watch. */
  isShort = false;
  readonly spareCount: number;
  #limit: number;
  readonly #openAtStart: number;
  readonly #filesMax: number;
  readonly #listeners: ConnectionPlaces[] = [];

  /** @throws ObeliskError TOO_FEW_DESCRIPTORS */
  constructor({ limit, openAtStart, filesMax }: DescriptorBudgetOptions) {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    this.#openAtStart = openAtStart ?? OPEN_AT_START;
    this.#filesMax = filesMax;
    this.spareCount = Math.max(SPARE_MIN, Math.min(SPARE_MAX, Math.floor(this.#limit * SPARE_SHARE)));
    if (this.#left < CONNECTIONS_MIN + FILES_MIN) this.#refuse();
  }

  /** Infinity: none is known. */
  get limit(): number {
    return this.#limit;
  }

  /** The limit as it is now. */
  setLimit(limit: number | null): void {
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
  }

  /** The places of one more listener; `setting` is what its connections are limited by. */
  listener(connectionsMax: number, setting = "connections-max"): ConnectionPlaces {
    const places = new ConnectionPlaces(this, connectionsMax, setting);
    this.#listeners.push(places);
    return places;
  }

  /** Whether the limit leaves less than what all listeners may have. */
  get isTight(): boolean {
    return this.connectionsMax < this.#wanted;
  }

  /** Connections of all listeners together. */
  get connectionsMax(): number {
    return Math.min(
      this.#wanted,
      Math.max(0, this.#left - Math.min(this.#filesMax, Math.floor(this.#left / 2))),
    );
  }

  get openMax(): number {
    if (this.isShort) return FILES_MIN;
    return Math.max(FILES_MIN, Math.min(this.#filesMax, this.#left - this.connectionsMax));
  }

  get pinnedMax(): number {
    return Math.max(FILES_MIN, this.#left - this.#connections);
  }

  /** Whether a listener may have one more: what the others can count on is not taken. */
  hasPlaceFor(listener: ConnectionPlaces, more = 1): boolean {
    if (this.isShort) return false;
    const all = this.connectionsMax;
    const least = Math.min(LISTENER_MIN, Math.floor(all * LISTENER_SHARE));
    let taken = 0;
    for (const each of this.#listeners) {
      taken += each === listener ? each.open : Math.max(each.open, Math.min(least, each.max));
    }
    return taken + more <= all;
  }

  /** For connections and files together. */
  get #left(): number {
    return this.#limit - this.#openAtStart - OWN_DESCRIPTORS - this.spareCount;
  }

  get #wanted(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.max, 0);
  }

  get #connections(): number {
    return this.#listeners.reduce((sum, listener) => sum + listener.open, 0);
  }

  #refuse(): never {
    const needed = this.#limit - this.#left + CONNECTIONS_MIN + FILES_MIN;
    throw new ObeliskError("TOO_FEW_DESCRIPTORS", {
      detail: `the process may open ${this.#limit} files, and needs ${needed} at least`,
      remedy: "raise `ulimit -n`, to 4096 or more for a busy server",
    });
  }
}

/** The connections of one listener. Whoever takes a place gives it back. */
export class ConnectionPlaces {
  /** Connections now. */
  open = 0;
  readonly max: number;
  readonly #budget: DescriptorBudget;
  readonly #setting: string;

  constructor(budget: DescriptorBudget, max: number, setting: string) {
    this.#budget = budget;
    this.max = max;
    this.#setting = setting;
  }

  /** Takes a place, or says why there is none. */
  take(): RefusalCause | null {
    if (this.open >= this.max) return "connections-max";
    if (!this.#budget.hasPlaceFor(this)) return "descriptors";
    this.open += 1;
    return null;
  }

  /** So many are there, without a `take`; returns why if that is too many. */
  record(open: number): RefusalCause | null {
    this.open = 0;
    const isWithin = this.#budget.hasPlaceFor(this, open);
    this.open = open;
    if (open > this.max) return "connections-max";
    return isWithin ? null : "descriptors";
  }

  give(): void {
    if (!(this.open > 0)) fail("a connection gives back a place that it does not have");
    this.open -= 1;
  }

  /** What an operator has to know of a refusal. */
  facts(cause: RefusalCause): { cause: string; limit: number; remedy: string } {
    return cause === "connections-max"
      ? { cause, limit: this.max, remedy: `raise ${this.#setting}` }
      : { cause, limit: this.#budget.limit, remedy: "raise `ulimit -n`" };
  }
}
