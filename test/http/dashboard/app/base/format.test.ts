import { expect, test } from "bun:test";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatMs,
  formatShort,
  formatTimestamp,
  plural,
  UNKNOWN,
} from "../../../../../src/http/dashboard/app/base/format.ts";

test("what is not known is a dash, and never a zero", () => {
  for (const format of [formatCount, formatShort, formatBytes, formatMs]) {
    expect([format(null), format(undefined)]).toEqual([UNKNOWN, UNKNOWN]);
    expect(format(0)).toStartWith("0");
  }
  expect(formatTimestamp(-1)).toBe(UNKNOWN);
  expect(formatTimestamp(Number.MAX_SAFE_INTEGER)).toBe(UNKNOWN);
});

test("numbers have three digits and the unit that fits", () => {
  expect([0.042, 9.876, 1234, 12_345, 1_234_567, 2.5e9].map(formatShort)).toEqual([
    "0.04",
    "9.88",
    "1,234",
    "12.3 k",
    "1.23 M",
    "2.5 G",
  ]);
  expect([512, 1536, 10 * 1024 ** 2, 3 * 1024 ** 5].map(formatBytes)).toEqual([
    "512 B",
    "1.5 KiB",
    "10 MiB",
    "3072 TiB",
  ]);
  expect([0.25, 91.46, 2500].map(formatMs)).toEqual(["0.25 ms", "91.5 ms", "2.5 s"]);
});

test("a duration has its two largest units, and no zero among them", () => {
  const second = 1000;
  const hour = 3600 * second;
  expect([0, 59 * second, 60 * second, 26 * hour + 60 * second, 48 * hour].map(formatDuration)).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "1 d 2 h",
    "2 d",
  ]);
});

test("nouns follow their number", () => {
  expect([plural(1, "topic"), plural(2000, "topic"), plural(2, "batch", "batches")]).toEqual([
    "1 topic",
    "2,000 topics",
    "2 batches",
  ]);
});
