/**
 * The live tails that are open, and other streams that wait for what comes: so many at most, and all of them end when the server stops.
 *
 * They take half of the connections of the HTTP API, so that readers who stay cannot keep out probes and producers. One more is refused
 * with TOO_MANY_REQUESTS.
 */

import { ObeliskError } from "../../base/errors.ts";
import { SECOND_MS } from "../../base/units.ts";

export interface LiveTimes {
  /** A tail that has nothing to say says that it is there. */
  readonly heartbeatMs: number;
  /** A reader that takes nothing of what there is for so long is cut. */
  readonly slowMs: number;
}

/** Proxies close silent connections after 30 to 60 s; a reader that is only busy comes back within half a minute. */
export const LIVE_TIMES: LiveTimes = { heartbeatMs: 15 * SECOND_MS, slowMs: 30 * SECOND_MS };

const SHARE_OF_CONNECTIONS = 0.5;

export interface LiveReader {
  /** Tells its reader why, and ends. */
  end(error: ObeliskError): void;
}

export class LiveTails {
  readonly times: LiveTimes;
  /** Readers that were cut because they took nothing. */
  cutSlow = 0;
  readonly #max: () => number;
  readonly #open = new Set<LiveReader>();
  #isStopping = false;

  /** `connectionsMax` is that of the HTTP API. */
  constructor(connectionsMax: () => number, times: LiveTimes = LIVE_TIMES) {
    this.#max = () => Math.max(1, Math.floor(connectionsMax() * SHARE_OF_CONNECTIONS));
    this.times = times;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @throws ObeliskError TOO_MANY_REQUESTS, NOT_READY */
  checkRoom(): void {
    if (this.#isStopping) throw new ObeliskError("NOT_READY");
    const limit = this.#max();
    if (this.#open.size < limit) return;
    throw new ObeliskError("TOO_MANY_REQUESTS", { detail: "too many live tails are open", limit });
  }

  /** @throws as `checkRoom` */
  enter(reader: LiveReader): void {
    this.checkRoom();
    this.#open.add(reader);
  }

  leave(reader: LiveReader): void {
    this.#open.delete(reader);
  }

  /** The server stops: no further one is opened. */
  endAll(): void {
    this.#isStopping = true;
    for (const reader of [...this.#open]) reader.end(new ObeliskError("NOT_READY"));
  }
}
