/** A long array of a response is encoded in slices of time, so that nobody waits for the whole of it. */

import type { TurnShare } from "../../base/loop/turn-share.ts";
import type { LongArray } from "../../protocol/kafka/array-encoder.ts";

export async function pushInTurns<Element>(
  elements: readonly Element[],
  array: LongArray<Element>,
  share: TurnShare,
): Promise<void> {
  for (const element of elements) {
    if (share.isUsedUp) await share.rest();
    array.push(element);
  }
}
