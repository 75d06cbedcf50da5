import { describe, expect, test } from "bun:test";
import { type FlagTexts, produceOptions } from "../../commands/produce-options.ts";
import { toRecord } from "../../commands/produce-records.ts";

const options = (
  flags: FlagTexts = {},
  words: string[] = ["t", "m"],
  headers: string[] = [],
  files: string[] = [],
) => produceOptions(flags, words, headers, files);

describe("produce options", () => {
  test("defaults", () => {
    expect(options({ brokers: "b:1", native: "n:2" })).toEqual({
      topic: "t",
      messages: ["m"],
      files: [],
      brokers: "b:1",
      native: "n:2",
      protocol: "kafka",
      key: null,
      keySeparator: null,
      headers: [],
      partition: -1,
      codec: "none",
      acks: -1,
      rate: 0,
      skipsEmpty: false,
      emptyIsNull: false,
      isJson: false,
    });
  });

  test("the first word is the topic unless --topic names it; without messages standard input is read", () => {
    const place = (flags: FlagTexts, words: string[], files: string[] = []) => {
      const { topic, messages, files: read } = options(flags, words, [], files);
      return { topic, messages, read };
    };
    expect(place({}, ["t"])).toEqual({ topic: "t", messages: [], read: ["-"] });
    expect(place({ topic: "u" }, ["m", ""])).toEqual({ topic: "u", messages: ["m", ""], read: [] });
    expect(place({ topic: "u" }, [], ["a", "-"])).toEqual({ topic: "u", messages: [], read: ["a", "-"] });
  });

  test("values are understood", () => {
    const { headers, keySeparator, acks, rate, codec, partition } = options(
      { "key-separator": "\\t", acks: "1", rate: "2.5/s", compression: "zstd", partition: "7" },
      ["t"],
      ["a=b=c", "d="],
    );
    expect({ headers, keySeparator, acks, rate, codec, partition }).toEqual({
      headers: [
        { key: "a", value: Buffer.from("b=c") },
        { key: "d", value: Buffer.alloc(0) },
      ],
      keySeparator: Buffer.from("\t"),
      acks: 1,
      rate: 2.5,
      codec: "zstd",
      partition: 7,
    });
  });

  test("every error is a sentence", () => {
    const errors: [() => unknown, string][] = [
      [() => options({}, []), "no topic is given; write `obelisk produce TOPIC MESSAGE`"],
      [() => options({}, ["t", "m"], [], ["f"]), "give messages or --file, not both"],
      [() => options({ acks: "2" }), "--acks must be all, 1 or 0, not `2`"],
      [() => options({ acks: "constructor" }), "--acks must be"],
      [() => options({ rate: "0" }), "--rate must be records a second"],
      [() => options({ partition: "-1" }), "--partition must be a whole number"],
      [
        () => options({ compression: "brotli" }),
        "--compression must be one of none, gzip, snappy, lz4, zstd",
      ],
      [() => options({}, ["t"], ["=v"]), "--header must be NAME=VALUE"],
      [() => options({ key: "k", "key-separator": ":" }), "give --key or --key-separator"],
      [
        () => options({ protocol: "native", acks: "1" }, ["t"], ["a=b"]),
        "--acks, --header: not supported by the native protocol",
      ],
      [() => options({ protocol: "amqp" }), "--protocol must be one of kafka, native"],
    ];
    for (const [make, text] of errors) expect(make).toThrow(text);
  });
});

describe("records of lines", () => {
  const record = (flags: FlagTexts, line: string) => {
    const { key, value } = toRecord(options(flags, ["t"]), Buffer.from(line));
    return [key === null ? null : key.toString(), value === null ? null : value.toString()];
  };

  test("are split at the first separator, and have no key without one", () => {
    const flags = { "key-separator": "::" };
    expect(["k::v", "k::v::w", "::v", "v", "k::", ":"].map((line) => record(flags, line))).toEqual([
      ["k", "v"],
      ["k", "v::w"],
      ["", "v"],
      [null, "v"],
      ["k", ""],
      [null, ":"],
    ]);
  });

  test("have the key that is given, and null for an empty value on request", () => {
    expect(record({ key: "k" }, "v")).toEqual(["k", "v"]);
    expect(record({ key: "" }, "")).toEqual(["", ""]);
    expect(record({ "empty-as-null": "true", "key-separator": ":" }, "k:")).toEqual(["k", null]);
  });
});
