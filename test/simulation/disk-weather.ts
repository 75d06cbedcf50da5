/**
 * The weather of the simulated disk: how long operations take (the scheduler's word), which of them fail (by the rates of the
 * profile, while it is bad), and after how many of them the process or the power goes away.
 *
 * A life can so end between any two operations, in the middle of what runs without giving way to anything: from there on the
 * disk is not the world's any more, and what happens to it counts for nothing.
 */

import type { Files } from "../../src/base/files.ts";
import type { Weather } from "../support/simulated-files.ts";
import { type Errno, systemError } from "../support/system-error.ts";
import type { FaultRates } from "./profile.ts";
import type { Scheduler } from "./scheduler.ts";

type Operation = keyof Files;

const CHANGES: readonly Operation[] = [
  "write",
  "truncate",
  "replace",
  "makeDirectory",
  "rename",
  "removeFile",
  "removeDirectory",
  "syncNow",
  "sync",
  "syncAll",
  "syncDirectory",
];
const READS: readonly Operation[] = ["read", "readCached", "readLater", "readFile"];
const OPENS: readonly Operation[] = ["open", "readFile", "replace", "list", "syncDirectory"];
const GROWS: readonly Operation[] = ["write", "replace", "makeDirectory", "rename"];
const GUARDED: readonly Operation[] = ["open", "rename", "removeFile", "makeDirectory", "list", "truncate"];

export class DiskWeather implements Weather {
  readonly #random: () => number;
  readonly #rates: FaultRates;
  readonly #scheduler: Scheduler;
  /** Called before each failure, for the history. */
  readonly #told: (what: string) => void;
  isBad = false;
  /** A directory could not be written: as a file system whose journal failed, the disk takes nothing more until it is mounted again. */
  isDown = false;
  /** While the system writes back by itself. */
  isBackground = false;
  #operationsLeft = Number.POSITIVE_INFINITY;
  #end: (() => void) | null = null;

  constructor(random: () => number, rates: FaultRates, scheduler: Scheduler, told: (what: string) => void) {
    this.#random = random;
    this.#rates = rates;
    this.#scheduler = scheduler;
    this.#told = told;
  }

  /** Calls `end` before the nth operation from now. */
  endBefore(nth: number, end: () => void): void {
    this.#operationsLeft = nth;
    this.#end = end;
  }

  before(operation: Operation, path: string): void {
    this.#operationsLeft -= 1;
    if (this.#operationsLeft === 0) this.#end?.();
    if (this.isDown && CHANGES.includes(operation)) throw systemError("EROFS", operation);
    if (!this.isBad) return;
    const errno = this.#faultOf(operation);
    if (errno === null) return;
    this.#told(`${errno} on ${operation} ${path}`);
    throw systemError(errno, operation);
  }

  delay(operation: Operation, path: string): Promise<void> {
    return this.#scheduler.wait(`${operation} ${path}`);
  }

  cachedOf(bytes: number): number {
    const luck = this.#random();
    if (luck < 0.6) return bytes;
    return luck < 0.8 ? 0 : Math.floor(bytes * this.#random());
  }

  writeBack(path: string, kind: "file" | "directory"): Errno | null {
    const ofFiles = this.isBackground ? this.#rates.background : this.#rates.writeBack;
    const rate = kind === "file" ? ofFiles : this.#rates.directorySync;
    if (!this.isBad || !this.#happens(rate)) return null;
    const errno = this.#random() < 0.8 ? "EIO" : "ENOSPC";
    if (kind === "directory") this.isDown = true;
    this.#told(`${errno} on write-back of ${path}${this.isDown ? "; the disk takes nothing more" : ""}`);
    return errno;
  }

  #faultOf(operation: Operation): Errno | null {
    const { read, descriptors, space, access } = this.#rates;
    if (READS.includes(operation) && this.#happens(read)) return "EIO";
    if (OPENS.includes(operation) && this.#happens(descriptors)) return "EMFILE";
    if (GROWS.includes(operation) && this.#happens(space)) return "ENOSPC";
    if (GUARDED.includes(operation) && this.#happens(access))
      return operation === "truncate" ? "EIO" : "EACCES";
    return null;
  }

  #happens(rate: number): boolean {
    return rate > 0 && this.#random() < rate;
  }
}
