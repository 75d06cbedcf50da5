/**
 * One kind of honest work, at a steady pace: a call is due each `periodMs`, whether the one before has its response or not, and its
 * latency counts from when it was due. So a standstill of a second weighs as much as all the calls that it delayed. What never
 * gets a response counts with its age.
 */

import { Gone } from "../../../crash/wire.ts";

export interface StrandReport {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly outstanding: number;
}

export interface StrandOptions {
  readonly name: string;
  readonly periodMs: number;
  /** Further calls wait for a response; they are due all the same. */
  readonly inFlightMax: number;
  /** The `n`th call. @throws Gone when its connection breaks, anything else when what came is wrong */
  readonly call: (n: number, dueAt: number) => Promise<void>;
}

export class Strand {
  readonly name: string;
  readonly #options: StrandOptions;
  readonly #inFlight = new Map<number, number>();
  #latencies: number[] = [];
  #dueAt = -1;
  #beganAt = 0;
  #next = 0;
  /** The connection broke: nothing more is due. */
  isCut = false;
  /** Wrong responses, the first few. */
  readonly wrong: string[] = [];

  constructor(options: StrandOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#inFlight.size === 0;
  }

  /** Makes the calls that are due at `now`. */
  tick(now: number): void {
    if (this.#dueAt < 0) this.#dueAt = now;
    while (this.#dueAt <= now && this.#inFlight.size < this.#options.inFlightMax && !this.isCut) {
      void this.#call(this.#next, this.#dueAt);
      this.#next += 1;
      this.#dueAt += this.#options.periodMs;
    }
  }

  /** Measures what is due from `now` on. */
  begin(now: number): void {
    this.#beganAt = now;
    this.#latencies = [];
  }

  report(now: number): StrandReport {
    const inFlight = [...this.#inFlight.values()].filter((dueAt) => dueAt >= this.#beganAt);
    const waiting = this.isCut ? [] : inFlight.map((dueAt) => now - dueAt);
    return summary([...this.#latencies, ...waiting], inFlight.length);
  }

  async #call(n: number, dueAt: number): Promise<void> {
    this.#inFlight.set(n, dueAt);
    try {
      await this.#options.call(n, dueAt);
      if (dueAt >= this.#beganAt) this.#latencies.push(performance.now() - dueAt);
    } catch (error) {
      if (error instanceof Gone) this.isCut = true;
      else if (this.wrong.length < 5) this.wrong.push(`${this.name}: ${(error as Error).message}`);
    } finally {
      this.#inFlight.delete(n);
    }
  }
}

export function summary(latencies: readonly number[], outstanding: number): StrandReport {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), outstanding };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
