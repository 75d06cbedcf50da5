/** Names that stand in many places, kept once: a small number for each, given back when nobody uses the name any more. */

import { fail } from "../base/assert.ts";

export class NameTable {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #uses: number[] = [];
  readonly #free: number[] = [];
  /** UTF-8 bytes of the names that are in use. */
  bytes = 0;

  /** The number of a name, -1 when nobody uses it. */
  find(name: string): number {
    return this.#numbers.get(name) ?? -1;
  }

  nameOf(number: number): string {
    return this.#names[number]!;
  }

  /** Counts one more use, and gives the name a number when it has none. */
  use(name: string): number {
    const known = this.#numbers.get(name);
    const number = known ?? this.#free.pop() ?? this.#names.length;
    if (known === undefined) {
      this.#numbers.set(name, number);
      this.#names[number] = name;
      this.#uses[number] = 0;
      this.bytes += Buffer.byteLength(name);
    }
    this.#uses[number]! += 1;
    return number;
  }

  /** Takes one use back; the last one drops the name. */
  release(number: number): void {
    const uses = (this.#uses[number] ?? 0) - 1;
    if (uses < 0) fail("a name is given back more often than it was used");
    this.#uses[number] = uses;
    if (uses > 0) return;
    const name = this.#names[number]!;
    this.bytes -= Buffer.byteLength(name);
    this.#numbers.delete(name);
    this.#names[number] = "";
    this.#free.push(number);
  }

  names(): IterableIterator<string> {
    return this.#numbers.keys();
  }
}
