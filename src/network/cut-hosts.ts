/**
 * Hosts of which a connection was just cut because others waited for its memory. Who connects again from there is read only when some
 * time has passed: otherwise connecting, sending and being cut go round as fast as this machine can, and take its time from the others.
 * Connections that are there already are not concerned.
 */

import type { Clock } from "../base/clock.ts";

/** A round costs half a millisecond, mostly for the half MiB that has come: nine hundred peers take no more than a core so. */
const COMEBACK_MS_MIN = 500;
const SPREAD = 32;
export const COMEBACK_MS_MAX = 2 * COMEBACK_MS_MIN;
/** More hosts at once are not remembered: the one cut longest ago goes. */
const HOSTS_MAX = 1000;

export class CutHosts {
  readonly #clock: Clock;
  /** When the last connection of each was cut, the longest ago first. */
  readonly #cutAtMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  record(host: string): void {
    this.#cutAtMs.delete(host);
    this.#cutAtMs.set(host, this.#clock.monotonicMs());
    if (this.#cutAtMs.size <= HOSTS_MAX) return;
    for (const oldest of this.#cutAtMs.keys()) {
      this.#cutAtMs.delete(oldest);
      return;
    }
  }

  /** How long a new connection of the host waits until it is read: those that come together are not read together. */
  waitMs(host: string, connectionId: number): number {
    if (this.#cutAtMs.size === 0) return 0;
    const cutAtMs = this.#cutAtMs.get(host);
    if (cutAtMs === undefined) return 0;
    if (this.#clock.monotonicMs() - cutAtMs < COMEBACK_MS_MIN)
      return COMEBACK_MS_MIN * (1 + (connectionId % SPREAD) / SPREAD);
    this.#cutAtMs.delete(host);
    return 0;
  }
}
