/**
 * What the server says. One line for an event, facts as `key=value` pairs behind it (or one JSON object a line).
 * Never called per record. Parts get a `Log` through their constructor; tests give `silentLog`.
 */

import { createConsola } from "consola";

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
  const consola = createConsola({
    level: { error: 0, warn: 1, info: 3, debug: 4 }[level],
    stdout: process.stderr,
    stderr: process.stderr,
    formatOptions: { date: false, colors: process.stderr.isTTY === true },
  });
  return {
    debug: (message, facts) => consola.debug(withFacts(message, facts)),
    info: (message, facts) => consola.info(withFacts(message, facts)),
    warn: (message, facts) => consola.warn(withFacts(message, facts)),
    error: (message, facts) => consola.error(withFacts(message, facts)),
  };
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
