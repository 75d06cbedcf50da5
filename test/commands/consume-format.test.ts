import { describe, expect, test } from "bun:test";
import { compileFormat } from "../../commands/consume-format.ts";
import type { ConsumerRecord } from "../../src/client/fetched-batches.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { recordJson } from "../../src/protocol/record/record-json.ts";
import { readRecords } from "../../src/protocol/record/records.ts";

const record: ConsumerRecord = {
  topic: "t",
  partition: 3,
  offset: 42,
  timestampMs: 1_700_000_000_000,
  key: Buffer.from("ké"),
  value: Buffer.from([0xff, 0x00]),
  headers: [
    { key: "a", value: Buffer.from("1") },
    { key: "b", value: null },
  ],
};
const nulls: ConsumerRecord = { ...record, key: null, value: null, headers: [] };

describe("--format", () => {
  test("knows kcat's letters and escapes", () => {
    const print = (format: string, of = record) => compileFormat(format)(of).toString("latin1");
    expect(print("%t %p %o %T %K %S %h %%\\n\\t\\r\\0\\\\\\x41|")).toBe(
      "t 3 42 1700000000000 3 2 a=1,b= %\n\t\r\0\\A|",
    );
    expect(print("[%k][%s][%K][%S][%h]", nulls)).toBe("[][][-1][-1][]");
    expect(print("")).toBe("");
    expect(print("é")).toBe(Buffer.from("é").toString("latin1"));
  });

  test("writes keys and values as the bytes that they are", () => {
    expect(compileFormat("%k%s")(record)).toEqual(Buffer.concat([record.key!, record.value!]));
  });

  test("refuses what it does not know", () => {
    expect(() => compileFormat("%q")).toThrow("--format: unknown directive %q; use %t");
    expect(() => compileFormat("50%")).toThrow("--format ends in a single %");
    for (const format of ["\\q", "\\", "\\x4", "\\xgg"])
      expect(() => compileFormat(format)).toThrow("use \\n");
  });
});

describe("--json", () => {
  test("is text where the bytes are UTF-8, and base64 with a flag where they are not", () => {
    expect(recordJson(record)).toEqual({
      topic: "t",
      partition: 3,
      offset: 42,
      timestamp: 1_700_000_000_000,
      key: "ké",
      value: "/wA=",
      valueIsBase64: true,
      headers: [
        { key: "a", value: "1" },
        { key: "b", value: null },
      ],
    });
    expect(recordJson(nulls)).toEqual({
      topic: "t",
      partition: 3,
      offset: 42,
      timestamp: 1_700_000_000_000,
      key: null,
      value: null,
    });
  });

  test("keeps every character of a text, a byte order mark too", () => {
    const value = Buffer.from("\uFEFFa\0\u{1F5FF}");
    expect(recordJson({ ...nulls, value })).toMatchObject({ value: "\uFEFFa\0\u{1F5FF}" });
  });

  test("a header's name that is no UTF-8 loses nothing, here and with %h", () => {
    const headers = readRecords(withHeaderName(Buffer.from([0xff, 0x61])))[0]!.headers;
    const one = { ...nulls, headers };
    expect(recordJson(one)).toMatchObject({ headers: [{ key: "/2E=", keyIsBase64: true, value: "v" }] });
    expect(compileFormat("%h")(one)).toEqual(Buffer.from([0xff, 0x61, 0x3d, 0x76]));
  });
});

/** A batch of one record with one header; the builder's name is put over with these two bytes. */
function withHeaderName(name: Buffer): Buffer {
  const builder = new BatchBuilder(1000);
  builder.append(1000, null, 0, 0, null, 0, 0, [{ key: "hh", value: Buffer.from("v") }]);
  const batch = builder.finish();
  name.copy(batch, batch.indexOf("hh"));
  return batch;
}
