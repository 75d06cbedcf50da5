/**
 * Reads on a disk that refuses some of its pages.
 *
 *     the disk      [ page ][ page ][ refused ][ page ]
 *     readBefore    [==============]                      what lies before the refusal, when that is enough
 *     readAround    [==============][  zeros  ][=====]    and the refusal is reported: for who only judges
 *
 * A refusal (EIO, say) may pass, and says nothing about what lies on the disk. So whoever serves or repairs concludes nothing from
 * it: no bytes, no damage, no end. A read that is refused as a whole is tried page by page: the refusal may be about a page that
 * nobody needs.
 */

import { errnoOf } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { KiB } from "../base/units.ts";

/** What a disk reads or refuses as one. */
const PAGE_BYTES = 4 * KiB;

/** Bytes that the disk did not give, and the error of the first of them. */
export interface Refusal {
  position: number;
  bytes: number;
  error: Error;
}

/**
 * As `Files.read` to the front of `target`, but fewer bytes when the disk refuses some after the first `needed`.
 * @throws system errors, when it refuses one of those
 */
export function readBefore(
  files: Files,
  descriptor: number,
  target: Buffer,
  bytes: number,
  position: number,
  needed: number,
): number {
  return readPages(files, descriptor, target, bytes, position, (count, _step, error) => {
    if (count < needed) throw error;
    return false;
  });
}

/** As `Files.read` to the front of `target`, with zeros for what the disk refuses. `refused` is called for each page of them. */
export function readAround(
  files: Files,
  descriptor: number,
  target: Buffer,
  bytes: number,
  position: number,
  refused: (refusal: Refusal) => void,
): number {
  return readPages(files, descriptor, target, bytes, position, (count, step, error) => {
    target.fill(0, count, count + step);
    refused({ position: position + count, bytes: step, error });
    return true;
  });
}

/**
 * One read, or one for each page when the disk refuses that. `goesOn` is called at each page that is refused, after `count` bytes:
 * false ends the read there, true counts its `step` bytes as read.
 */
function readPages(
  files: Files,
  descriptor: number,
  target: Buffer,
  bytes: number,
  position: number,
  goesOn: (count: number, step: number, error: Error) => boolean,
): number {
  try {
    return files.read(descriptor, target, 0, bytes, position);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
  let count = 0;
  while (count < bytes) {
    const step = Math.min(PAGE_BYTES - ((position + count) % PAGE_BYTES), bytes - count);
    let got = step;
    try {
      got = files.read(descriptor, target, count, step, position + count);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined || !(thrown instanceof Error)) throw thrown;
      if (!goesOn(count, step, thrown)) return count;
    }
    count += got;
    if (got < step) return count;
  }
  return count;
}

/** What a disk refused of one file: sorted, and pages that touch each other as one. */
export class Refusals {
  readonly #all: Refusal[] = [];

  record({ position, bytes, error }: Refusal): void {
    const slot = this.#slotAfter(position);
    const before = this.#all[slot - 1];
    const end = position + bytes;
    if (before !== undefined && before.position + before.bytes >= position) {
      before.bytes = Math.max(before.bytes, end - before.position);
    } else this.#all.splice(slot, 0, { position, bytes, error });
  }

  /** Those with a byte in `[start, end)`. */
  within(start: number, end: number): Refusal[] {
    const found: Refusal[] = [];
    for (let slot = this.#slotAfter(end - 1) - 1; slot >= 0; slot -= 1) {
      const refusal = this.#all[slot]!;
      if (refusal.position + refusal.bytes <= start) break;
      found.unshift(refusal);
    }
    return found;
  }

  has(start: number, end: number): boolean {
    const last = this.#all[this.#slotAfter(end - 1) - 1];
    return last !== undefined && last.position + last.bytes > start;
  }

  /** The first slot whose refusal begins after `position`. */
  #slotAfter(position: number): number {
    let low = 0;
    let high = this.#all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#all[middle]!.position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Reads one file for a scan. What the disk refuses goes to `refusals`, with zeros in its place; where they are null it is thrown. */
export class PageReader {
  readonly #files: Files;
  readonly #descriptor: () => number;
  readonly #refusals: Refusals | null;

  /** `descriptor` is called before each read: it may be another one between two steps of a scan. */
  constructor(files: Files, descriptor: () => number, refusals: Refusals | null) {
    this.#files = files;
    this.#descriptor = descriptor;
    this.#refusals = refusals;
  }

  /** Up to `bytes` bytes from `position` to the front of `target`; fewer at the file's end, or when the disk refuses some after `needed`. */
  read(target: Buffer, bytes: number, position: number, needed: number): number {
    const refusals = this.#refusals;
    if (refusals === null)
      return readBefore(this.#files, this.#descriptor(), target, bytes, position, needed);
    return readAround(this.#files, this.#descriptor(), target, bytes, position, (refusal) =>
      refusals.record(refusal),
    );
  }

  /** Whether some of the bytes were refused: the zeros in their place would be taken for what a producer sent. */
  isRefused(position: number, bytes: number): boolean {
    return this.#refusals?.has(position, position + bytes) === true;
  }
}
