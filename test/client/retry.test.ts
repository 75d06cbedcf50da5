/** Retries against a clock that the test turns: how often, how long apart, and when to give up. */

import { describe, expect, test } from "bun:test";
import { ObeliskError } from "../../src/base/errors.ts";
import { brokerError, canRetry } from "../../src/client/broker-errors.ts";
import { RetryInterrupted, retry, retryWaitMs } from "../../src/client/retry.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** Lets promises resolve, and moves the clock by `stepMs` whenever something waits for it. */
async function drive(clock: ManualClock, stepMs: number, promise: Promise<unknown>): Promise<void> {
  let isCompleted = false;
  const complete = () => {
    isCompleted = true;
  };
  promise.then(complete, complete);
  while (!isCompleted) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.pending > 0) clock.advance(stepMs);
  }
}

describe("retry", () => {
  test("waits double up to a second, drawn between half and the whole", () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((attempt) => retryWaitMs(attempt, () => 1))).toEqual([
      50, 100, 200, 400, 800, 1000, 1000,
    ]);
    expect([1, 6].map((attempt) => retryWaitMs(attempt, () => 0))).toEqual([25, 500]);
  });

  test("tries again on errors that pass and returns the result", async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const work = retry({ clock, random: () => 1, totalMs: 10_000 }, async () => {
      attempts += 1;
      if (attempts < 4) throw new ObeliskError("NOT_LEADER_OR_FOLLOWER");
      return clock.monotonicMs();
    });
    await drive(clock, 50, work);
    expect({ attempts, atMs: await work }).toEqual({ attempts: 4, atMs: 50 + 100 + 200 });
  });

  test("gives up with the last error when the time is up", async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const work = retry({ clock, random: () => 1, totalMs: 400 }, async () => {
      attempts += 1;
      throw new ObeliskError("CONNECTION_CLOSED", { detail: `attempt ${attempts}` });
    });
    work.catch(() => {});
    await drive(clock, 50, work);
    await expect(work).rejects.toThrow("attempt 4");
  });

  test("tells of every wait before it begins", async () => {
    const clock = new ManualClock();
    const told: unknown[] = [];
    const onRetry = (error: ObeliskError, attempts: number, totalMs: number) =>
      told.push([error.code, attempts, totalMs, clock.monotonicMs()]);
    const work = retry({ clock, random: () => 1, totalMs: 200, onRetry }, async () => {
      throw new ObeliskError("DISK_FULL");
    });
    work.catch(() => {});
    await drive(clock, 50, work);
    await expect(work).rejects.toThrow("the disk is full");
    expect(told).toEqual([
      ["DISK_FULL", 1, 200, 0],
      ["DISK_FULL", 2, 200, 50],
    ]);
  });

  test("an abort ends the wait at once with the last error, and afterwards there is one attempt", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    let attempts = 0;
    const options = { clock, random: () => 1, totalMs: 10_000, signal: controller.signal };
    const work = () =>
      retry(options, async () => {
        attempts += 1;
        throw new ObeliskError("DISK_FULL", { topic: "t" });
      }).catch((thrown) => thrown);
    const first = work();
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    for (const error of [await first, await work()]) {
      expect(error).toBeInstanceOf(RetryInterrupted);
      expect([error.code, error.message, error.retriable]).toEqual([
        "DISK_FULL",
        "the disk is full (topic t); interrupted, so it is not retried",
        false,
      ]);
    }
    expect([attempts, clock.monotonicMs(), clock.pending]).toEqual([2, 0, 0]);
  });

  test("does not try again what cannot get better", async () => {
    let attempts = 0;
    const work = retry({ clock: new ManualClock(), random: () => 0, totalMs: 1000 }, async () => {
      attempts += 1;
      throw new ObeliskError("MESSAGE_TOO_LARGE");
    });
    await expect(work).rejects.toThrow("larger than the limit");
    await work.catch(() => {});
    expect(attempts).toBe(1);
  });
});

describe("errors of brokers", () => {
  test("keep their code, their place and whether they pass", () => {
    const known = brokerError(3, { topic: "t", partition: 1 });
    expect([known.code, known.message, canRetry(known)]).toEqual([
      "UNKNOWN_TOPIC_OR_PARTITION",
      "there is no such topic or partition (partition t-1)",
      true,
    ]);
  });

  test("errors that only other brokers send are named, and known to pass or not", () => {
    const passing = brokerError(8);
    expect([passing.message, canRetry(passing)]).toEqual([
      "BROKER_NOT_AVAILABLE: the broker is not available (wire 8)",
      true,
    ]);
    expect(brokerError(56, { topic: "t" }).message).toBe(
      "storage error at the broker: its disk is full, or cannot be written or read (topic t)",
    );
    expect(canRetry(brokerError(29))).toBe(false);
    expect(brokerError(4242).message).toBe("the broker returned error 4242 (wire 4242)");
  });
});
