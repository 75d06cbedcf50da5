/**
 * The server's log. One line for an event, facts as `key=value` pairs after it (or one JSON object a line).
 * Never called per record. Parts get a `Log` through their constructor; tests give `silentLog`.
 */

import { type ConsolaInstance, createConsola } from "consola";
import { LogOutput, type LogStream } from "./log-output.ts";

export type Facts = Record<string, string | number | boolean | null | undefined>;

export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
}

export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = "text" | "json";

export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** A log that writes lines: for people (`text`) or for machines (`json`). Its level can change at any time. */
export class LineLog implements Log {
  readonly #format: LogFormat;
  readonly #output: LogOutput;
  readonly #consola: ConsolaInstance;
  #level: LogLevel;

  constructor(level: LogLevel, format: LogFormat, stream: LogStream = process.stderr) {
    this.#level = level;
    this.#format = format;
    this.#output = new LogOutput(stream, (lines) =>
      this.warn("lines of this log could not be written, and are lost", { lines }),
    );
    this.#consola = createConsola({
      level: CONSOLA_LEVELS[level],
      // Equal lines are events too; those that peers can provoke are limited where they arise (rate-limited-warning.ts).
      throttleMin: Number.POSITIVE_INFINITY,
      reporters: [{ log: ({ type, args }) => this.#output.write(textLine(type, args)) }],
    });
  }

  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
    this.#consola.level = CONSOLA_LEVELS[level];
  }

  /** Lines that could not be written since the start. */
  get linesLost(): number {
    return this.#output.linesLost;
  }

  debug(message: string, facts?: Facts): void {
    this.#write("debug", message, facts);
  }

  info(message: string, facts?: Facts): void {
    this.#write("info", message, facts);
  }

  warn(message: string, facts?: Facts): void {
    this.#write("warn", message, facts);
  }

  error(message: string, facts?: Facts): void {
    this.#write("error", message, facts);
  }

  #write(level: LogLevel, message: string, facts: Facts | undefined): void {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.#level)) return;
    if (this.#format === "text") this.#consola[level](withFacts(message, facts));
    else this.#output.write(jsonLine(level, message, facts));
  }
}

const CONSOLA_LEVELS: Record<LogLevel, number> = { error: 0, warn: 1, info: 3, debug: 4 };

/** One line for an event, whatever its level: `WARN  message key=value`. */
function textLine(type: string, args: readonly unknown[]): string {
  return `${type.toUpperCase().padEnd(5)} ${args.join(" ")}\n`;
}

function jsonLine(level: LogLevel, message: string, facts: Facts | undefined): string {
  return `${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`;
}

function withFacts(message: string, facts: Facts | undefined): string {
  if (facts === undefined) return message;
  let line = message;
  for (const [key, value] of Object.entries(facts)) if (value !== undefined) line += ` ${key}=${value}`;
  return line;
}

function ignore(): void {}
