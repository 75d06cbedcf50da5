/**
 * A queue in a ring buffer: add at the back, take from the front, both O(1), no shifting and no garbage.
 *
 *      head          tail
 *        v             v
 *   [ . [a] [b] [c] [d] . . ]     capacity is a power of two and doubles when full, up to `capacityMax`
 *
 * One that was never filled has no slots: each connection has several. The caller bounds it: `push` on a full ring of
 * `capacityMax` is a bug and fails.
 */

import { fail } from "./assert.ts";

const CAPACITY_MIN = 16;
const NO_SLOTS: never[] = [];

export class Ring<T> {
  readonly #capacityMax: number;
  #slots: (T | undefined)[] = NO_SLOTS;
  #head = 0;
  #count = 0;

  constructor(capacityMax = 2 ** 30) {
    this.#capacityMax = capacityMax;
  }

  get count(): number {
    return this.#count;
  }

  push(value: T): void {
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#count) & (this.#slots.length - 1)] = value;
    this.#count += 1;
  }

  /** The item `index` places after the front, or undefined when there is none. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#count) return undefined;
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)];
  }

  /** Puts another item in place of the one that is `index` places after the front. */
  replace(index: number, value: T): void {
    if (!(index >= 0 && index < this.#count)) fail("only what is in the ring can be replaced");
    this.#slots[(this.#head + index) & (this.#slots.length - 1)] = value;
  }

  /** The front item without taking it, or undefined when empty. */
  peek(): T | undefined {
    return this.#slots[this.#head];
  }

  /** The item that was pushed last, or undefined when empty. */
  last(): T | undefined {
    return this.at(this.#count - 1);
  }

  /** Takes the front item, or undefined when empty. */
  shift(): T | undefined {
    if (this.#count === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#count -= 1;
    return value;
  }

  clear(): void {
    this.#slots = NO_SLOTS;
    this.#head = 0;
    this.#count = 0;
  }

  #grow(): void {
    const capacity = Math.max(this.#slots.length * 2, CAPACITY_MIN);
    if (capacity > this.#capacityMax) fail("a ring grew beyond its limit");
    const slots = new Array<T | undefined>(capacity).fill(undefined);
    for (let index = 0; index < this.#count; index += 1) slots[index] = this.at(index);
    this.#slots = slots;
    this.#head = 0;
  }
}
