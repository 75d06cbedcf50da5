/**
 * Tells when the process has no file descriptor left. The system says so to nobody: a connection that cannot be accepted stays in
 * its queue without an event, and clients wait in vain. So one is opened now and then, and given back.
 */

import type { Clock, Timer } from "./clock.ts";
import { errnoOf } from "./errors.ts";
import type { Files } from "./files.ts";
import type { Log } from "./log.ts";
import { RareWarning } from "./rare-warning.ts";
import { SECOND_MS } from "./units.ts";

/** Often enough for a short rush to be seen; a look costs microseconds. */
export const DESCRIPTOR_LOOK_MS = SECOND_MS;
const ALWAYS_THERE = "/dev/null";

export class DescriptorWatch {
  readonly #files: Pick<Files, "open" | "close">;
  readonly #clock: Clock;
  readonly #warning: RareWarning;
  #timer: Timer;

  constructor(files: Pick<Files, "open" | "close">, clock: Clock, log: Log) {
    this.#files = files;
    this.#clock = clock;
    this.#warning = new RareWarning(
      log,
      clock,
      "no file descriptor is left: connections are not accepted and files cannot be opened; raise `ulimit -n`, or lower connections-max",
    );
    this.#timer = this.#plan();
  }

  stop(): void {
    this.#timer.cancel();
  }

  #plan(): Timer {
    return this.#clock.after(DESCRIPTOR_LOOK_MS, () => {
      this.#look();
      this.#timer = this.#plan();
    });
  }

  #look(): void {
    try {
      this.#files.close(this.#files.open(ALWAYS_THERE, "read"));
    } catch (thrown) {
      const reason = errnoOf(thrown);
      // Anything else is this file's own matter, and no sign.
      if (reason === "EMFILE" || reason === "ENFILE") this.#warning.tell({ reason });
    }
  }
}
