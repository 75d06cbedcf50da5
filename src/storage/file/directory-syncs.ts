/**
 * Makes directory entries durable for many partitions at a time: a log start counts when the name of the file that holds it does.
 *
 *     few directories    an fsync for each, in the thread pool
 *     many               one syncfs
 *
 *   - What is requested while some are synced goes with the next.
 *   - A failure is told to everybody who waited, and nothing is tried again here: whoever wants it writes a new file first.
 */

import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import type { DescriptorPool } from "./pool.ts";
import { GROUP_MIN } from "./replacer.ts";

interface Waiting {
  readonly directory: string;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export class DirectorySyncs {
  readonly #files: Files;
  readonly #pool: DescriptorPool;
  #waiting: Waiting[] = [];
  #isRunning = false;

  constructor(files: Files, pool: DescriptorPool) {
    this.#files = files;
    this.#pool = pool;
  }

  /** @throws system errors, ObeliskError KAFKA_STORAGE_ERROR */
  sync(directory: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ directory, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve(); // requests of the same turn come along
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      for (const some of this.#byDevice(group)) await this.#syncSome(some);
    }
    this.#isRunning = false;
  }

  #byDevice(group: readonly Waiting[]): Iterable<readonly Waiting[]> {
    if (group.length < GROUP_MIN) return [group];
    const found = new Map<string, Waiting[]>();
    for (const each of group) {
      try {
        const device = this.#files.device(each.directory);
        const others = found.get(device);
        if (others === undefined) found.set(device, [each]);
        else others.push(each);
      } catch (thrown) {
        each.reject(thrown);
      }
    }
    return found.values();
  }

  async #syncSome(group: readonly Waiting[]): Promise<void> {
    if (group.length >= GROUP_MIN && (await this.#syncAll(group))) return;
    for (const { directory, resolve, reject } of group)
      await this.#files.syncDirectoryLater(directory).then(resolve, reject);
  }

  /** False when it could not be tried. */
  async #syncAll(group: readonly Waiting[]): Promise<boolean> {
    const { syncAll } = this.#files;
    const { directory } = group[0]!;
    if (syncAll === undefined || !this.#files.tellsFailures(directory)) return false;
    let descriptor = -1;
    try {
      descriptor = this.#pool.withRoom(directory, () => this.#files.open(directory, "read"));
      await syncAll.call(this.#files, descriptor);
      for (const { resolve } of group) resolve();
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOSYS") return false;
      for (const { reject } of group) reject(thrown);
    } finally {
      if (descriptor >= 0) this.#files.close(descriptor);
    }
    return true;
  }
}
