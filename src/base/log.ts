/**
 * What the server says. One line for an event, facts as `key=value` pairs behind it (or one JSON object a line).
 * Never called per record. Parts get a `Log` through their constructor; tests give `silentLog`.
 */

import { createConsola, type LogObject } from "consola";

export type Facts = Record<string, string | number | boolean | null | undefined>;

export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
}

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Lines on standard error: for people (`text`) or for machines (`json`). */
export function createLog(level: LogLevel, format: "text" | "json"): Log {
  if (format === "json") return jsonLog(level);
  const consola = createConsola({ level: CONSOLA_LEVELS[level], reporters: [{ log: writeLine }] });
  return {
    debug: (message, facts) => consola.debug(withFacts(message, facts)),
    info: (message, facts) => consola.info(withFacts(message, facts)),
    warn: (message, facts) => consola.warn(withFacts(message, facts)),
    error: (message, facts) => consola.error(withFacts(message, facts)),
  };
}

const CONSOLA_LEVELS: Record<LogLevel, number> = { error: 0, warn: 1, info: 3, debug: 4 };

/** One line for an event, whatever its level: `WARN  message key=value`. */
function writeLine({ type, args }: LogObject): void {
  process.stderr.write(`${type.toUpperCase().padEnd(5)} ${args.join(" ")}\n`);
}

function jsonLog(level: LogLevel): Log {
  const threshold = LOG_LEVELS.indexOf(level);
  const writer = (name: LogLevel) => (message: string, facts?: Facts) => {
    if (LOG_LEVELS.indexOf(name) > threshold) return;
    process.stderr.write(
      `${JSON.stringify({ at: new Date().toISOString(), level: name, message, ...facts })}\n`,
    );
  };
  return { debug: writer("debug"), info: writer("info"), warn: writer("warn"), error: writer("error") };
}

function withFacts(message: string, facts: Facts | undefined): string {
  if (facts === undefined) return message;
  let line = message;
  for (const [key, value] of Object.entries(facts)) if (value !== undefined) line += ` ${key}=${value}`;
  return line;
}

function ignore(): void {}
