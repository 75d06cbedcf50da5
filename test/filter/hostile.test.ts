/**
 * Filters at their limits, on records that somebody has made to hold a reader up or to break it: whatever they are, a filter says yes or
 * no, and says the same of the same record again.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseFilter } from "../../src/filter/filter.ts";
import { FILTER_SEARCHES_MAX, FILTER_STEPS_MAX, FILTER_TERMS_MAX } from "../../src/filter/syntax.ts";

const filler = (unit: string, count: number) => unit.repeat(Math.ceil(count / unit.length));

/** Bytes of one key, value or header. */
const bytes: fc.Arbitrary<Buffer | null> = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
  fc.string({ unit: "binary", maxLength: 200 }).map((text) => Buffer.from(text)),
  fc
    .tuple(
      fc.constantFrom(
        ...'[ {"a": {"a":[ [1,[ [], {}, 0, 1e400, -0 \\u0000 \\ud800 " " \ufeff \u{1f600} \0 __proto__ {"__proto__":'.split(
          " ",
        ),
      ),
      fc.constantFrom(1, 100, 40_000, 300_000, 1_100_000),
      fc.constantFrom("", "]", "}", '"', '":1}'),
    )
    .map(([unit, count, end]) => Buffer.from(filler(unit, count) + end)),
  fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
);
const records = fc.record({
  topic: fc.constant("t"),
  partition: fc.nat(5),
  offset: fc.constantFrom(0, Number.MAX_SAFE_INTEGER),
  timestampMs: fc.constantFrom(-1, 0, 8.64e15),
  key: bytes,
  value: bytes,
  headers: fc.array(fc.record({ key: fc.constantFrom("h", "", "__proto__", "a"), value: bytes }), {
    maxLength: 3,
  }),
});

const path = fc.oneof(
  fc.constantFrom(
    "key",
    "value",
    "headers.h",
    'headers["__proto__"]',
    "value.a",
    "value[0]",
    "value.__proto__",
  ),
  fc.constantFrom(`value${".a".repeat(FILTER_STEPS_MAX)}`, `key${"[0]".repeat(FILTER_STEPS_MAX)}`),
);
const literal = fc.constantFrom(
  '"a"',
  "''",
  "0",
  "-1.5e3",
  "true",
  "null",
  '"\\ud800"',
  `"${"x".repeat(200)}"`,
);
const term = fc.oneof(
  fc.tuple(path, fc.constantFrom("==", "!=", "<", ">="), literal).map((parts) => parts.join(" ")),
  fc.tuple(path, fc.array(literal, { minLength: 1, maxLength: 9 })).map(([of, list]) => `${of} in [${list}]`),
  path.map((of) => `exists(${of})`),
  fc.tuple(path, path).map(([one, other]) => `${one} < ${other}`),
);
const filters = fc
  .tuple(
    term,
    fc.constantFrom(" or ", " and "),
    fc.constantFrom(1, 8, FILTER_TERMS_MAX - FILTER_SEARCHES_MAX),
    path,
  )
  .map(([one, join, count, searched]) => {
    const isPair = / < [a-z]/.test(one);
    const terms = Array.from({ length: isPair ? Math.min(count, 16) : count }, () => one);
    const searches = Array.from(
      { length: FILTER_SEARCHES_MAX },
      (_, n) => `${searched} contains "${"a".repeat(n)}b"`,
    );
    return [...terms, ...searches].join(join);
  })
  .filter((text) => text.length <= 8_192);

test("a filter says yes or no of whatever a record is, and the same again", () => {
  fc.assert(
    fc.property(filters, fc.array(records, { minLength: 1, maxLength: 3 }), (text, many) => {
      const filter = parseFilter(text);
      const said = many.map((record) => filter.matches(record));
      for (const word of said) expect(word).toBeBoolean();
      expect(many.toReversed().map((record) => filter.matches(record))).toEqual(said.toReversed());
    }),
    { numRuns: 1_000 },
  );
});
