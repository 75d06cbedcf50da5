/**
 * The snapshots in `snapshots.journal` of a data directory, for who reads beside a server that may be writing there: `verify` and
 * `inspect`. What is in it counts before a partition's own file.
 */

import type { Files } from "../base/files.ts";
import { SNAPSHOT_JOURNAL, scanJournal } from "./file/snapshot-journal-format.ts";

export class JournaledSnapshots {
  readonly #files: Files;
  readonly #path: string;
  #identity: string | null = null;
  #end = 0;
  #snapshots = new Map<string, Buffer>();
  /** Where there is damage between groups; -1 when there is none. */
  damagedAt = -1;

  /** `root`: the data directory, if it is one. */
  constructor(files: Files, root: string) {
    this.#files = files;
    this.#path = `${root}/${SNAPSHOT_JOURNAL}`;
  }

  /** As it is now; undefined when the partition's own file counts. @throws system errors */
  snapshotOf(topic: string, partition: number): Buffer | undefined {
    this.refresh();
    return this.#snapshots.get(`${topic}/${partition}`);
  }

  /** Reads the file if it has changed. @throws system errors */
  refresh(): void {
    const identity = this.#files.identity(this.#path);
    if (identity === this.#identity && (identity === null || !this.#hasGrown())) return;
    this.#identity = identity;
    this.#snapshots = new Map();
    this.#end = 0;
    if (identity === null) return;
    const { end, damagedAt } = scanJournal(this.#files.readFile(this.#path), this.#snapshots);
    this.#end = end;
    this.damagedAt = damagedAt;
  }

  /** Whether a group begins where there was none. */
  #hasGrown(): boolean {
    const head = Buffer.alloc(4);
    const descriptor = this.#files.open(this.#path, "read");
    try {
      return this.#files.read(descriptor, head, 0, head.length, this.#end) === 4 && head.readInt32BE(0) !== 0;
    } finally {
      this.#files.close(descriptor);
    }
  }
}
