import { describe, expect, test } from "bun:test";
import { consumeOptions } from "../../commands/consume-options.ts";
import { parsePlace } from "../../commands/consume-start.ts";

describe("consume options", () => {
  test("defaults: what the group has not read, then end", () => {
    expect(consumeOptions({ brokers: "b:1" }, ["t"])).toEqual({
      topics: ["t"],
      partition: -1,
      mode: "poll",
      group: "obelisk-cli",
      isMember: false,
      instance: undefined,
      from: "committed",
      max: Number.POSITIVE_INFINITY,
      filter: null,
      format: null,
      isJson: false,
      commits: true,
      isCommittedOnly: false,
      skipsUnreadable: false,
      brokers: "b:1",
    });
  });

  test("topics are words or a list, each once", () => {
    expect(consumeOptions({}, ["a", "b,c"]).topics).toEqual(["a", "b", "c"]);
    expect(consumeOptions({ topic: "a,b,a," }, []).topics).toEqual(["a", "b"]);
  });

  test("reset begins with the first record", () => {
    expect(consumeOptions({ mode: "reset" }, ["t"]).from).toBe("earliest");
  });

  test("a group that is named is joined, unless a partition is named or nothing is committed", () => {
    const isMember = (flags: Record<string, string>) => consumeOptions(flags, ["t"]).isMember;
    expect(isMember({ group: "g" })).toBe(true);
    expect(isMember({ group: "g", mode: "reset" })).toBe(true);
    expect(isMember({ group: "g", partition: "0" })).toBe(false);
    expect(isMember({ group: "g", commit: "false" })).toBe(false);
    expect(consumeOptions({ group: "g", instance: "i" }, ["t"]).instance).toBe("i");
  });

  test("every error is a sentence", () => {
    const errors: [() => unknown, string][] = [
      [() => consumeOptions({}, []), "no topic is given"],
      [() => consumeOptions({ topic: "," }, []), "no topic is given"],
      [() => consumeOptions({ topic: "a" }, ["b"]), "unexpected argument `b`"],
      [() => consumeOptions({ mode: "tail" }, ["t"]), "--mode must be one of poll, continuous, reset"],
      [() => consumeOptions({ mode: "reset", from: "3" }, ["t"]), "leave out --from"],
      [() => consumeOptions({ format: "%s", json: "true" }, ["t"]), "give --format or --json"],
      [() => consumeOptions({ group: "" }, ["t"]), "--group must not be empty"],
      [() => consumeOptions({ instance: "i" }, ["t"]), "--instance is for members of a group"],
      [() => consumeOptions({ filter: "key ==" }, ["t"]), "a field or a value belongs (position 6)"],
      [() => consumeOptions({ max: "1.5" }, ["t"]), "--max must be a whole number"],
    ];
    for (const [make, text] of errors) expect(make).toThrow(text);
  });
});

describe("places", () => {
  test("are ends, offsets, the last so many, and times", () => {
    expect(
      [
        "earliest",
        "latest",
        "0",
        "120",
        "-10",
        "1700000000000ms",
        "2026-01-31",
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00+01:00",
        "2026-01-31T12:00",
        "2026-01-31 12:00:01.5",
        "2024-02-29T23:59:59.999999999-0530",
        "1969-12-31T23:59:59.999Z",
      ].map((text) => parsePlace("from", text)),
    ).toEqual([
      "earliest",
      "latest",
      { offset: 0 },
      { offset: 120 },
      { last: 10 },
      { timestampMs: 1_700_000_000_000 },
      { timestampMs: Date.UTC(2026, 0, 31) },
      { timestampMs: Date.UTC(2026, 0, 31, 12) },
      { timestampMs: Date.UTC(2026, 0, 31, 11) },
      { timestampMs: Date.UTC(2026, 0, 31, 12) },
      { timestampMs: Date.UTC(2026, 0, 31, 12, 0, 1, 500) },
      { timestampMs: Date.UTC(2024, 2, 1, 5, 29, 59, 999) },
      { timestampMs: 0 },
    ]);
  });

  test("anything else is refused with examples", () => {
    for (const text of ["", "now", "1.5", "-", "-5ms", "2026-1-1", "1e3", "Monday", "99999999999999999"]) {
      expect(() => parsePlace("from", text)).toThrow(
        `--from does not understand \`${text}\`; write earliest`,
      );
    }
  });

  test("a day, an hour or a zone that does not exist is refused", () => {
    for (const text of [
      "2026-13-01",
      "2026-02-29",
      "2026-04-31T10:00",
      "2026-00-10",
      "2026-01-31T24:00",
      "2026-01-31T23:60",
      "2026-01-31T23:59:60",
      "2026-01-31T12:00+24:00",
    ]) {
      expect(() => parsePlace("to", text)).toThrow(`--to: there is no such time as \`${text}\``);
    }
  });
});
