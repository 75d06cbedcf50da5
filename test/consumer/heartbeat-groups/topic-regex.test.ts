import { expect, test } from "bun:test";
import { systemClock } from "../../../src/base/clock.ts";
import { ObeliskError } from "../../../src/base/errors.ts";
import {
  checkTopicRegex,
  matchTopics,
  TOPIC_REGEX_LENGTH_MAX,
  TOPIC_REGEX_PROGRAM_MAX,
} from "../../../src/consumer/heartbeat-groups/topic-regex.ts";

function codeOf(text: string): string | null {
  try {
    checkTopicRegex(text);
    return null;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.code;
    throw thrown;
  }
}

test("a regular expression matches whole names", async () => {
  const found = await matchTopics(["b.*", "a|b", "", ".*"], ["b", "ab", "ba", "a"], systemClock);
  expect(Object.fromEntries(found)).toEqual({
    "b.*": ["b", "ba"],
    "a|b": ["a", "b"],
    "": [],
    ".*": ["a", "ab", "b", "ba"],
  });
});

test("what RE2 does not take is refused: syntax, back references, look-ahead", () => {
  for (const text of ["a(", "[", "*", "(a)\\1", "(?=a)", "a{2000}"])
    expect(codeOf(text)).toBe("INVALID_REGULAR_EXPRESSION");
  expect(codeOf("^(?i)orders\\.[\\w-]+$")).toBeNull();
});

test("what is too long, or compiles to too much, is refused", () => {
  expect(codeOf("x".repeat(TOPIC_REGEX_PROGRAM_MAX / 2))).toBeNull();
  expect(codeOf(".".repeat(TOPIC_REGEX_LENGTH_MAX + 1))).toBe("INVALID_REGULAR_EXPRESSION");
  expect(codeOf("((.{0,30}){0,30})x")).toBe("INVALID_REGULAR_EXPRESSION");
});

test("one that is not valid here matches nothing", async () => {
  expect(await matchTopics(["a("], ["a"], systemClock)).toEqual(new Map([["a(", []]]));
});
