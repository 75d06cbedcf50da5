/** What may stand where, for command lines of all shapes; and what shells are told of names that would hurt them. */

import { describe, expect, test } from "bun:test";
import { describeCommand, REPEATABLE } from "../../commands/arguments.ts";
import { candidateLines, candidatesFor, joined } from "../../commands/complete.ts";
import type { CommandTree } from "../../commands/tree.ts";

const ARGS = {
  topics: { type: "positional", required: true, valueHint: `${REPEATABLE}TOPIC` },
  mode: { type: "string", alias: "m", valueHint: "poll|continuous|OFFSET", description: "How." },
  topic: { type: "string", valueHint: "TOPIC,..." },
  group: { type: "string", alias: "g", valueHint: "NAME" },
  profile: { type: "string", valueHint: "NAME" },
  file: { type: "string", valueHint: `${REPEATABLE}FILE` },
  json: { type: "boolean", description: "JSON." },
  fast: { type: "boolean", default: true },
} as const;

const TREE: CommandTree = {
  read: {
    summary: "Reads.",
    load: async () => describeCommand({ meta: { name: "read" }, args: ARGS, run: () => {} }, []),
  },
  reset: { summary: "Resets.", load: () => Promise.reject(new Error("not called")) },
  topic: {
    summary: "Topics.",
    examples: [],
    commands: { list: { summary: "Lists.", load: () => Promise.reject(new Error("not called")) } },
  },
};

async function values(...words: string[]): Promise<string[] | "files"> {
  const found = await candidatesFor(TREE, words, () => ({
    topics: async () => ["orders", "others"],
    groups: async () => ["billing"],
    profiles: () => ["prod"],
  }));
  return found === "files" ? found : found.map(({ value }) => value);
}

describe("candidates", () => {
  test("are commands, by their path", async () => {
    expect(await values("")).toEqual(["read", "reset", "topic"]);
    expect(await values("re")).toEqual(["read", "reset"]);
    expect(await values("topic", "")).toEqual(["list"]);
    expect(await values("help", "t")).toEqual(["topic"]);
    expect(await values("help", "topic", "")).toEqual(["list"]);
    expect(await values("nothing", "")).toEqual([]);
  });

  test("are flags, those that were given no more", async () => {
    expect(await values("read", "--j")).toEqual(["--json"]);
    expect(await values("read", "--json", "--file=x", "-m", "poll", "-")).toEqual([
      "--topic",
      "--group",
      "--profile",
      "--file",
      "--no-fast",
    ]);
  });

  test("are values of a flag, after a space, a = or an alias", async () => {
    expect(await values("read", "--mode", "")).toEqual(["poll", "continuous"]);
    expect(await values("read", "--mode=c")).toEqual(["--mode=continuous"]);
    expect(await values("read", "-m", "p")).toEqual(["poll"]);
    expect(await values("read", "-g", "")).toEqual(["billing"]);
    expect(await values("read", "--profile=")).toEqual(["--profile=prod"]);
    expect(await values("read", "--topic", "orders,o")).toEqual(["orders,orders", "orders,others"]);
    expect(await values("read", "--file", "")).toBe("files");
    expect(await values("read", "--json=")).toEqual([]);
  });

  test("are values of a positional, also after --", async () => {
    expect(await values("read", "")).toEqual(["orders", "others"]);
    expect(await values("read", "orders", "--mode", "poll", "ot")).toEqual(["others"]);
    expect(await values("read", "--", "or")).toEqual(["orders"]);
  });
});

test("the words that bash cuts at = and : are put together", () => {
  expect(joined(["read", "--mode", "=", "po"])).toEqual(["read", "--mode=po"]);
  expect(joined(["-b", "host", ":", "9092", ""])).toEqual(["-b", "host:9092", ""]);
  expect(joined(["--mode", "="])).toEqual(["--mode="]);
});

describe("what shells get", () => {
  const lines = (value: string, current: string, shell: "bash" | "zsh" | "fish") =>
    candidateLines([{ value, description: "d" }], current, shell);

  test("bash gets the last piece of its word, escaped", () => {
    expect(lines("--mode=poll", "--mode=p", "bash")).toEqual(["poll\td"]);
    expect(lines("$(reboot) `x`;y", "", "bash")).toEqual(["\\$\\(reboot\\)\\ \\`x\\`\\;y\td"]);
  });

  test("the others get the whole word, and quote it themselves", () => {
    expect(lines("--mode=poll", "--mode=p", "zsh")).toEqual(["--mode=poll\td"]);
    expect(lines("$(x)", "", "fish")).toEqual(["$(x)\td"]);
  });

  test("a name with a line break or a tab is left out", () => {
    expect(lines("a\nb", "", "bash")).toEqual([]);
    expect(lines("a\tb", "", "zsh")).toEqual([]);
  });
});
