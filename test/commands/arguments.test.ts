import { describe, expect, test } from "bun:test";
import {
  asksForHelp,
  findConfigErrors,
  flagValues,
  REPEATABLE,
  repeatedValues,
} from "../../commands/arguments.ts";

const ARGS = {
  topic: { type: "string", alias: "t" },
  header: { type: "string", valueHint: `${REPEATABLE}NAME=VALUE` },
  json: { type: "boolean" },
  max: { type: "string" },
  file: { type: "positional", required: false },
} as const;

function errors(...words: string[]): string[] {
  return findConfigErrors(ARGS, words).map(({ message }) => message);
}

describe("the check of a command line", () => {
  test("accepts every way to write a flag", () => {
    expect(errors("-t", "a", "--max=-1", "--no-json", "file")).toEqual([]);
    expect(errors("--topic", "a", "--max", "-1", "--json=false", "--", "--anything")).toEqual([]);
  });

  test("names unknown flags with the nearest, and does not complain of what follows them", () => {
    expect(errors("--topics", "a", "b", "-x")).toEqual([
      "unknown flag `--topics`, did you mean `--topic`?",
      "unknown flag `-x`, did you mean `-t`?",
    ]);
    expect(errors("--compression=zstd")).toEqual(["unknown flag `--compression`, see --help"]);
  });

  test("a flag does not take the next flag as its value", () => {
    expect(errors("--topic", "--json")).toEqual(["--topic needs a value"]);
    expect(errors("--max")).toEqual(["--max needs a value"]);
  });

  test("a switch takes no other value than true and false", () => {
    expect(errors("--json=yes")).toEqual(["--json takes no value but true or false"]);
  });

  test("only a repeatable flag may be given more than once, and keeps all its values", () => {
    const words = ["--header", "a=1", "--topic=x", "--header=b=2"];
    expect(errors(...words, "-t", "y")).toEqual(["--topic is given more than once"]);
    expect(repeatedValues(ARGS, words, "header")).toEqual(["a=1", "b=2"]);
  });

  test("positionals too many or missing are named", () => {
    expect(errors("a", "b", "c")).toEqual(["unexpected argument `b`", "unexpected argument `c`"]);
    expect(findConfigErrors({ dir: { type: "positional", required: true } }, [])).toEqual([
      { source: "", message: "DIR is missing" },
    ]);
    expect(
      findConfigErrors({ words: { type: "positional", valueHint: REPEATABLE, required: false } }, ["a", "b"]),
    ).toEqual([]);
  });

  test("values are read by their long names", () => {
    expect(flagValues(ARGS, ["-t", "a", "--no-json", "--nothing", "file"])).toEqual({
      topic: "a",
      json: "false",
    });
  });

  test("help counts before `--` only", () => {
    expect([asksForHelp(["-h"]), asksForHelp(["x", "--help"]), asksForHelp(["--", "--help"])]).toEqual([
      true,
      true,
      false,
    ]);
  });
});
