/** A long array of a response is encoded in slices of time, so that nobody waits for the whole of it. */

import { TurnShare } from "../../base/loop/turn-share.ts";
import { type ArrayEncoder, LongArray } from "../../protocol/kafka/array-encoder.ts";
import type { KafkaContext } from "./context.ts";

/** Elements that are encoded with the response, in its turn. */
const ENCODED_AT_ONCE = 500;

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

/** The same elements for a response alone (array-encoder.ts), encoded where they are many; `open` makes the encoder then. */
export async function encodedInTurns<Element>(
  context: KafkaContext,
  elements: readonly Element[],
  open: () => ArrayEncoder<Element>,
): Promise<readonly Element[]> {
  if (elements.length <= ENCODED_AT_ONCE) return elements;
  const share = new TurnShare(context.clock);
  const array = new LongArray(open);
  await share.rest();
  await pushInTurns(elements, array, share);
  return array.finish();
}
