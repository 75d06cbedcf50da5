/** What is counted of requests over HTTP: how many by status, and how long they took until their answer began. Plain numbers. */

import { Histogram, SECONDS_BOUNDS } from "../base/histogram.ts";
import { SECOND_MS } from "../base/units.ts";

export class HttpStats {
  /** By status; there are few. */
  readonly responses = new Map<number, number>();
  readonly seconds = new Histogram(SECONDS_BOUNDS);

  /** An answer begins; a stream goes on after it. */
  answered(status: number, ms: number): void {
    this.responses.set(status, (this.responses.get(status) ?? 0) + 1);
    this.seconds.observe(ms / SECOND_MS);
  }
}
