/** What one log keeps: over a log in memory, where each batch is a segment, and on files for what has to do with rolling. */

import { describe, expect, test } from "bun:test";
import { DAY_MS, HOUR_MS, KiB, MiB, SECOND_MS } from "../../src/base/units.ts";
import { LOOK_MS_MAX, LogRetention, RETAINED_SEGMENT_BYTES_MIN } from "../../src/broker/log-retention.ts";
import type { PartitionRules } from "../../src/broker/owned-partition.ts";
import { partitionRules, TopicDefaults } from "../../src/broker/topic-rules.ts";
import type { PartitionLog } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";
import { append, Replay } from "../storage/conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../storage/file/support.ts";
import { topicDefaults } from "../support/broker.ts";
import { ManualClock } from "../support/manual-clock.ts";

const NOW_MS = 1_700_000_000_000;

function rulesOf(values: Partial<PartitionRules>): PartitionRules {
  const none = { retentionMs: -1, retentionBytes: -1, isDeleted: true };
  return { ...partitionRules({}, new TopicDefaults(topicDefaults())), ...none, ...values };
}

async function logWith(timestamps: readonly number[]): Promise<PartitionLog> {
  const engine = new MemoryEngine();
  const log = await engine.open("t", 0, new Replay());
  for (const timestamp of timestamps) append(log, ["x".repeat(100)], timestamp);
  await engine.sync([log]);
  return log;
}

/** Where the log would start. */
async function startOf(
  timestamps: readonly number[],
  rules: Partial<PartitionRules>,
  limit = timestamps.length,
) {
  const log = await logWith(timestamps);
  const kept = new LogRetention(log, rulesOf(rules), 0);
  const isDue = kept.isDue(NOW_MS, true);
  const start = await kept.startOf(limit, NOW_MS);
  expect(isDue || start === 0).toBe(true);
  return start;
}

const OLD = NOW_MS - DAY_MS;

describe("by time", () => {
  test("what is older leaves, and what lies before something younger than that stays", async () => {
    const hour = { retentionMs: HOUR_MS };
    expect(await startOf([OLD, OLD, NOW_MS, OLD], hour)).toBe(2);
    expect(await startOf([NOW_MS, OLD], hour)).toBe(0);
    expect(await startOf([NOW_MS - HOUR_MS], hour)).toBe(0);
    expect(await startOf([NOW_MS - HOUR_MS - 1], hour)).toBe(1);
    expect(await startOf([OLD, OLD], hour)).toBe(2);
  });

  test("what has no timestamp leaves with the next that has one", async () => {
    const hour = { retentionMs: HOUR_MS };
    expect(await startOf([-1, OLD, NOW_MS], hour)).toBe(2);
    expect(await startOf([-1, -1], hour)).toBe(0);
    expect(await startOf([OLD, -1, NOW_MS], hour)).toBe(1);
  });

  test("what is not committed stays, whatever its age", async () => {
    expect(await startOf([OLD, OLD, OLD], { retentionMs: 0 }, 2)).toBe(2);
  });

  test("-1 keeps everything, and so does a topic that is only compacted", async () => {
    expect(await startOf([0, 0], { retentionMs: -1 })).toBe(0);
    expect(await startOf([0, 0], { retentionMs: 1, retentionBytes: 0, isDeleted: false })).toBe(0);
  });
});

describe("by size", () => {
  test("the oldest leave as long as what remains is the bound or more", async () => {
    const log = await logWith([1, 2, 3, 4]);
    const each = log.bytes / 4;
    const bound = (retentionBytes: number) => startOf([1, 2, 3, 4], { retentionBytes });
    expect(await bound(4 * each)).toBe(0);
    expect(await bound(3 * each + 1)).toBe(0);
    expect(await bound(3 * each)).toBe(1);
    expect(await bound(each + 1)).toBe(2);
    expect(await bound(0)).toBe(4);
  });
});

test("segments are a twelfth of the bound, within limits, and so is their age", async () => {
  const log = await logWith([]);
  const limits = (rules: Partial<PartitionRules>) => {
    const { segmentBytesMax, segmentAgeMsMax } = new LogRetention(
      log,
      rulesOf({ segmentBytes: 256 * MiB, segmentMs: HOUR_MS, ...rules }),
      0,
    );
    return [segmentBytesMax, segmentAgeMsMax];
  };
  expect(limits({})).toEqual([256 * MiB, HOUR_MS]);
  expect(limits({ retentionBytes: 120 * MiB })).toEqual([10 * MiB, HOUR_MS]);
  expect(limits({ retentionBytes: 1 })).toEqual([RETAINED_SEGMENT_BYTES_MIN, HOUR_MS]);
  expect(limits({ retentionBytes: 1, segmentBytes: KiB })).toEqual([KiB, HOUR_MS]);
  expect(limits({ retentionMs: HOUR_MS })).toEqual([256 * MiB, HOUR_MS / 12]);
  expect(limits({ retentionMs: 1 })).toEqual([256 * MiB, SECOND_MS]);
  expect(limits({ retentionMs: 1, retentionBytes: 1, isDeleted: false })).toEqual([256 * MiB, HOUR_MS]);
});

test("time is looked at often where it is short, seldom where it is long, and at once when the rules change", async () => {
  const log = await logWith([]);
  const rules = rulesOf({ retentionMs: 20 * SECOND_MS, segmentMs: HOUR_MS });
  const short = new LogRetention(log, rules, 0);
  expect([999, 1000, 1001, 1999, 2000].map((atMs) => short.isTimeToLook(atMs))).toEqual([
    false,
    true,
    false,
    false,
    true,
  ]);
  rules.retentionMs = 7 * DAY_MS;
  rules.segmentMs = 7 * DAY_MS;
  expect([2001, 2002, 2001 + LOOK_MS_MAX].map((atMs) => short.isTimeToLook(atMs))).toEqual([
    true,
    false,
    true,
  ]);
});

describe("on files", () => {
  test("a log all of which is old is rolled and given up, and its files go", async () => {
    using folder = temporaryDirectory();
    const clock = new ManualClock(NOW_MS);
    const engine = openEngine(new TestDirectory(folder.path), { clock });
    const log = await engine.open("t", 0, new Replay());
    for (let index = 0; index < 100; index += 1) append(log, [`${index}`.repeat(20)], OLD + index);
    await engine.sync([log]);
    const kept = new LogRetention(log, rulesOf({ retentionMs: HOUR_MS }), 0);
    expect([kept.isDue(NOW_MS, false), kept.isDue(NOW_MS, true)]).toEqual([false, true]);
    expect(await kept.startOf(100, NOW_MS)).toBe(100);
    expect(await log.dropBefore(100)).toBe(100);
    expect([log.bytes, log.segmentAt(0), log.segmentAt(1)?.endOffset]).toMatchObject([
      0,
      { bytes: 0 },
      undefined,
    ]);
    expect(kept.isDue(NOW_MS, true)).toBe(false);
    expect(append(log, ["next"], NOW_MS)).toBe(100);
    await engine.close();
  });

  test("a segment rolls at a twelfth of the time also when nobody writes", async () => {
    using folder = temporaryDirectory();
    const clock = new ManualClock(NOW_MS);
    const engine = openEngine(new TestDirectory(folder.path), { clock, segmentAgeMsMax: 365 * DAY_MS });
    const log = await engine.open("t", 0, new Replay());
    const kept = new LogRetention(log, rulesOf({ retentionMs: HOUR_MS }), 0);
    append(log, ["a"], NOW_MS);
    await engine.sync([log]);
    clock.advance(HOUR_MS / 12 - 1);
    log.rollIfOld();
    expect(log.segmentAt(1)).toBeNull();
    clock.advance(1);
    log.rollIfOld();
    expect(log.segmentAt(1)).toMatchObject({ bytes: 0 });
    expect(kept.isDue(clock.nowMs(), true)).toBe(false);
    await engine.close();
  });

  test("a log that was ordered to start at its end gives its last segment up at the next look", async () => {
    using folder = temporaryDirectory();
    const engine = openEngine(new TestDirectory(folder.path));
    const log = await engine.open("t", 0, new Replay());
    const kept = new LogRetention(log, rulesOf({}), 0);
    append(log, ["a"]);
    await engine.sync([log]);
    await log.dropBefore(1);
    expect([log.bytes > 0, kept.isDue(NOW_MS, true)]).toEqual([true, true]);
    await log.dropBefore(await kept.startOf(1, NOW_MS));
    expect([log.bytes, kept.isDue(NOW_MS, true)]).toEqual([0, false]);
    await engine.close();
  });
});
