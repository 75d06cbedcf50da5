/**
 * What is counted of requests over HTTP: how many answers by status, and how long requests took until their answer began, by route.
 * Plain numbers. There are as many routes as the API has; what leads to none of them is one more.
 */

import { Histogram, SECONDS_BOUNDS } from "../base/histogram.ts";
import { SECOND_MS } from "../base/units.ts";

/** Where no route was found. */
const NO_ROUTE = "none";

export class HttpStats {
  /** By status; there are few. */
  readonly responses = new Map<number, number>();
  /** By method and pattern as the routes are declared: `GET /topics/:topic`. */
  readonly seconds = new Map<string, Histogram>();
  readonly #routes = new WeakMap<Request, string>();

  routed(request: Request, pattern: string): void {
    this.#routes.set(request, pattern);
  }

  /** An answer begins; a stream goes on after it. */
  answered(request: Request, status: number, ms: number): void {
    this.responses.set(status, (this.responses.get(status) ?? 0) + 1);
    const pattern = this.#routes.get(request);
    const route = pattern === undefined ? NO_ROUTE : `${request.method} ${pattern}`;
    let seconds = this.seconds.get(route);
    if (seconds === undefined) this.seconds.set(route, (seconds = new Histogram(SECONDS_BOUNDS)));
    seconds.observe(ms / SECOND_MS);
  }
}
