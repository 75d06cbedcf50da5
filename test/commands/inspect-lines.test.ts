import { expect, test } from "bun:test";
import { printable, recordLine } from "../../commands/inspect-lines.ts";

test("text stays readable, everything that would break a line or a terminal is escaped", () => {
  expect(printable(Buffer.from("plain ÄÖ 🗿"))).toBe("plain ÄÖ 🗿");
  expect(printable(Buffer.from("a\nb\tc\\\u001b[2J\u0000"))).toBe("a\\nb\\tc\\\\\\x1b[2J\\x00");
  expect(printable(Buffer.from([0x41, 0xff, 0x0a]))).toBe("Aÿ\\n");
});

test("a record is one line; a message of the Go Obelisk has no partition", () => {
  const record = {
    topic: "t",
    partition: 3,
    offset: 7,
    timestampMs: 0,
    key: null,
    value: null,
    headers: [],
    batch: null,
  };
  expect(recordLine(record)).toBe("t-3  7  1970-01-01T00:00:00.000Z  (null)");
  expect(recordLine({ ...record, partition: -1, key: Buffer.from("k"), value: Buffer.from("v") })).toBe(
    "t  7  1970-01-01T00:00:00.000Z  k: v",
  );
});
