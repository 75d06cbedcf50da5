/**
 * A cache of index file pages for all partitions, bounded in bytes. The oldest page is evicted first, unless it was used since it was
 * last passed over (CLOCK).
 *
 * A page belongs to an opening of a segment's index (`SealedIndex`), not to the file: what is opened anew has a number of its own, and
 * pages of dropped openings are evicted in their turn. Nothing is mapped: a file that is cut under a map, and a
 * page that the disk does not give, end the process, where a read is an error (docs/decisions/index-pages.md).
 */

import { fail } from "../../base/assert.ts";
import { MiB } from "../../base/units.ts";

/**
 * A search in the largest usual index touches 9 of its pages, so that some 250 such segments are searched without a read. A read from the
 * page cache takes about 10 us.
 */
export const INDEX_PAGES_BYTES_MAX = 8 * MiB;
/** Entries of a page: 4 KiB of an offset index, 6 KiB of a time index. */
export const PAGE_ENTRIES = 512;
/** What a page takes beside its bytes, about: most indexes of small segments are shorter than that. */
const PAGE_OVERHEAD_BYTES = 256;
/** Two files to an opening, and more pages than the largest segment's index has. */
const FILE_PAGES_MAX = 2 ** 20;

interface Page {
  readonly bytes: Buffer;
  /** Since it was added, or passed over for it. */
  isUsed: boolean;
}

export class IndexPages {
  readonly #bytesMax: number;
  /** By opening, file and number; in the order of eviction. */
  readonly #pages = new Map<number, Page>();
  #bytes = 0;
  #openings = 0;

  constructor(bytesMax = INDEX_PAGES_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** What the pages take. At most the bound. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keys for the pages of one file of an opening that is made now: its first page's, the others follow. */
  keysFor(): number {
    this.#openings += 1;
    return this.#openings * FILE_PAGES_MAX;
  }

  get(key: number): Buffer | undefined {
    const page = this.#pages.get(key);
    if (page === undefined) return undefined;
    page.isUsed = true;
    return page.bytes;
  }

  /** Keeps a page that is not kept yet, for as long as there is room. It must not change any more. */
  add(key: number, bytes: Buffer): void {
    if (this.#pages.has(key)) fail("a page is read that is in memory already");
    this.#pages.set(key, { bytes, isUsed: false });
    this.#bytes += bytes.length + PAGE_OVERHEAD_BYTES;
    if (this.#bytes > this.#bytesMax) this.#makeRoom();
  }

  /** A page that was used goes to the end of the order, once. */
  #makeRoom(): void {
    for (const [key, page] of this.#pages) {
      this.#pages.delete(key);
      if (page.isUsed) {
        page.isUsed = false;
        this.#pages.set(key, page);
        continue;
      }
      this.#bytes -= page.bytes.length + PAGE_OVERHEAD_BYTES;
      if (this.#bytes <= this.#bytesMax) return;
    }
  }
}
