/**
 * Where a partition's snapshot is stored, for all partitions of a data directory.
 *
 *     some now and then            its own file, `producers.snapshot` (replacer.ts)
 *     so many under way that       `snapshots.journal`, all that wait with one sync (snapshot-journal.ts); and from then on
 *     must be durable              always there, as what is in the journal counts first
 *     a large one                  its own file in any case; the journal then forgets the one that it had
 *
 * What is requested while a group is being stored goes with the next.
 */

import { MiB } from "../../base/units.ts";
import type { DirectorySyncs } from "./directory-syncs.ts";
import { type FileReplacer, GROUP_MIN } from "./replacer.ts";
import { SNAPSHOT_FILE } from "./snapshot.ts";
import type { SnapshotJournal } from "./snapshot-journal.ts";

/** Of an entry; some 2,000 producers. Larger ones cost more to write again and again than a file of their own. */
const JOURNALED_BYTES_MAX = 128 * 1024;
/** Of all that the journal holds, which is in memory as well: 20,000 partitions with a few producers each. */
const JOURNAL_BYTES_MAX = 16 * MiB;
/** Of a group. */
const GROUP_BYTES_MAX = MiB;

interface Request {
  readonly directory: string;
  readonly content: () => Buffer | null;
  readonly mustBeDurable: boolean;
  readonly resolve: (isDurable: boolean) => void;
  readonly reject: (reason: unknown) => void;
}

interface Taken {
  readonly request: Request;
  readonly name: string;
  readonly content: Buffer;
}

export class StoredSnapshots {
  readonly #journal: SnapshotJournal;
  readonly #replacer: FileReplacer;
  readonly #directorySyncs: DirectorySyncs;
  /** What the directory of a partition begins with. */
  readonly #topics: string;
  #waiting: Request[] = [];
  /** Of those that must be durable, in own files. */
  #inFlight = 0;
  #isRunning = false;

  constructor(
    journal: SnapshotJournal,
    replacer: FileReplacer,
    directorySyncs: DirectorySyncs,
    topics: string,
  ) {
    this.#journal = journal;
    this.#replacer = replacer;
    this.#directorySyncs = directorySyncs;
    this.#topics = `${topics}/`;
  }

  /** Those that wait for the journal. */
  get count(): number {
    return this.#waiting.length;
  }

  /** The one in the journal; undefined when the partition's own file counts. */
  journaled(directory: string): Buffer | undefined {
    return this.#journal.snapshotOf(this.#nameOf(directory));
  }

  /**
   * Replaces a partition's snapshot. `content` is called when the write begins, maybe more than once; null: it is not wanted any more.
   * Resolves with whether it is durable under its name; when it is not, the caller syncs the directory. `mustBeDurable`: the caller
   * would. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR; the old one counts then
   */
  replace(directory: string, content: () => Buffer | null, mustBeDurable: boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ directory, content, mustBeDurable, resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  #nameOf(directory: string): string {
    return directory.slice(this.#topics.length);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve(); // requests of the same turn come along
    while (this.#waiting.length > 0) {
      const requests = this.#waiting;
      this.#waiting = [];
      const urgent = requests.filter(({ mustBeDurable }) => mustBeDurable).length;
      const areMany = this.#inFlight + urgent >= GROUP_MIN;
      const journaled: Request[] = [];
      for (const request of requests) {
        const isHeld = this.#journal.holds(this.#nameOf(request.directory));
        if (isHeld || (areMany && request.mustBeDurable)) journaled.push(request);
        else void this.#replaceFile(request);
      }
      await this.#storeAll(journaled);
    }
    this.#isRunning = false;
  }

  async #replaceFile({ directory, content, mustBeDurable, resolve, reject }: Request): Promise<void> {
    if (mustBeDurable) this.#inFlight += 1;
    try {
      await this.#replacer.replace(`${directory}/${SNAPSHOT_FILE}`, content);
      resolve(false);
    } catch (thrown) {
      reject(thrown);
    } finally {
      if (mustBeDurable) this.#inFlight -= 1;
    }
  }

  async #storeAll(requests: readonly Request[]): Promise<void> {
    let group: Taken[] = [];
    let bytes = 0;
    for (const request of requests) {
      const content = request.content();
      if (content === null) {
        request.resolve(true);
        continue;
      }
      const taken = { request, name: this.#nameOf(request.directory), content };
      if (content.length > JOURNALED_BYTES_MAX || this.#journal.bytes + bytes > JOURNAL_BYTES_MAX) {
        await this.#storeLarge(taken);
        continue;
      }
      group.push(taken);
      bytes += content.length;
      if (bytes < GROUP_BYTES_MAX) continue;
      await this.#storeGroup(group);
      group = [];
      bytes = 0;
    }
    if (group.length > 0) await this.#storeGroup(group);
  }

  async #storeGroup(group: readonly Taken[]): Promise<void> {
    try {
      await this.#journal.store(group);
      for (const { request } of group) request.resolve(true);
    } catch (thrown) {
      for (const { request } of group) request.reject(thrown);
    }
  }

  /** The file first: a crash in between finds the older one in the journal, and nobody was told of the newer. */
  async #storeLarge({ request, name, content }: Taken): Promise<void> {
    const { directory, resolve, reject } = request;
    try {
      await this.#replacer.replace(`${directory}/${SNAPSHOT_FILE}`, () => content);
      await this.#directorySyncs.sync(directory);
      if (this.#journal.holds(name)) await this.#journal.store([{ name, content: null }]);
      resolve(true);
    } catch (thrown) {
      reject(thrown);
    }
  }
}
