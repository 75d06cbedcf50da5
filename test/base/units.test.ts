import { expect, test } from "bun:test";
import {
  formatBytes,
  formatDuration,
  GiB,
  KiB,
  MiB,
  parseBytes,
  parseDuration,
} from "../../src/base/units.ts";

test("sizes are read in the units that people write", () => {
  expect(["64KiB", "64k", "64 kb", "65536", "65536b", "1.5MiB", "2g"].map(parseBytes)).toEqual([
    64 * KiB,
    64 * KiB,
    64 * KiB,
    64 * KiB,
    64 * KiB,
    1.5 * MiB,
    2 * GiB,
  ]);
  expect(["", "many", "-1", "1TiB", "1 2"].map(parseBytes)).toEqual(new Array(5).fill(undefined));
  expect(["1.3GiB", "1.3MiB"].map(parseBytes)).toEqual([Math.round(1.3 * GiB), Math.round(1.3 * MiB)]);
  expect(["1.5", "1.5b", "1.3KiB", "0.0001k"].map(parseBytes)).toEqual(new Array(4).fill(undefined));
});

test("durations are read in the units that people write", () => {
  expect(["250", "250ms", "30s", "5m", "1.5h", "7d"].map(parseDuration)).toEqual([
    250, 250, 30_000, 300_000, 5_400_000, 604_800_000,
  ]);
  expect(["", "soon", "-1s", "1w"].map(parseDuration)).toEqual(new Array(4).fill(undefined));
  expect(["0.001s", "1.1s", "1.001s"].map(parseDuration)).toEqual([1, 1100, 1001]);
  expect(["1.5", "0.5ms", "0.0004s"].map(parseDuration)).toEqual(new Array(3).fill(undefined));
});

test("sizes and durations are printed for people", () => {
  expect([0, 1023, 1536, 256 * MiB, 1.25 * GiB].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.5 KiB",
    "256 MiB",
    "1.3 GiB",
  ]);
  expect([250, 59_999, 61_000, 9_015_000].map(formatDuration)).toEqual(["250ms", "59s", "1m1s", "2h30m15s"]);
});
