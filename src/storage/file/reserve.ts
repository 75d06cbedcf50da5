/**
 * Disk space that is kept for a start on a full disk: `reserve/`, sixteen files of 64 KiB that hold nothing.
 *
 *   start     hardly any space left           -> the files are deleted; SQLite's log and index and what a start writes fit in their place
 *   running   after the start, at each tick   -> as many as fit are made again
 *   deleting  no space for a log start        -> one is deleted: what leaves then gives more
 *   stop      no space for the clean flag     -> one is deleted
 *
 * Without it a server on a full disk, once stopped, could not start again, and so could not delete the topics that fill it. A
 * running server needs no reserve: a topic's removal begins with a rename (topic-directories.ts).
 *
 *   - They are files, not one file, because a file system may have run out of inodes and not of bytes.
 *   - They hold random bytes: a file system could store zeros without using any space.
 *   - Nothing here fails a start: a reserve that cannot be made is made later.
 */

import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { KiB } from "../../base/units.ts";

export const RESERVE = "reserve";

/** 1 MiB in all: a start takes about 70 KiB, three names, and what a few changes of the state need. */
const PIECES = 16;
const PIECE_BYTES = 64 * KiB;
/** What a piece leaves free beside itself, so that making the reserve again does not fill the disk to the last byte. */
const SLACK_BYTES = 16 * KiB;
const SLACK_FILES = 2;

export class Reserve {
  readonly #files: Files;
  readonly #root: string;
  readonly #path: string;
  #isWhole = false;

  /** `root`: the data directory, whose owner the caller is. */
  constructor(files: Files, root: string) {
    this.#files = files;
    this.#root = root;
    this.#path = `${root}/${RESERVE}`;
  }

  /** What is kept; 0 as long as some of it is missing. */
  get bytes(): number {
    return this.#isWhole ? PIECES * PIECE_BYTES : 0;
  }

  /** Frees the space when there is hardly any other. Call it before anything is written. */
  release(): void {
    const files = this.#files;
    this.#quietly(() => {
      const { freeBytes, freeFiles } = files.space(this.#root);
      if (freeBytes >= PIECES * PIECE_BYTES && freeFiles >= PIECES) return;
      if (!files.exists(this.#path)) return;
      for (const name of files.list(this.#path)) files.removeFile(`${this.#path}/${name}`);
      files.syncDirectory(this.#path);
    });
    this.#isWhole = false;
  }

  /** Frees one piece, for a stop that finds no space for the clean-shutdown flag, or for a log start; false when there is none. */
  releaseOne(): boolean {
    const files = this.#files;
    let isReleased = false;
    this.#quietly(() => {
      const name = files.exists(this.#path) ? files.list(this.#path).at(-1) : undefined;
      if (name === undefined) return;
      files.removeFile(`${this.#path}/${name}`);
      this.#isWhole = false;
      isReleased = true;
    });
    return isReleased;
  }

  /** Makes what is missing, as far as there is space. Cheap when nothing is. */
  fill(): void {
    if (this.#isWhole) return;
    const files = this.#files;
    this.#quietly(() => {
      if (!files.exists(this.#path)) files.makeDirectory(this.#path);
      const content = Buffer.from(crypto.getRandomValues(new Uint8Array(PIECE_BYTES)));
      for (let number = 0; number < PIECES; number += 1) {
        const path = `${this.#path}/${number}`;
        if (files.exists(path)) continue;
        const { freeBytes, freeFiles } = files.space(this.#root);
        if (freeBytes < PIECE_BYTES + SLACK_BYTES || freeFiles <= SLACK_FILES) return;
        this.#make(path, content);
      }
      this.#isWhole = true;
    });
  }

  #make(path: string, content: Buffer): void {
    const files = this.#files;
    const descriptor = files.open(path, "create");
    try {
      files.write(descriptor, content, 0, content.length, 0);
    } catch (thrown) {
      files.removeFile(path);
      throw thrown;
    } finally {
      files.close(descriptor);
    }
  }

  #quietly(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
    }
  }
}
