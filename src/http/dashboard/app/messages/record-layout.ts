/**
 * Where the lines of a list of messages are, some of which are open:
 *
 *     line 0
 *     line 1
 *       what is in it      as high as it was measured
 *     line 2
 */

export interface Opened {
  readonly index: number;
  readonly height: number;
}

export class RecordLayout {
  readonly #count: number;
  readonly #line: number;
  readonly #opened: readonly Opened[];

  /** `opened`: by index. */
  constructor(count: number, line: number, opened: readonly Opened[]) {
    this.#count = count;
    this.#line = line;
    this.#opened = opened;
  }

  get height(): number {
    return this.topOf(this.#count);
  }

  topOf(index: number): number {
    let top = index * this.#line;
    for (const opened of this.#opened) if (opened.index < index) top += opened.height;
    return top;
  }

  /** The message whose line or content is at `y`; within the list. */
  indexAt(y: number): number {
    let passed = 0;
    let index = -1;
    for (const opened of this.#opened) {
      const top = (opened.index + 1) * this.#line + passed;
      if (y < top) break;
      if (y < top + opened.height) {
        index = opened.index;
        break;
      }
      passed += opened.height;
    }
    if (index === -1) index = Math.floor((y - passed) / this.#line);
    return Math.min(Math.max(index, 0), Math.max(this.#count - 1, 0));
  }
}
