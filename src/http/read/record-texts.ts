/** Records as texts of JSON, in slices of the loop's time. */

import type { Clock } from "../../base/clock.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { type PlacedRecord, recordJson } from "../../protocol/record/record-json.ts";

/** Records between two looks at the clock. */
const RECORDS_AT_ONCE = 64;

export async function recordTexts(records: readonly PlacedRecord[], clock: Clock): Promise<string[]> {
  const share = new TurnShare(clock);
  const texts: string[] = [];
  for (const record of records) {
    texts.push(JSON.stringify(recordJson(record)));
    if (texts.length % RECORDS_AT_ONCE === 0 && share.isUsedUp) await share.rest();
  }
  return texts;
}
