/** What is no filter is refused with the place and the reason. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ObeliskError } from "../../src/base/errors.ts";
import { filterErrorLines, parseFilter } from "../../src/filter/filter.ts";
import { parseExpression } from "../../src/filter/parser.ts";
import {
  FILTER_DEPTH_MAX,
  FILTER_FIELD_PAIRS_MAX,
  FILTER_LENGTH_MAX,
  FILTER_SEARCHED_LENGTH_MAX,
  FILTER_SEARCHES_MAX,
  FILTER_STEPS_MAX,
  FILTER_TERMS_MAX,
} from "../../src/filter/syntax.ts";
import { recordOf } from "./support.ts";

function refusal(text: string): ObeliskError {
  try {
    parseFilter(text);
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown;
    throw thrown;
  }
  throw new Error(`${text} was taken`);
}

describe("a text that is no filter", () => {
  test.each([
    ["", 0, "the end where a field or a value belongs"],
    ["value.a ==", 10, "the end where a field or a value belongs"],
    ["(key", 4, "the end where ) belongs"],
    ["key == 1)", 8, "no parenthesis is open here"],
    ["key == abc", 7, "there is no field abc"],
    ["Key == 1", 0, "there is no field Key"],
    ["key == 1 key", 9, "`key` where `and`, `or` or the end belongs"],
    ["key = 1", 4, "a single ="],
    ["key == 1 & key", 9, "a single &"],
    ["1 == 1", 0, "two values are compared"],
    ["1", 1, "the end where a comparison belongs"],
    ['offset == "5"', 10, "offset is a number"],
    ["topic in [5]", 10, "topic is a string"],
    ['timestamp > "yesterday"', 12, '"yesterday" is no time'],
    ['timestamp > "2026-02-31"', 12, '"2026-02-31" is no time'],
    ["offset", 6, "offset must be compared with something"],
    ["topic.a == 1", 5, "there is nothing inside of topic"],
    ["headers.a.b == 1", 9, "there is nothing inside of a header"],
    ["headers == 1", 0, "which header?"],
    ["headers[0] == 1", 0, "which header?"],
    ["value.5 == 1", 6, "`5` where a name belongs"],
    ["value[1.5] == 1", 6, "`1.5` where an index or a name in quotes belongs"],
    ["value[-1] == 1", 6, "`-1` where an index or a name in quotes belongs"],
    ["value[1 == 1", 8, "`==` where ] belongs"],
    ["key in []", 8, "`]` where a value in the list belongs"],
    ["key in [1", 9, "the end where , or ] belongs"],
    ["key in 1", 7, "`1` where [ belongs"],
    ["key startsWith 1", 15, "startsWith takes a string"],
    ["exists(1)", 7, "exists takes a field, not a value"],
    ['key == "abc', 7, "the string that begins here does not end"],
    ['key == "a\\x"', 9, "unknown escape \\x"],
    ['key == "\\u12"', 8, "\\u takes four hexadecimal digits"],
    ["key == 01", 7, "this is no number as JSON writes it"],
    ["key == 1a", 7, "this is no number as JSON writes it"],
    ["key == 1e999", 7, "1e999 is too large"],
    ["key == 1 # x", 9, '"#" means nothing here'],
  ])("%j: at %i, %s", (text, position, detail) => {
    const { code, facts } = refusal(text);
    expect({ code, position: facts.position, detail: facts.detail }).toEqual({
      code: "INVALID_FILTER",
      position,
      detail: `filter: ${detail}`,
    });
  });

  test("is shown with a mark under the place", () => {
    const text = `key == "Zoë" and value.a ==`;
    expect(filterErrorLines(text, refusal(text))).toEqual([text, `${" ".repeat(27)}^`]);
    const long = `${"key == 1 and ".repeat(20)}key = 1`;
    const [line, mark] = filterErrorLines(long, refusal(long));
    expect(line!.slice(mark!.indexOf("^"))).toBe("= 1");
    expect(filterErrorLines("key", new ObeliskError("INVALID_USAGE"))).toEqual([]);
  });
});

describe("the limits of a filter", () => {
  const list = (count: number, part: string, between: string) =>
    Array<string>(count).fill(part).join(between);
  const spaces = (length: number) => `key == 1${" ".repeat(length - 8)}`;
  test.each([
    ["characters", spaces(FILTER_LENGTH_MAX), spaces(FILTER_LENGTH_MAX + 1)],
    [
      "parentheses",
      `${"(".repeat(FILTER_DEPTH_MAX)}key${")".repeat(FILTER_DEPTH_MAX)}`,
      `${"(".repeat(FILTER_DEPTH_MAX + 1)}key${")".repeat(FILTER_DEPTH_MAX + 1)}`,
    ],
    ["negations", `${"!".repeat(FILTER_DEPTH_MAX)}key`, `${"!".repeat(FILTER_DEPTH_MAX + 1)}key`],
    ["comparisons", list(FILTER_TERMS_MAX, "key", " or "), list(FILTER_TERMS_MAX + 1, "key", " or ")],
    [
      "comparisons of two fields",
      list(FILTER_FIELD_PAIRS_MAX, "key == value.a", " or "),
      list(FILTER_FIELD_PAIRS_MAX + 1, "key == value.a", " or "),
    ],
    [
      "searches",
      list(FILTER_SEARCHES_MAX, 'key contains "a"', " or "),
      list(FILTER_SEARCHES_MAX + 1, 'key contains "a"', " or "),
    ],
    [
      "characters of a search",
      `key contains "${"a".repeat(FILTER_SEARCHED_LENGTH_MAX)}"`,
      `key contains "${"a".repeat(FILTER_SEARCHED_LENGTH_MAX + 1)}"`,
    ],
    ["steps", `value${".a".repeat(FILTER_STEPS_MAX)}`, `value${".a".repeat(FILTER_STEPS_MAX + 1)}`],
  ])("are so many %s, and not one more", (_what, allowed, refused) => {
    expect(parseFilter(allowed).matches(recordOf())).toBeBoolean();
    expect(refusal(refused).code).toBe("INVALID_FILTER");
  });
});

describe("whatever the text", () => {
  const pieces = fc.constantFrom(
    ..."key value headers topic partition offset timestamp exists in not and or startsWith endsWith contains true null".split(
      " ",
    ),
    ..."( ) [ ] , . == != < <= > >= && || ! = & \\ \" '".split(" "),
    ...["1", "-0.5e3", '"a"', "'b'", "a-b", "ö", "\u{1f600}", "\ud800", " ", "\n", "\0"],
  );

  test("nothing is thrown but INVALID_FILTER with a place in the text", () => {
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join(" ")),
      fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join("")),
      fc.string({ unit: "binary", maxLength: 200 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseExpression(text);
        } catch (thrown) {
          if (!(thrown instanceof ObeliskError)) throw thrown;
          expect(thrown.code).toBe("INVALID_FILTER");
          expect(thrown.facts.position).toBeWithin(0, text.length + 1);
          expect(filterErrorLines(text, thrown)).toHaveLength(2);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});
