/**
 * How a failed command says why: one line on standard error, `obelisk: what happened; what to do`, and an exit code from
 * the error table. With --json the same as one JSON line on standard output. A stack is shown only for our own bugs, and only with
 * OBELISK_LOG_LEVEL=debug.
 */

import { ERRORS, errnoOf, ObeliskError } from "../src/base/errors.ts";
import { systemReason } from "../src/base/system-error.ts";
import { ConfigErrors, configErrorWords } from "../src/config/config-errors.ts";
import { EXIT, note, type Output, OutputClosed } from "./output.ts";
import { coloursFor } from "./output-colour.ts";

export interface ErrorReport {
  readonly exitCode: number;
  /** Lines for standard error. */
  readonly lines: readonly string[];
  /** The object for --json; null when nothing is to be reported. */
  readonly json: object | null;
}

/** Says why a command failed. Returns the exit code. */
export function reportError(
  thrown: unknown,
  options: { json: boolean; debug: boolean; output: Output },
): number {
  const report = describeError(thrown, options.debug);
  const { red } = coloursFor("stderr");
  for (const line of report.lines) note(line.replace(/^obelisk:/, red));
  if (options.json && report.json !== null) options.output.json(report.json);
  return report.exitCode;
}

/** What to say about a thrown value, and the exit code. */
export function describeError(thrown: unknown, debug: boolean): ErrorReport {
  if (thrown instanceof OutputClosed) return { exitCode: EXIT.yes, lines: [], json: null };
  if (thrown instanceof ConfigErrors) return describeConfigErrors(thrown);
  if (thrown instanceof ObeliskError) return describeKnown(thrown, debug);
  if (isCittyError(thrown))
    return describeKnown(new ObeliskError("INVALID_USAGE", { detail: Bun.stripANSI(thrown.message) }), debug);
  return describeUnexpected(thrown, debug);
}

function describeConfigErrors(error: ConfigErrors): ErrorReport {
  const lines = error.errors.map((configError) => `obelisk: ${configErrorWords(configError)}`);
  return {
    exitCode: error.exitCode,
    lines,
    json: { event: "error", code: error.code, message: error.message, errors: error.errors },
  };
}

function describeKnown(error: ObeliskError, debug: boolean): ErrorReport {
  const { detail: _detail, remedy, ...facts } = error.facts;
  return {
    exitCode: error.exitCode,
    lines: [`obelisk: ${oneLine(error.message)}`, ...stackLines(error, debug)],
    json: {
      event: "error",
      code: error.code,
      message: error.message,
      category: ERRORS[error.code].category,
      ...facts,
      remedy,
    },
  };
}

/** A system error is reported with the place and the reason; anything else is our own bug. */
function describeUnexpected(thrown: unknown, debug: boolean): ErrorReport {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = errnoOf(thrown);
  const isSystem = errno !== undefined && /^E[A-Z0-9]+$/.test(errno);
  const code = isSystem ? errno : "INTERNAL";
  const hint = debug ? "" : "; run it again with OBELISK_LOG_LEVEL=debug to see where";
  const line = isSystem
    ? `obelisk: ${oneLine(systemWords(thrown as SystemError))}`
    : `obelisk: unexpected error: ${oneLine(message)}${hint}`;
  return {
    exitCode: EXIT.failed,
    lines: [line, ...stackLines(thrown, debug)],
    json: { event: "error", code, message },
  };
}

type SystemError = Error & { code?: string; path?: unknown; syscall?: unknown };

/** `data/x cannot be opened: permission denied (EACCES)`; the system's own message where it names no place. */
function systemWords(error: SystemError): string {
  if (typeof error.path !== "string") return error.message;
  const work = typeof error.syscall === "string" ? SYSTEM_CALLS[error.syscall] : undefined;
  return `${error.path} cannot be ${work ?? "used"}: ${systemReason(error)}`;
}

const SYSTEM_CALLS: Readonly<Record<string, string>> = {
  open: "opened",
  read: "read",
  scandir: "listed",
  stat: "found",
  lstat: "found",
  mkdir: "created",
  write: "written",
  rename: "renamed",
  unlink: "removed",
};

function stackLines(thrown: unknown, debug: boolean): string[] {
  if (!debug || !(thrown instanceof Error) || thrown.stack === undefined) return [];
  const cause = thrown.cause === undefined ? [] : ["caused by", ...stackLines(thrown.cause, debug)];
  return [thrown.stack, ...cause];
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}

function isCittyError(thrown: unknown): thrown is Error {
  return thrown instanceof Error && thrown.name === "CLIError";
}
