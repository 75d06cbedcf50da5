import { expect, test } from "bun:test";
import {
  ALL_PENALTY,
  DiskPace,
  FAST_RUN_MIN,
  FAST_SYNC_BYTES_MAX,
} from "../../../src/storage/file/disk-pace.ts";

test("a disk that has shown to be fast counts as fast for few bytes, until it is slow once", () => {
  const pace = new DiskPace();
  for (let run = 0; run < FAST_RUN_MIN; run += 1) {
    expect(pace.isFast(100)).toBe(false);
    pace.noteOne(100, 0.1);
  }
  expect([pace.isFast(FAST_SYNC_BYTES_MAX), pace.isFast(FAST_SYNC_BYTES_MAX + 1)]).toEqual([true, false]);
  pace.noteOne(FAST_SYNC_BYTES_MAX + 1, 100); // a large one says nothing about small ones
  expect(pace.isFast(100)).toBe(true);
  pace.noteOne(100, 1);
  expect(pace.isFast(100)).toBe(false);
});

test("after a syncfs that had to wait for others, the next groups go without, and then it is tried again", () => {
  const pace = new DiskPace();
  pace.noteAll(10, 500);
  for (let gone = 0; gone < ALL_PENALTY; gone += 8) expect(pace.isAllFast(8)).toBe(false);
  expect(pace.isAllFast(8)).toBe(true);
});

test("a syncfs that took its usual time is used again at once", () => {
  const pace = new DiskPace();
  pace.noteAll(10, 14);
  expect(pace.isAllFast(10)).toBe(true);
});
