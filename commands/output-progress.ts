/**
 * A progress line on standard error for work of some length, redrawn in place:
 *
 *     checking  [############------------]  51%  1.2 GiB of 2.4 GiB  610 MiB/s
 *
 * Only where a person looks at standard error; elsewhere every call does nothing. It is removed when the work ends.
 */

import { type Clock, systemClock } from "../src/base/clock.ts";
import { formatBytes } from "../src/base/units.ts";
import { isTerminal } from "./output.ts";

/** A redraw costs a system call, and nobody reads faster. */
const REDRAW_MS = 100;
const BAR_CELLS = 24;
const CLEAR_LINE = "\r\u001b[K";

export interface Progress {
  /** `done` of what there is; cheap enough to be called for each batch. */
  update(done: number): void;
  finish(): void;
}

export interface ProgressOptions {
  readonly label: string;
  readonly unit: "bytes" | "records";
  /** How much there is in all; left out when nobody knows. */
  readonly total?: number;
  /** Off with --json or --quiet. */
  readonly isShown?: boolean;
}

export function createProgress(options: ProgressOptions): Progress {
  if (options.isShown === false || !isTerminal("stderr")) return { update: () => {}, finish: () => {} };
  return new ProgressLine(options, systemClock, (text) => process.stderr.write(text));
}

export class ProgressLine implements Progress {
  readonly #options: ProgressOptions;
  readonly #clock: Clock;
  readonly #write: (text: string) => void;
  readonly #startedAtMs: number;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #isDrawn = false;

  constructor(options: ProgressOptions, clock: Clock, write: (text: string) => void) {
    this.#options = options;
    this.#clock = clock;
    this.#write = write;
    this.#startedAtMs = clock.monotonicMs();
  }

  update(done: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#drawnAtMs < REDRAW_MS) return;
    this.#drawnAtMs = nowMs;
    this.#isDrawn = true;
    this.#write(CLEAR_LINE + progressText(this.#options, done, nowMs - this.#startedAtMs));
  }

  finish(): void {
    if (this.#isDrawn) this.#write(CLEAR_LINE);
    this.#isDrawn = false;
  }
}

/** The line for `done` after `elapsedMs`. */
export function progressText(
  { label, unit, total }: ProgressOptions,
  done: number,
  elapsedMs: number,
): string {
  const amount = (value: number) => (unit === "bytes" ? formatBytes(value) : `${value}`);
  const noun = unit === "bytes" ? "" : ` ${unit}`;
  const rate = elapsedMs > 0 ? `  ${amount(Math.round((done / elapsedMs) * 1000))}${noun}/s` : "";
  if (total === undefined || total === 0) return `${label}  ${amount(done)}${noun}${rate}`;
  const part = Math.min(1, done / total);
  const cells = Math.round(part * BAR_CELLS);
  const bar = "#".repeat(cells) + "-".repeat(BAR_CELLS - cells);
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  return `${label}  [${bar}] ${percent}  ${amount(done)} of ${amount(total)}${noun}${rate}`;
}
