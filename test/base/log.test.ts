/** The lines of the log, on a stream that fails and stops as the test says. */

import { describe, expect, test } from "bun:test";
import { LineLog } from "../../src/base/log.ts";
import { KiB, MiB } from "../../src/base/units.ts";

type Outcome = "written" | "failed" | "thrown" | "never";

/** Takes lines, and completes or fails each as the test wants. */
class StandInStream {
  outcome: Outcome = "written";
  readonly lines: string[] = [];
  readonly waiting: (() => void)[] = [];
  readonly listeners: ((error: Error) => void)[] = [];

  write(line: string, done: (error?: Error | null) => void): void {
    if (this.outcome === "thrown") throw new Error("EBADF");
    if (this.outcome === "failed") {
      for (const listener of this.listeners) listener(new Error("ENOSPC"));
      done(new Error("ENOSPC"));
      return;
    }
    this.lines.push(line);
    if (this.outcome === "written") done(null);
    else this.waiting.push(() => done(null));
  }

  on(_event: "error", listener: (error: Error) => void): void {
    this.listeners.push(listener);
  }
}

describe("LineLog", () => {
  test("writes one line for an event, with its facts", () => {
    const stream = new StandInStream();
    const log = new LineLog("debug", "text", stream);
    log.error("a", { n: 1, nothing: undefined });
    log.warn("b", { word: "x" });
    log.info("c");
    log.debug("d");
    expect(stream.lines).toEqual(["ERROR a n=1\n", "WARN  b word=x\n", "INFO  c\n", "DEBUG d\n"]);
  });

  test("writes one JSON object for an event", () => {
    const stream = new StandInStream();
    new LineLog("info", "json", stream).warn("b", { word: "x" });
    const { at, ...rest } = JSON.parse(stream.lines[0]!) as Record<string, unknown>;
    expect([typeof at, rest]).toEqual(["string", { level: "warn", message: "b", word: "x" }]);
  });

  test.each(["text", "json"] as const)("writes from now on what a new level lets through (%s)", (format) => {
    const stream = new StandInStream();
    const log = new LineLog("warn", format, stream);
    log.info("first");
    log.level = "debug";
    log.debug("second");
    log.level = "error";
    log.warn("third");
    log.error("fourth");
    expect(stream.lines.map((line) => /second|first|third|fourth/.exec(line)?.[0])).toEqual([
      "second",
      "fourth",
    ]);
  });

  test.each(["failed", "thrown"] as const)(
    "counts lines that are %s, and reports how many once it can",
    (outcome) => {
      const stream = new StandInStream();
      const log = new LineLog("info", "text", stream);
      stream.outcome = outcome;
      log.info("lost");
      log.info("lost too");
      expect([stream.lines, log.linesLost]).toEqual([[], 2]);
      stream.outcome = "written";
      log.info("here again");
      log.info("and on");
      expect(stream.lines).toEqual([
        "INFO  here again\n",
        "WARN  lines of this log could not be written, and are lost lines=2\n",
        "INFO  and on\n",
      ]);
      expect(log.linesLost).toBe(2);
    },
  );

  test("keeps at most a MiB for a reader that does not read, and drops what comes then", () => {
    const stream = new StandInStream();
    stream.outcome = "never";
    const log = new LineLog("info", "text", stream);
    const line = "x".repeat(64 * KiB - "INFO  \n".length);
    const room = MiB / (64 * KiB);
    for (let number = 0; number < room + 3; number += 1) log.info(line);
    expect([stream.lines.length, log.linesLost]).toEqual([room, 3]);
    stream.outcome = "written";
    for (const done of stream.waiting) done();
    expect(stream.lines.at(-1)).toBe("WARN  lines of this log could not be written, and are lost lines=3\n");
    log.info("here again");
    expect(stream.lines.at(-1)).toBe("INFO  here again\n");
  });
});
