import { describe, expect, test } from "bun:test";
import { describeError } from "../../commands/errors.ts";
import { OutputClosed } from "../../commands/output.ts";
import { ObeliskError } from "../../src/base/errors.ts";

describe("what a failed command says", () => {
  test("an error of the table: one line with what to do, its code and its exit code", () => {
    const error = new ObeliskError("PORT_IN_USE", {
      address: "localhost:9092",
      remedy: "choose another with --kafka-port",
    });
    expect(describeError(error, false)).toEqual({
      exitCode: 2,
      lines: ["obelisk: the port is in use (address localhost:9092); choose another with --kafka-port"],
      json: {
        event: "error",
        code: "PORT_IN_USE",
        message: "the port is in use (address localhost:9092); choose another with --kafka-port",
        category: "configuration",
        address: "localhost:9092",
        remedy: "choose another with --kafka-port",
      },
    });
  });

  test("exit codes follow the table: 1 for no, 64 for wrong usage", () => {
    const codes = [
      "UNKNOWN_TOPIC_OR_PARTITION",
      "DAMAGED_DATA",
      "INVALID_USAGE",
      "CONNECTION_FAILED",
    ] as const;
    expect(codes.map((code) => describeError(new ObeliskError(code), false).exitCode)).toEqual([1, 1, 64, 2]);
  });

  test("a system error is told in the system's words", () => {
    const error = Object.assign(new Error("ENOENT: no such file or directory, open 'x'"), { code: "ENOENT" });
    const { exitCode, lines } = describeError(error, false);
    expect({ exitCode, lines }).toEqual({
      exitCode: 2,
      lines: ["obelisk: ENOENT: no such file or directory, open 'x'"],
    });
  });

  test("a system error that names a place says in words what could not be done there, and why", () => {
    const words = (code: string, syscall: string) => {
      const message = `${code}: the system's words, ${syscall} '/data/x'`;
      const error = Object.assign(new Error(message), { code, syscall, path: "/data/x" });
      return describeError(error, false).lines[0];
    };
    expect([
      words("EACCES", "open"),
      words("ENOENT", "scandir"),
      words("EISDIR", "read"),
      words("EXX", "stat"),
    ]).toEqual([
      "obelisk: /data/x cannot be opened: permission denied (EACCES)",
      "obelisk: /data/x cannot be listed: no such file or directory (ENOENT)",
      "obelisk: /data/x cannot be read: is a directory (EISDIR)",
      "obelisk: /data/x cannot be found: EXX: the system's words, stat '/data/x'",
    ]);
  });

  test("an unexpected error is one line; its stack only when debugging", () => {
    const error = new TypeError("x is not\n a function");
    expect(describeError(error, false)).toEqual({
      exitCode: 2,
      lines: [
        "obelisk: unexpected error: x is not a function; run it again with OBELISK_LOG_LEVEL=debug to see where",
      ],
      json: { event: "error", code: "INTERNAL", message: "x is not\n a function" },
    });
    expect(describeError(error, true).lines[1]).toContain("errors.test.ts");
  });

  test("a reader that went away is no error", () => {
    expect(describeError(new OutputClosed("closed"), false)).toEqual({ exitCode: 0, lines: [], json: null });
  });
});
