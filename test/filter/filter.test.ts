/** What filters mean, by example. The random ones are in model.test.ts. */

import { describe, expect, test } from "bun:test";
import { parseFilter } from "../../src/filter/filter.ts";
import { JSON_BYTES_MAX, TEXT_BYTES_MAX } from "../../src/filter/record-view.ts";
import { type RecordTexts, recordOf } from "./support.ts";

const ORDER = {
  key: "customer-12",
  value:
    '{"user":{"id":42,"name":"Zoë"},"items":[{"sku":"a-1"},{"sku":"b"}],"odd name":true,"tags":["new",7],"none":null}',
  headers: [
    ["source", "web"],
    ["x-request-id", "17"],
    ["source", "mobile"],
  ],
  timestampMs: Date.parse("2026-01-31T12:00:00Z"),
  partition: 3,
  offset: 120,
  topic: "orders",
} as const;

/** The filters among `filters` that the record does not match. */
function unmatched(filters: readonly string[], record: RecordTexts): string[] {
  return filters.filter((text) => !parseFilter(text).matches(recordOf(record)));
}

describe("a filter", () => {
  test("reads the parts of a record", () => {
    const matching = [
      'topic == "orders"',
      "partition == 3",
      "offset >= 120",
      "timestamp == 1769860800000",
      'key == "customer-12"',
      "value.user.id == 42",
      'value.user.name == "Zo\\u00eb"',
      "value.items[0].sku == 'a-1'",
      'value["odd name"] == true',
      'value["user"]["id"] == 42',
      'headers["x-request-id"] == "17"',
      'headers.x-request-id == "17"',
      '"orders" == topic',
      "100 < offset",
    ];
    expect(unmatched(matching, ORDER)).toEqual([]);
  });

  test("takes a time for a timestamp, in UTC unless it says otherwise", () => {
    const matching = [
      'timestamp == "2026-01-31T12:00:00Z"',
      'timestamp == "2026-01-31T13:00+01:00"',
      'timestamp >= "2026-01-31"',
      'timestamp in ["2026-01-31T12:00", "2026-02-01"]',
      'not timestamp < "2026-01-31 12:00:00.000"',
    ];
    expect(unmatched(matching, ORDER)).toEqual([]);
  });

  test("joins with and before or, and negates what follows", () => {
    const matching = [
      "partition == 0 and offset == 0 or partition == 3",
      "partition == 3 or partition == 0 and offset == 0",
      "not (partition == 3 and offset == 0)",
      "!(partition == 0) && !(offset == 0)",
      "not partition == 0 and not offset == 0",
      "(partition == 0 || partition == 3) AND offset in [119, 120]",
      "partition NOT IN [1, 2]",
    ];
    expect(unmatched(matching, ORDER)).toEqual([]);
  });

  test("looks into texts and lists", () => {
    const matching = [
      'key startsWith "customer-"',
      'key endsWith "12"',
      'key contains "mer"',
      'value contains "Zoë"',
      'value.tags contains "new"',
      "value.tags contains 7",
      "not value.tags contains 8",
      'not value.tags startsWith "new"',
      "not value.user.id contains 42",
      'not headers.nothing startsWith ""',
    ];
    expect(unmatched(matching, ORDER)).toEqual([]);
  });

  test("tells what is not there from null only by exists", () => {
    const matching = [
      "exists(value.none)",
      "not exists(value.nothing)",
      "not exists(value.user.id.deeper)",
      "not exists(value.items[2])",
      "not exists(value.items.length)",
      'not exists(value.user["toString"])',
      'not exists(value["__proto__"])',
      "exists(headers.source)",
      "not exists(headers.nothing)",
      "value.none == null",
      "value.nothing == null",
      "value.nothing != 1",
      "not value.nothing < 1",
      "not value.nothing >= 1",
      "value.nothing in [1, null]",
      "value.nothing == headers.nothing",
    ];
    expect(unmatched(matching, ORDER)).toEqual([]);
    expect(unmatched(["not exists(key)", "not exists(value)", "key == null", "value == null"], {})).toEqual(
      [],
    );
    expect(unmatched(["exists(key)", 'key == ""', "key != null"], { key: "" })).toEqual([]);
  });

  test("takes the last header of a name", () => {
    expect(unmatched(['headers.source == "mobile"', 'headers.source != "web"'], ORDER)).toEqual([]);
  });

  test("takes a path alone for a question whether it is true", () => {
    const record = { value: '{"is":true,"isNot":false,"one":1}', headers: [["retry", "true"]] } as const;
    expect(
      unmatched(["value.is", "not value.isNot", "not value.one", "headers.retry", "not key"], record),
    ).toEqual([]);
  });

  test("compares a whole key, value or header as the number or boolean that it spells, and JSON as what it is", () => {
    const record = {
      key: "12",
      value: '{"text":"12","number":12}',
      headers: [
        ["n", "-1.5e1"],
        ["flag", "false"],
        ["octal", "012"],
      ],
    } as const;
    const matching = [
      "key == 12",
      'key == "12"',
      "key < 13",
      "13 > key",
      "key in [1, 12]",
      "headers.n == -15",
      "headers.flag == false",
      'headers.flag == "false"',
      "headers.flag in [false]",
      "headers.octal != 12",
      "value.number == key",
      "key == value.number",
      "value.text == key",
      "value.text != 12",
      'value.number != "12"',
      'not value.number < "13"',
    ];
    expect(unmatched(matching, record)).toEqual([]);
  });

  test("reads a key as JSON where a path leads into it", () => {
    expect(unmatched(["key.id == 5", "exists(key.id)"], { key: '{"id":5}' })).toEqual([]);
  });

  test("finds nothing equal to lists, objects and what is no text", () => {
    const matching = ["value.user != value.user", "exists(value.user)", "not value.user in [null]"];
    expect(unmatched(matching, ORDER)).toEqual([]);
    const bytes = { key: Buffer.from([0xff, 0xfe]), value: "no JSON" };
    const unequal = [
      "key != null",
      "key != key",
      'not key startsWith ""',
      "exists(key)",
      "not exists(key.a)",
      "not exists(value.a)",
      'value == "no JSON"',
    ];
    expect(unmatched(unequal, bytes)).toEqual([]);
  });

  test("looks at nothing above its limits, and lets it exist", () => {
    const json = (bytes: number) => `{"a":"${"x".repeat(bytes - 8)}"}`;
    expect(unmatched(["exists(value.a)"], { value: json(JSON_BYTES_MAX) })).toEqual([]);
    expect(
      unmatched(["not exists(value.a)", 'value contains "xxx"', "exists(value)"], {
        value: json(JSON_BYTES_MAX + 1),
      }),
    ).toEqual([]);
    expect(unmatched(['value contains "xxx"'], { value: "x".repeat(TEXT_BYTES_MAX) })).toEqual([]);
    expect(
      unmatched(['not value contains "xxx"', "exists(value)", "value != null"], {
        value: "x".repeat(TEXT_BYTES_MAX + 1),
      }),
    ).toEqual([]);
  });

  test("looks into nothing that is large and nested deeper than anything that people write", () => {
    const nested = (depth: number, bytes: number) => {
      const inner = `${"[".repeat(depth)}${"]".repeat(depth)}`;
      return `{"a":1,"b":${inner},"c":"${"x".repeat(bytes - inner.length - 20)}"}`;
    };
    expect(unmatched(["value.a == 1"], { value: nested(999, JSON_BYTES_MAX) })).toEqual([]);
    expect(unmatched(["not exists(value.a)"], { value: nested(1000, JSON_BYTES_MAX) })).toEqual([]);
  });

  test("is one filter for many records, of which none shows in the next", () => {
    const filter = parseFilter("value.a == 1 and key == 2 and headers.h == 3");
    const full = recordOf({ key: "2", value: '{"a":1}', headers: [["h", "3"]] });
    const records = [
      full,
      recordOf(),
      recordOf({ ...full, headers: [] }),
      full,
      recordOf({ key: "2" }),
      full,
    ];
    expect(records.map((record) => filter.matches(record))).toEqual([true, false, false, true, false, true]);
  });
});
