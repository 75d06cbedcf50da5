/**
 * Responses of one connection that are on their way out, in order: how much memory each holds, and the connection's byte count at which
 * the socket has taken it.
 *
 *     bytes out   ------------------|
 *     responses    [ taken ][ taken |      ][          ]
 *                  given back     ^ written(bytesOut)
 */

import { fail } from "../../base/assert.ts";
import { Ring } from "../../base/ring.ts";
import { giveBack } from "../../protocol/kafka/writer.ts";

interface Unwritten {
  readonly bytes: number;
  readonly atBytesOut: number;
  readonly slabs: readonly Buffer[];
}

export class UnwrittenResponses {
  readonly #responses = new Ring<Unwritten>();

  /** `bytes` are held, and `slabs` in use, until the connection has sent `atBytesOut` bytes in all. */
  add(bytes: number, atBytesOut: number, slabs: readonly Buffer[]): void {
    if (atBytesOut < (this.#responses.last()?.atBytesOut ?? 0))
      fail("a response is written before an earlier one");
    this.#responses.push({ bytes, atBytesOut, slabs });
  }

  /** What those held that are taken now. */
  written(bytesOut: number): number {
    let bytes = 0;
    for (let first = this.#responses.peek(); first !== undefined; first = this.#responses.peek()) {
      if (first.atBytesOut > bytesOut) break;
      this.#responses.shift();
      bytes += first.bytes;
      giveBack(first.slabs);
    }
    return bytes;
  }
}
