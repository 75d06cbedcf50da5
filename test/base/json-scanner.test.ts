/** The scanner is judged by JSON.parse: over every text of a grammar, and what random changes make of them. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { ObeliskError } from "../../src/base/errors.ts";
import { DEPTH_MAX, JsonScanner } from "../../src/base/json-scanner.ts";

/** Null: valid. Scanned in pieces of `pauseBytes`, from the middle of a buffer. */
function faultOf(text: string, pauseBytes = 1): ObeliskError | null {
  const bytes = Buffer.from(`"${text}"`);
  const scanner = new JsonScanner();
  scanner.reset(bytes, 1, bytes.length - 1);
  try {
    while (!scanner.value(pauseBytes));
    scanner.finish();
    return null;
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown;
    throw thrown;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test("what JSON.parse takes is taken, and nothing else", () => {
  const texts = [
    "",
    " ",
    "1",
    "-0",
    "01",
    "-",
    "1.",
    ".5",
    "1.5e3",
    "1e",
    "1E+9",
    "1e-",
    "+1",
    "0x1",
    "NaN",
    "Infinity",
    "true",
    "tru",
    "truex",
    "nul",
    "null ",
    "undefined",
    '"a"',
    '"a',
    "'a'",
    '"\\u00e9"',
    '"\\u00g9"',
    '"\\x"',
    '"\t"',
    '"\u007f"',
    "[]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2",
    "]",
    "{}",
    '{"a":1}',
    '{"a":1,}',
    '{"a" 1}',
    "{a:1}",
    '{"a":}',
    '{"a":1 "b":2}',
    '{"a":[{"b":[]},{}]}',
    "{}{}",
    "[]]",
    "// x\n1",
    '{"a":1}x',
    '"\\',
    '"\\u12',
    "\ufeff1",
    "[[[[",
    '{"a":{"b":{"c":[1,2,{"d":null}]}}} \r\n\t',
  ];
  expect(texts.filter((text) => (faultOf(text) === null) !== isJson(text))).toEqual([]);
});

test("random documents are taken, and random damage is judged as JSON.parse judges it", () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.nat(),
      fc.constantFrom(...'{}[],:"\\0e-.tn \n\u0001'),
      fc.nat(40),
      (text, place, byte, pause) => {
        expect(faultOf(text, pause)).toBeNull();
        const at = place % (text.length + 1);
        for (const damaged of [
          text.slice(0, at),
          text.slice(0, at) + byte + text.slice(at),
          text.slice(0, at) + byte + text.slice(at + 1),
        ])
          expect([damaged, faultOf(damaged, pause) === null]).toEqual([damaged, isJson(damaged)]);
      },
    ),
    { numRuns: 300 },
  );
});

test("an error has its place: byte, line and column", () => {
  const told = (text: string) => {
    const fault = faultOf(text)!;
    return [fault.code, fault.facts.position, fault.facts.detail];
  };
  expect(told('{"a": 1,\n  "é": tru}')).toEqual([
    "INVALID_JSON",
    17,
    "no valid JSON: a value is expected, line 2, column 8",
  ]);
  expect(told("[1")).toEqual([
    "INVALID_JSON",
    2,
    'no valid JSON: "," or "]" is expected, and the text ends, line 1, column 3',
  ]);
  expect(told('"a\u0001"')[1]).toBe(2);
});

test("nesting is bounded", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  expect(faultOf(nested(DEPTH_MAX))).toBeNull();
  expect(faultOf(nested(DEPTH_MAX + 1))?.facts.detail).toContain("nested deeper than 1000 levels");
});

test("a long value pauses between tokens, and goes on", () => {
  const bytes = Buffer.from(JSON.stringify(Array.from({ length: 100 }, (_, index) => index)));
  const scanner = new JsonScanner();
  scanner.reset(bytes, 0, bytes.length);
  let pauses = 0;
  while (!scanner.value(50)) pauses += 1;
  expect([pauses, scanner.position]).toEqual([Math.floor(bytes.length / 51), bytes.length]);
});
