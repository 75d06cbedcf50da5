import { describe, expect, test } from "bun:test";
import { resetOptions } from "../../commands/reset.ts";
import { askYesNo, isYes } from "../../commands/reset-ask.ts";
import { planReset, target } from "../../commands/reset-plan.ts";
import type { OffsetQuery } from "../../src/client/partition-offsets.ts";
import { TIMESTAMP_EARLIEST, TIMESTAMP_LATEST } from "../../src/protocol/kafka/apis/list-offsets.ts";

describe("where a reset goes", () => {
  test("stays within what the partition holds, and says when that is not what was requested", () => {
    const range = { start: 10, end: 20 };
    expect([
      target("earliest", range, undefined),
      target("latest", range, undefined),
      target({ offset: 15 }, range, undefined),
      target({ offset: 20 }, range, undefined),
      target({ offset: 9 }, range, undefined),
      target({ offset: 21 }, range, undefined),
      target({ last: 3 }, range, undefined),
      target({ last: 30 }, range, undefined),
      target({ timestampMs: 1 }, range, { offset: 12 }),
      target({ timestampMs: 1 }, range, { offset: -1 }),
    ]).toEqual([
      { to: 10, note: "" },
      { to: 20, note: "" },
      { to: 15, note: "" },
      { to: 20, note: "" },
      { to: 10, note: "9 is before the start offset" },
      { to: 20, note: "21 is after the end offset" },
      { to: 17, note: "" },
      { to: 10, note: "holds only 10 records" },
      { to: 12, note: "" },
      { to: 20, note: "no record is that new" },
    ]);
  });

  test("every partition gets its own, beside what the group has now", async () => {
    const offsets = new Map([
      [TIMESTAMP_EARLIEST, [1, 2]],
      [TIMESTAMP_LATEST, [10, 20]],
      [777, [5, -1]],
    ]);
    const admin = {
      groupOffsets: async () => [{ topic: "t", partition: 1, offset: 12 }],
      listOffsets: async (queries: readonly OffsetQuery[]) =>
        queries.map(({ topic, partition, at }) => ({
          topic,
          partition,
          offset: offsets.get(at)![partition]!,
          timestampMs: -1,
          leaderEpoch: 0,
        })),
    };
    const partitions = [0, 1].map((partition) => ({ topic: "t", partition }));
    expect(await planReset(admin, "g", partitions, { timestampMs: 777 })).toEqual([
      { topic: "t", partition: 0, from: -1, to: 5, note: "" },
      { topic: "t", partition: 1, from: 12, to: 20, note: "no record is that new" },
    ]);
  });
});

describe("reset options", () => {
  const flags = { topic: "t", to: "earliest" };

  test("without a terminal --yes is required", () => {
    expect(() => resetOptions(flags, false)).toThrow("add --yes to reset without asking");
    expect(resetOptions({ ...flags, yes: "true" }, false).isConfirmed).toBe(true);
    expect(resetOptions(flags, true)).toEqual({
      topic: "t",
      group: "obelisk-cli",
      to: "earliest",
      partition: -1,
      isConfirmed: false,
      isJson: false,
      brokers: "",
    });
  });

  test("what is missing is named", () => {
    expect(() => resetOptions({ to: "1" }, true)).toThrow("add --topic=TOPIC");
    expect(() => resetOptions({ topic: "t" }, true)).toThrow("add --to=earliest");
    expect(() => resetOptions({ ...flags, group: "" }, true)).toThrow("--group must not be empty");
  });

  test("a reply is a line, in however many pieces; the end of the input is no", async () => {
    const pieces = (...texts: string[]) => new Response(new Blob(texts)).body!;
    expect(await askYesNo("move?", pieces("y\n"))).toBe(true);
    expect(await askYesNo("move?", pieces("y"))).toBe(true);
    expect(await askYesNo("move?", pieces("n\ny\n"))).toBe(false);
    expect(await askYesNo("move?", pieces(""))).toBe(false);
  });

  test("only yes is yes", () => {
    expect(["y", "Y", " yes ", "YES"].every(isYes)).toBe(true);
    expect(["", "n", "no", "yep", "y n"].some(isYes)).toBe(false);
  });
});
