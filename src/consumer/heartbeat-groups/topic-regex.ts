/**
 * Regular expressions of topic names, in the syntax of RE2 and with its promise: the time to match grows with the name, never beyond it.
 * A name is matched as a whole, as Kafka does.
 *
 * What is large is refused before anybody pays for it: the text by its length, and what it compiles to (a count such as `{1000}` makes much
 * out of little) by its number of instructions. Names are matched in slices of the loop's time.
 */

import { RE2JS, RE2JSException } from "re2js";
import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";

/** Real ones are below a hundred. */
export const TOPIC_REGEX_LENGTH_MAX = 1024;
/** Instructions that it may compile to: the costliest of this size takes some 10 ms for the longest topic name, common ones microseconds. */
export const TOPIC_REGEX_PROGRAM_MAX = 1000;

/** @throws ObeliskError INVALID_REGULAR_EXPRESSION */
export function checkTopicRegex(text: string): void {
  compile(text);
}

/** The names that each of the expressions matches, sorted. One that does not compile, as it comes from another version, matches none. */
export async function matchTopics(
  texts: readonly string[],
  names: readonly string[],
  clock: Clock,
): Promise<Map<string, readonly string[]>> {
  const share = new TurnShare(clock);
  const found = new Map<string, readonly string[]>();
  for (const text of texts) {
    await share.rest();
    const regex = compileOrNull(text);
    const matching: string[] = [];
    for (const name of regex === null ? [] : names) {
      if (share.isUsedUp) await share.rest();
      if (regex!.matches(name)) matching.push(name);
    }
    found.set(text, matching.sort());
  }
  return found;
}

function compile(text: string): RE2JS {
  if (text.length > TOPIC_REGEX_LENGTH_MAX) {
    throw new ObeliskError("INVALID_REGULAR_EXPRESSION", {
      detail: "the regular expression of topics is too long",
      limit: TOPIC_REGEX_LENGTH_MAX,
    });
  }
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(text);
  } catch (thrown) {
    if (!(thrown instanceof RE2JSException)) throw thrown;
    throw new ObeliskError("INVALID_REGULAR_EXPRESSION", { detail: thrown.message }, thrown);
  }
  if (regex.programSize() > TOPIC_REGEX_PROGRAM_MAX) {
    throw new ObeliskError("INVALID_REGULAR_EXPRESSION", {
      detail: "the regular expression of topics is too complex: its repetitions make it too large",
      limit: TOPIC_REGEX_PROGRAM_MAX,
    });
  }
  return regex;
}

function compileOrNull(text: string): RE2JS | null {
  try {
    return compile(text);
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return null;
    throw thrown;
  }
}
