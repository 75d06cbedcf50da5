import { expect, test } from "bun:test";
import { jsonTokens } from "../../../../../src/http/dashboard/app/values/json-tokens.ts";
import {
  hexLines,
  payloadOf,
  prettyOf,
  previewOf,
} from "../../../../../src/http/dashboard/app/values/payload.ts";
import { visibleLines, visibleText } from "../../../../../src/http/dashboard/app/values/visible-text.ts";

test("a payload is null, empty, JSON, text or bytes", () => {
  const kinds = [null, "", '{"a":1}', " [1]", "{a}", "12", "grüße"].map((text) => payloadOf(text));
  expect(kinds.map(({ kind, bytes }) => [kind, bytes])).toEqual([
    ["null", 0],
    ["empty", 0],
    ["json", 7],
    ["json", 4],
    ["text", 3],
    ["text", 2],
    ["text", 7],
  ]);
  for (const length of [0, 1, 2, 3, 100]) {
    const bytes = Buffer.alloc(length, 0xff);
    expect(payloadOf(bytes.toString("base64"), true)).toMatchObject({ kind: "binary", bytes: length });
  }
});

test("JSON is set out in lines, unless a number would lose its digits", () => {
  expect(prettyOf('{"a":[1,{"b":null}]}')).toBe(JSON.stringify({ a: [1, { b: null }] }, null, 2));
  expect(prettyOf('{"id":12345678901234567890}')).toBe('{"id":12345678901234567890}');
  expect(prettyOf("{broken")).toBe("{broken");
});

test("tokens of JSON, put together, are the JSON again", () => {
  const json = JSON.stringify({ 'a"b': [1.5e-7, "x:1", true, null, { deep: "\\" }] }, null, 2);
  const tokens = jsonTokens(json);
  expect(tokens.map(([, text]) => text).join("")).toBe(json);
  expect(tokens.filter(([kind]) => kind !== "rest")).toEqual([
    ["name", '"a\\"b"'],
    ["number", "1.5e-7"],
    ["string", '"x:1"'],
    ["word", "true"],
    ["word", "null"],
    ["name", '"deep"'],
    ["string", '"\\\\"'],
  ]);
});

test("bytes are shown as hexdump prints them, up to a limit", () => {
  const bytes = Buffer.from([...Buffer.from("Obelisk, 16 bytes"), 0]);
  expect(hexLines(bytes.toString("base64"), 1000)).toBe(
    "000000  4f 62 65 6c 69 73 6b 2c 20 31 36 20 62 79 74 65  Obelisk, 16 byte\n" +
      "000010  73 00                                            s·",
  );
  expect(hexLines(bytes.toString("base64"), 16).split("\n").length).toBe(1);
  expect(previewOf(payloadOf(Buffer.alloc(100).toString("base64"), true))).toBe(
    `${"00 ".repeat(24).trim()} …`,
  );
});

test("what the eye does not see, or what turns the direction of text, is shown by its code", () => {
  expect(visibleText("a\u202eb\u200b\u0000\n\t\ufeff")).toBe("a\\u202eb\\u200b\\x00\\n\\t\\ufeff");
  expect(visibleLines("a\n\tb\r\u2028")).toBe("a\n\tb\\r\\u2028");
  expect(visibleText("grüße 漢字 😀")).toBe("grüße 漢字 😀");
});
