/** What the system tells of this process: its memory, its time, its descriptors. */

import type { Clock } from "./clock.ts";
import { descriptorLimit, openDescriptors } from "./descriptors/descriptor-limit.ts";
import { errnoOf } from "./errors.ts";
import type { Files } from "./files.ts";
import { SECOND_MS } from "./units.ts";

const MICROSECONDS_A_SECOND = 1_000_000;

export class ProcessUsage {
  /** By the Unix epoch, as the wall clock is set now. */
  readonly startedAtMs: number;
  readonly #files: Pick<Files, "exists" | "fileSize" | "listLater">;
  #residentBytes = 0;

  constructor(files: Pick<Files, "exists" | "fileSize" | "listLater">, clock: Clock) {
    this.#files = files;
    this.startedAtMs = Math.round(clock.nowMs() - process.uptime() * SECOND_MS);
  }

  /** Reading it takes a descriptor; without one it is as it was. */
  residentBytes(): number {
    try {
      this.#residentBytes = process.memoryUsage.rss();
    } catch (thrown) {
      // Bun's, without a code.
      if (!(thrown instanceof Error && thrown.name === "SystemError")) throw thrown;
    }
    return this.#residentBytes;
  }

  /** Of all threads, in the program and in the system. */
  cpuSeconds(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / MICROSECONDS_A_SECOND;
  }

  /** Null where the system does not tell, or there is none left to ask with. */
  async openDescriptors(): Promise<number | null> {
    try {
      return await openDescriptors(this.#files);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      return null;
    }
  }

  descriptorLimit(): number | null {
    return descriptorLimit();
  }
}
