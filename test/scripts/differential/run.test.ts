/** The command line, the report, and what a run says when it cannot start. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Allowance } from "../../../scripts/differential/allowed.ts";
import { parseOptions } from "../../../scripts/differential/options.ts";
import { linesOf, reportOf } from "../../../scripts/differential/report.ts";
import type { Finding, Result } from "../../../scripts/differential/runner.ts";

const MAIN = join(import.meta.dir, "../../../scripts/differential/main.ts");

async function run(args: string[], env: Record<string, string>) {
  const child = Bun.spawn([process.execPath, MAIN, ...args], { env, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr };
}

function finding(changes: Partial<Finding>): Finding {
  const place = { api: "Fetch", version: 4, case: "a case", path: "errorCode" };
  return { ...place, kafka: 0, obelisk: 1, request: "0001", allowedBy: null, ...changes };
}

describe("options", () => {
  const apis = ["Fetch", "Produce"];

  test("have defaults, and are taken in both spellings", () => {
    const defaults = { seed: 1, only: null, byteMutations: 12, match: "", isJson: false };
    expect(parseOptions([], apis)).toEqual(defaults);
    const given = parseOptions(["--seed=7", "--cases", "0", "--only", "Fetch", "--json"], apis);
    expect(given).toEqual({ ...defaults, seed: 7, byteMutations: 0, only: "Fetch", isJson: true });
    expect(parseOptions(["--help"], apis)).toBe(null);
  });

  test("that are wrong are named", () => {
    expect(parseOptions(["--sead", "1"], apis)).toBe("--sead is not known; see --help");
    expect(parseOptions(["--seed", "x"], apis)).toBe("--seed must be a whole number from 0 to 2147483647");
    expect(parseOptions(["--only", "Fetsch"], apis)).toBe("--only must be one of Fetch, Produce");
    expect(parseOptions(["--cases"], apis)).toBe("--cases needs a value");
  });
});

describe("a report", () => {
  const used: Allowance = {
    sentence: "We do so.",
    api: "Fetch",
    versions: "4",
    path: "errorCode",
    case: "*",
  };
  const idle: Allowance = { ...used, sentence: "We did so.", case: "no such case" };
  const result: Result = {
    exchanges: 3,
    cases: 2,
    findings: [finding({}), finding({ case: "another", obelisk: 2, allowedBy: "We do so." })],
    used: new Set([used]),
  };

  test("counts, shows differences with their request, and names idle sentences of the list", () => {
    const lines = linesOf(reportOf(result, 9, 1, [used, idle], true));
    expect(lines).toEqual([
      "1 x Fetch errorCode: kafka 0, obelisk 1",
      "  Fetch 4, a case",
      "    errorCode",
      "    kafka    0",
      "    obelisk  1",
      "    request  0001",
      "allowed 1 x We do so.",
      "the list allows what was not found: We did so. (Fetch, errorCode, no such case)",
      "3 exchanges compared in 2 cases, 1 APIs with version, seed 9: 1 difference outside the list",
    ]);
  });

  test("of a part of the cases says nothing about idle sentences", () => {
    expect(reportOf(result, 9, 1, [used, idle], false).stale).toEqual([]);
  });
});

describe("a run", () => {
  test("that lacks Kafka exits 2 and says what to do", async () => {
    const { exitCode, stderr } = await run([], { PATH: process.env["PATH"] ?? "" });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr:
        "Apache Kafka is missing: put java 17 or later into PATH, and set KAFKA_HOME to a directory with Kafka's libs/\n",
    });
  });

  test("with a wrong flag exits 64", async () => {
    expect((await run(["--wrong"], {})).exitCode).toBe(64);
  });
});
