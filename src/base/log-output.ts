/**
 * Where log lines leave the process: a stream that may fail at any time, which must cost the server nothing but the lines.
 *
 *     the disk is full, the reader of the pipe is gone, the terminal was closed    the line is dropped and counted
 *     the reader does not read                                                      lines wait up to UNSENT_BYTES_MAX, then are dropped
 *
 * Nothing is thrown, nothing is waited for, and every line is tried: when the stream works again, `onRecovered` gets the number of
 * those that are missing.
 */

import { MiB } from "./units.ts";

/** Minutes of a busy log; a reader that is further behind has stopped. */
const UNSENT_BYTES_MAX = MiB;

/** The part of `process.stderr` that is used. */
export interface LogStream {
  write(line: string, done: (error?: Error | null) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export class LogOutput {
  /** Lines that were dropped since the start. */
  linesLost = 0;
  readonly #stream: LogStream;
  readonly #onRecovered: (linesLost: number) => void;
  #unsentBytes = 0;
  #untold = 0;

  constructor(stream: LogStream, onRecovered: (linesLost: number) => void) {
    this.#stream = stream;
    this.#onRecovered = onRecovered;
    // Each failure comes back to its line as well, and is counted there. Without a listener it would end the process.
    stream.on("error", () => {});
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#unsentBytes + bytes > UNSENT_BYTES_MAX) {
      this.#lost();
      return;
    }
    this.#unsentBytes += bytes;
    try {
      this.#stream.write(line, (error) => this.#written(bytes, error));
    } catch (thrown) {
      this.#written(bytes, thrown);
    }
  }

  #written(bytes: number, failure: unknown): void {
    this.#unsentBytes -= bytes;
    if (failure) this.#lost();
    else if (this.#untold > 0) {
      const untold = this.#untold;
      this.#untold = 0;
      this.#onRecovered(untold);
    }
  }

  #lost(): void {
    this.linesLost += 1;
    this.#untold += 1;
  }
}
