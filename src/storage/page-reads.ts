/**
 * Reads on a disk that refuses some of its pages.
 *
 *     the disk      [ page ][ page ][ refused ][ page ]
 *     readBefore    [==============]                      what lies before the refusal, when that is enough
 *     readAround    [==============][  zeros  ][=====]    and the refusal is told: for who only judges
 *
 * A refusal may pass, and says nothing about what lies on the disk. So whoever serves or mends takes nothing from it: no bytes, no
 * damage, no end. A read that is refused as a whole is tried page by page: the refusal may be about a page that nobody needs.
 */

import { errnoOf } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { KiB } from "../base/units.ts";

/** What a disk reads or refuses as one. */
const PAGE_BYTES = 4 * KiB;

/** Bytes that the disk did not give, and what the system said to the first of them. */
export interface Refusal {
  position: number;
  bytes: number;
  error: Error;
}

/**
 * As `Files.read` to the front of `target`, but fewer bytes when the disk refuses some behind the first `needed`.
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
  try {
    return files.read(descriptor, target, 0, bytes, position);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
  let count = 0;
  while (count < bytes) {
    const step = stepAt(position + count, bytes - count);
    try {
      const got = files.read(descriptor, target, count, step, position + count);
      count += got;
      if (got < step) return count;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined || count < needed) throw thrown;
      return count;
    }
  }
  return count;
}

/** As `Files.read` to the front of `target`, with zeros for what the disk refuses. `refused` is told of each page of them. */
export function readAround(
  files: Files,
  descriptor: number,
  target: Buffer,
  bytes: number,
  position: number,
  refused: (refusal: Refusal) => void,
): number {
  try {
    return files.read(descriptor, target, 0, bytes, position);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
  let count = 0;
  while (count < bytes) {
    const step = stepAt(position + count, bytes - count);
    try {
      const got = files.read(descriptor, target, count, step, position + count);
      if (got < step) return count + got;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined || !(thrown instanceof Error)) throw thrown;
      target.fill(0, count, count + step);
      refused({ position: position + count, bytes: step, error: thrown });
    }
    count += step;
  }
  return count;
}

/** Up to the end of the page that holds `position`. */
function stepAt(position: number, rest: number): number {
  return Math.min(PAGE_BYTES - (position % PAGE_BYTES), rest);
}

/** What a disk refused of one file: sorted, and pages that touch each other as one. */
export class Refusals {
  readonly #all: Refusal[] = [];

  note({ position, bytes, error }: Refusal): void {
    const slot = this.#slotBehind(position);
    const before = this.#all[slot - 1];
    const end = position + bytes;
    if (before !== undefined && before.position + before.bytes >= position) {
      before.bytes = Math.max(before.bytes, end - before.position);
    } else this.#all.splice(slot, 0, { position, bytes, error });
  }

  /** Those with a byte in `[start, end)`. */
  within(start: number, end: number): Refusal[] {
    const found: Refusal[] = [];
    for (let slot = this.#slotBehind(end - 1) - 1; slot >= 0; slot -= 1) {
      const refusal = this.#all[slot]!;
      if (refusal.position + refusal.bytes <= start) break;
      found.unshift(refusal);
    }
    return found;
  }

  has(start: number, end: number): boolean {
    const last = this.#all[this.#slotBehind(end - 1) - 1];
    return last !== undefined && last.position + last.bytes > start;
  }

  /** The first slot whose refusal begins behind `position`. */
  #slotBehind(position: number): number {
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
