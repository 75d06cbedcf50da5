/**
 * Checkpoints the write-ahead log of `meta.db` into the file, so that the log stays short. SQLite does so by itself within a commit,
 * and waits there for its sync of the file: the event loop stood still for 100 ms after a large commit, and longer on a busy disk. So
 * its automatic checkpoint is off, and the two steps are separate:
 *
 *     log synced up to its end -> pages copied into the file, by SQLite, without a sync -> the file synced, in the thread pool
 *
 *   - Nothing is written to the log in between. SQLite would restart it, and a power cut could then take what the file does not have yet.
 *   - SQLite's next commit restarts the log, and syncs its header first: frames of two logs are never mixed up.
 *   - When the sync of the file fails only the log can be trusted. It must be neither restarted nor deleted, and the next start reads
 *     it from its beginning.
 */

import type { SQL } from "bun";
import { errnoOf } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import { MiB } from "../../../base/units.ts";

/** Each takes a page of the log, and often three: 8 to 24 MB of log, copied in 5 to 10 ms. */
const CHANGES_MAX = 1024;
const CHANGED_BYTES_MAX = 4 * MiB;

export class StateCheckpoint {
  readonly #files: Files;
  readonly #sql: SQL;
  /** Of the file. Closing it releases the locks that SQLite holds on the file for this process. */
  readonly #descriptor: number;
  #changes = 0;
  #bytes = 0;
  /** The file may lack what the log would drop. */
  hasFailed = false;

  constructor(files: Files, path: string, sql: SQL) {
    this.#files = files;
    this.#sql = sql;
    this.#descriptor = files.open(path, "update");
  }

  /** Counts what was written to the log. */
  recordChanges(changes: number, bytes: number): void {
    this.#changes += changes;
    this.#bytes += bytes;
  }

  get isDue(): boolean {
    return this.#changes >= CHANGES_MAX || this.#bytes >= CHANGED_BYTES_MAX;
  }

  /** Copies the log, all of which is synced. False when that could not be done now, and nothing has changed; else `sync` must follow. */
  async copy(): Promise<boolean> {
    this.#changes = 0;
    this.#bytes = 0;
    await this.#sql.unsafe("PRAGMA synchronous=OFF");
    try {
      const rows: { busy: number }[] = await this.#sql.unsafe("PRAGMA wal_checkpoint(PASSIVE)");
      return rows[0]?.busy === 0;
    } catch (thrown) {
      // A full disk, say. The log stays as it is.
      if (!errnoOf(thrown)?.startsWith("SQLITE_")) throw thrown;
      return false;
    } finally {
      await this.#sql.unsafe("PRAGMA synchronous=NORMAL");
    }
  }

  /** Before anything is written to the log again. @throws system errors */
  async sync(): Promise<void> {
    try {
      await this.#files.sync(this.#descriptor);
    } catch (thrown) {
      this.hasFailed = true;
      throw thrown;
    }
  }

  /** After SQLite has closed. */
  close(): void {
    this.#files.close(this.#descriptor);
  }
}
