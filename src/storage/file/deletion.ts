/**
 * Deletes what lies under `topics/`: a topic, a partition, a file, or a link to one of them. Which names are deleted, and in which order, is
 * decided here once (`deletionOf`); at once (`deleteNow`, for a start) or one by one in the thread pool (`Deletions`), so that
 * neither the number of files nor their size holds up the event loop.
 *
 *   - Links. In the target of a link only our own files are deleted (segments, indexes, snapshots in numbered folders), then the link;
 *     the target folder stays, because somebody else made it. A file that is the target of a link is emptied and stays as well.
 *   - An error ends it. What is left is deleted by the next attempt.
 *   - One name at a time, over all deletions: the thread pool has few threads, and records are synced by them.
 */

import { TEMPORARY_SUFFIX } from "../../base/disk.ts";
import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files, ListedName } from "../../base/files.ts";
import { Turnstile } from "../../base/loop/turns.ts";
import { parseSegmentName } from "./segment.ts";
import { SNAPSHOT_FILE } from "./snapshot.ts";

const PARTITION_PATTERN = /^\d{1,9}$/;

/** The generator is resumed with the names for "list", and with nothing otherwise. */
interface Step {
  readonly action: "list" | "removeFile" | "removeDirectory";
  readonly path: string;
}

type Deletion = Generator<Step, void, ListedName[]>;

const NOTHING: ListedName[] = [];

/** @throws system errors */
export function deleteNow(files: Files, path: string): void {
  const steps = deletionOf(files, path);
  for (let step = steps.next(); step.done !== true; ) {
    const { action, path: at } = step.value;
    let listed = NOTHING;
    if (action === "list") listed = listNow(files, at);
    else files[action](at);
    step = steps.next(listed);
  }
}

export class Deletions {
  readonly #files: Files;
  readonly #turnstile = new Turnstile(1);
  #isClosed = false;

  constructor(files: Files) {
    this.#files = files;
  }

  /** @throws system errors, ObeliskError KAFKA_STORAGE_ERROR when it is closed meanwhile */
  delete(path: string): Promise<void> {
    return this.#run(deletionOf(this.#files, path));
  }

  /**
   * Deletes what is in a folder, or in the target of a link, as far as the disk allows, and leaves the folder or the link.
   * @throws ObeliskError KAFKA_STORAGE_ERROR when it is closed meanwhile
   */
  async empty(path: string): Promise<void> {
    await unlessRefused(async () => {
      if (this.#files.isLink(path)) return await this.#run(deleteLinkTarget(this.#files, path));
      for (const { name } of await this.#inTurn({ action: "list", path }))
        await unlessRefused(() => this.delete(`${path}/${name}`));
    });
  }

  /** Begins nothing more. What is in flight has ended when it resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turnstile.run(async () => {});
  }

  async #run(steps: Deletion): Promise<void> {
    let listed = NOTHING;
    for (let step = steps.next(); step.done !== true; step = steps.next(listed)) {
      listed = await this.#inTurn(step.value);
    }
  }

  #inTurn(step: Step): Promise<ListedName[]> {
    return this.#turnstile.run(() => this.#do(step));
  }

  async #do({ action, path }: Step): Promise<ListedName[]> {
    if (this.#isClosed)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", { detail: "the server is shutting down" });
    if (action === "list") return await this.#files.listLater(path);
    if (action === "removeFile") await this.#files.removeFileLater(path);
    else await this.#files.removeDirectoryLater(path);
    return NOTHING;
  }
}

async function unlessRefused(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (thrown instanceof ObeliskError || errnoOf(thrown) === undefined) throw thrown;
  }
}

function deletionOf(files: Files, path: string): Deletion {
  const isLink = files.isLink(path);
  return deleteEntry(files, path, { isLink, isDirectory: !isLink && files.isDirectory(path) });
}

/** Deletes a file, a folder with its content, or a link with our own files in its target. */
function* deleteEntry(
  files: Files,
  path: string,
  { isLink, isDirectory }: Omit<ListedName, "name">,
): Deletion {
  if (isDirectory) {
    for (const inner of yield { action: "list", path })
      yield* deleteEntry(files, `${path}/${inner.name}`, inner);
    yield { action: "removeDirectory", path };
    return;
  }
  if (isLink) yield* deleteLinkTarget(files, path);
  yield { action: "removeFile", path };
}

/** `path` is a link to a topic, to a partition, or to one of a partition's files. */
function* deleteLinkTarget(files: Files, path: string): Deletion {
  if (!files.exists(path)) return;
  if (!files.isDirectory(path)) {
    emptyFile(files, path);
    return;
  }
  for (const found of yield { action: "list", path }) {
    const inner = `${path}/${found.name}`;
    if (isPartitionFile(found.name)) yield* deleteEntry(files, inner, found);
    else if (PARTITION_PATTERN.test(found.name) && files.isDirectory(inner))
      yield* deletePartition(files, inner);
  }
}

function* deletePartition(files: Files, path: string): Deletion {
  for (const found of yield { action: "list", path })
    if (isPartitionFile(found.name)) yield* deleteEntry(files, `${path}/${found.name}`, found);
  if (files.isLink(path)) yield { action: "removeFile", path };
  else if ((yield { action: "list", path }).length === 0) yield { action: "removeDirectory", path };
}

function isPartitionFile(name: string): boolean {
  const plain = name.endsWith(TEMPORARY_SUFFIX) ? name.slice(0, -TEMPORARY_SUFFIX.length) : name;
  return plain === SNAPSHOT_FILE || parseSegmentName(plain) !== null;
}

/** Deletes the records; the file itself belongs to whoever made the link. */
function emptyFile(files: Files, path: string): void {
  if (!isPartitionFile(path.slice(path.lastIndexOf("/") + 1))) return;
  const descriptor = files.open(path, "update");
  try {
    files.truncate(descriptor, 0);
  } finally {
    files.close(descriptor);
  }
}

function listNow(files: Files, directory: string): ListedName[] {
  return files.list(directory).map((listed) => {
    const name = listed.endsWith("/") ? listed.slice(0, -1) : listed;
    const isLink = files.isLink(`${directory}/${name}`);
    return { name, isDirectory: !isLink && listed.endsWith("/"), isLink };
  });
}
