import { expect, test } from "bun:test";
import {
  ALL_PENALTY,
  DiskPace,
  FAST_RUN_MIN,
  FAST_SYNC_BYTES_MAX,
  LARGE_GROUP_MIN,
} from "../../../../src/storage/file/sync/disk-pace.ts";

test("a disk that has proved fast counts as fast for few bytes, until it is slow once", () => {
  const pace = new DiskPace();
  for (let run = 0; run < FAST_RUN_MIN; run += 1) {
    expect(pace.isFast(100)).toBe(false);
    pace.recordOne(100, 0.1);
  }
  expect([pace.isFast(FAST_SYNC_BYTES_MAX), pace.isFast(FAST_SYNC_BYTES_MAX + 1)]).toEqual([true, false]);
  pace.recordOne(FAST_SYNC_BYTES_MAX + 1, 100); // a large one says nothing about small ones
  expect(pace.isFast(100)).toBe(true);
  pace.recordOne(100, 1);
  expect(pace.isFast(100)).toBe(false);
});

test("after a syncfs that had to wait for others, the next groups go without, and then it is tried again", () => {
  const pace = new DiskPace();
  pace.recordAll(10, 500);
  const responses = Array.from({ length: ALL_PENALTY + 1 }, () => pace.isAllFast(10));
  expect([responses.indexOf(true), responses.lastIndexOf(false)]).toEqual([ALL_PENALTY, ALL_PENALTY - 1]);
});

test("a syncfs that took its usual time is used again at once", () => {
  const pace = new DiskPace();
  pace.recordAll(10, 14);
  expect(pace.isAllFast(10)).toBe(true);
});

test("a large group is synced by a syncfs, however slow the last one was, and says nothing about small ones", () => {
  const pace = new DiskPace();
  pace.recordAll(LARGE_GROUP_MIN, 10_000);
  expect(pace.isAllFast(10)).toBe(true);
  pace.recordAll(10, 500);
  expect([pace.isAllFast(LARGE_GROUP_MIN - 1), pace.isAllFast(LARGE_GROUP_MIN)]).toEqual([false, true]);
});
