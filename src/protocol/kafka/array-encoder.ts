/**
 * Encodes a long array element by element, so that nobody has to hold the elements, nor to encode them in one turn. What
 * `finish` returns is given for the array in the response that it belongs to:
 *
 *   const partitions = metadataApi.responseArray<Partition>(version, "topics", "partitions");
 *   for (...) partitions.push(describe(partition));
 *   const topic = { name, partitions: partitions.finish() };
 *
 * Each has a writer of its own (writer.ts): several may be under way, and frames are encoded meanwhile.
 */

import type { WriteFunction } from "./compile.ts";
import { Writer } from "./writer.ts";

/** Below this an encoder (64 KiB of its own) costs more than the elements. */
const ENCODED_FROM = 256;

/** Stands for an array: as long, and encoded already. `compile.ts` knows it by its parts. */
interface EncodedArray {
  readonly length: number;
  readonly parts: readonly Buffer[];
  /** What the parts lie in (writer.ts). */
  readonly slabs: readonly Buffer[];
}

export class ArrayEncoder<Element> {
  readonly #write: WriteFunction;
  readonly #writer = new Writer();
  #length = 0;

  /** `write` writes one element. */
  constructor(write: WriteFunction) {
    this.#write = write;
    this.#writer.beginElements();
  }

  push(element: Element): void {
    this.#write(this.#writer, element);
    this.#writer.complete();
    this.#length += 1;
  }

  /** The array, for a response alone: nobody but the response's encoder can read it. May stand in it more than once. */
  finish(): readonly Element[] {
    const encoded: EncodedArray = { length: this.#length, ...this.#writer.finishElements() };
    return encoded as unknown as readonly Element[];
  }
}

/** Elements of an array of which it is not known whether there will be many: they are encoded from there on. */
export class LongArray<Element> {
  readonly #open: () => ArrayEncoder<Element>;
  readonly #elements: Element[] = [];
  #encoder: ArrayEncoder<Element> | null = null;

  /** `open` makes the encoder, when one is needed. */
  constructor(open: () => ArrayEncoder<Element>) {
    this.#open = open;
  }

  push(element: Element): void {
    if (this.#encoder !== null) this.#encoder.push(element);
    else if (this.#elements.push(element) === ENCODED_FROM) {
      this.#encoder = this.#open();
      for (const each of this.#elements.splice(0)) this.#encoder.push(each);
    }
  }

  /** As that of an `ArrayEncoder`. */
  finish(): readonly Element[] {
    return this.#encoder?.finish() ?? this.#elements;
  }
}
