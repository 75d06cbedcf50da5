/**
 * The kinds of value that a setting can have: how the text of a file, a variable or a flag becomes a value, and how
 * a value is written so that it can be read again. Every source goes through text, so a value means the same
 * wherever it stands.
 *
 *   parse(format(value)) equals value, for every value in range
 *
 * `parse` returns a `Refusal`, half a sentence that goes after the setting's name ("must be ..."), and never throws.
 */

import { type Address, formatAddress, isWildcard, parseAddress, parseHost } from "../base/address.ts";
import { formatBytes, GiB, KiB, MiB, parseBytes, parseDuration } from "../base/units.ts";

/** Why a text is not a value: the sentence after the setting's name. */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export interface Kind<T> {
  /** What to write, for the manual: `a size such as 64KiB`. */
  readonly hint: string;
  /** The range in words; empty when there is nothing to say beyond the hint. */
  readonly range: string;
  /** What a number of it counts. */
  readonly unit: "bytes" | "ms" | null;
  readonly isSwitch: boolean;
  parse(text: string): T | Refusal;
  format(value: T): string;
}

export interface Durability {
  readonly mode: "fsync" | "interval" | "os";
  /** Milliseconds between syncs in the mode `interval`; 0 in the others. */
  readonly intervalMs: number;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export function text(hint: string): Kind<string> {
  return {
    hint,
    range: "",
    unit: null,
    isSwitch: false,
    parse: (given) => {
      if (given.trim() === "") return new Refusal("must not be empty");
      return given.includes(NO_CHARACTER) ? new Refusal("must be UTF-8") : given;
    },
    format: (value) => value,
  };
}

export function integer(range: Range): Kind<number> {
  const words = `${range.min} to ${range.max}`;
  return {
    hint: "a whole number",
    range: words,
    unit: null,
    isSwitch: false,
    parse: (given) => {
      if (!/^-?\d{1,15}$/.test(given.trim())) return new Refusal(`must be a whole number from ${words}`);
      return within(Number(given), range, words);
    },
    format: String,
  };
}

export function ratio(range: Range): Kind<number> {
  const words = `${range.min} to ${range.max}`;
  return {
    hint: "a number such as 0.95",
    range: words,
    unit: null,
    isSwitch: false,
    parse: (given) => {
      if (!/^\d+(\.\d+)?$/.test(given.trim())) return new Refusal(`must be a number from ${words}`);
      return within(Number(given), range, words);
    },
    format: String,
  };
}

export function bytes(range: Range): Kind<number> {
  const words = `${formatBytes(range.min)} to ${formatBytes(range.max)}`;
  return {
    hint: "a size such as 64KiB, 512MiB or 1GiB",
    range: words,
    unit: "bytes",
    isSwitch: false,
    parse: (given) => {
      const value = parseBytes(given);
      if (value === undefined)
        return new Refusal(`must be a size in whole bytes such as 64KiB or 512MiB, from ${words}`);
      return within(value, range, words);
    },
    format: exactBytes,
  };
}

export function duration(range: Range): Kind<number> {
  const words = `${exactDuration(range.min)} to ${exactDuration(range.max)}`;
  return {
    hint: "a duration such as 250ms, 30s or 1h; a bare number is milliseconds",
    range: words,
    unit: "ms",
    isSwitch: false,
    parse: (given) => {
      const value = parseDuration(given);
      if (value === undefined)
        return new Refusal(
          `must be a duration in whole milliseconds such as 250ms, 30s or 1h, from ${words}`,
        );
      return within(value, range, words);
    },
    format: exactDuration,
  };
}

/** A limit of that kind, or -1 for none. */
export function limitless(limit: Kind<number>): Kind<number> {
  return {
    ...limit,
    hint: `${limit.hint}; -1 for no limit`,
    parse: (given) => (given.trim() === "-1" ? -1 : limit.parse(given)),
    format: (value) => (value === -1 ? "-1" : limit.format(value)),
  };
}

export function flag(): Kind<boolean> {
  return {
    hint: "true or false",
    range: "",
    unit: null,
    isSwitch: true,
    parse: (given) => SWITCH_WORDS.get(given.trim().toLowerCase()) ?? new Refusal("must be true or false"),
    format: String,
  };
}

export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  const list = words.join(", ");
  return {
    hint: `one of ${list}`,
    range: "",
    unit: null,
    isSwitch: false,
    parse: (given) =>
      words.find((word) => word === given.trim().toLowerCase()) ?? new Refusal(`must be one of ${list}`),
    format: (value) => value,
  };
}

export function durability(): Kind<Durability> {
  const hint = "fsync, interval:MS or os";
  return {
    hint,
    range: `interval: 1 to ${INTERVAL_MS_MAX} milliseconds`,
    unit: null,
    isSwitch: false,
    parse: (given) => {
      const [mode, interval, ...rest] = given.trim().toLowerCase().split(":");
      if ((mode === "fsync" || mode === "os") && interval === undefined) return { mode, intervalMs: 0 };
      const intervalMs = mode === "interval" && rest.length === 0 ? parseDuration(interval ?? "") : undefined;
      if (intervalMs !== undefined && intervalMs >= 1 && intervalMs <= INTERVAL_MS_MAX)
        return { mode: "interval", intervalMs };
      return new Refusal(`must be ${hint} (1 to ${INTERVAL_MS_MAX} milliseconds)`);
    },
    format: ({ mode, intervalMs }) => (mode === "interval" ? `interval:${intervalMs}` : mode),
  };
}

/** Where to listen: a name or an address, without a port. */
export function host(): Kind<string> {
  return {
    hint: "a name, an address, or * for all addresses",
    range: "",
    unit: null,
    isSwitch: false,
    parse: (given) =>
      parseHost(given) ??
      new Refusal(
        "must be a name or an address without a port, such as localhost, broker.example, 10.0.0.1, fe80::1%eth0 or *",
      ),
    format: (value) => value,
  };
}

/** Hosts by which something is called, with commas between them; empty: none. */
export function hosts(): Kind<readonly string[]> {
  const hint = "names or addresses with commas between them, or empty";
  return list(
    hint,
    (word) => (word === "*" ? undefined : parseHost(word)),
    "must be names or addresses without ports",
  );
}

/** Origins of web pages, with commas between them; empty: none. */
export function origins(): Kind<readonly string[]> {
  const hint = "origins such as https://console.example with commas between them, * for all, or empty";
  return list(
    hint,
    parseOrigin,
    "must be origins such as https://console.example or http://localhost:3000, or *",
  );
}

/** As a browser writes it. */
function parseOrigin(word: string): string | undefined {
  if (word === "*" || word === "null") return word;
  if (!/^https?:\/\/[^/?#@\s]+\/?$/i.test(word) || !URL.canParse(word)) return undefined;
  return new URL(word).origin;
}

function list(
  hint: string,
  parseWord: (word: string) => string | undefined,
  refusal: string,
): Kind<readonly string[]> {
  return {
    hint,
    range: "",
    unit: null,
    isSwitch: false,
    parse: (given) => {
      const words = given.split(",").flatMap((word) => (word.trim() === "" ? [] : [word.trim()]));
      const parsed = words.map(parseWord);
      return parsed.every((word) => word !== undefined) ? parsed : new Refusal(refusal);
    },
    format: (value) => value.join(","),
  };
}

/** An address, or empty for none. IPv6 addresses stand in brackets: `[::1]:9092`. */
export function optionalAddress(): Kind<Address | null> {
  return {
    hint: "HOST:PORT, or empty",
    range: "port 1 to 65535",
    unit: null,
    isSwitch: false,
    parse: (given) => {
      if (given.trim() === "") return null;
      const address = parseAddress(given, null);
      if (address === undefined)
        return new Refusal("must be HOST:PORT (an IPv6 address in brackets), port 1 to 65535");
      return isWildcard(address.host)
        ? new Refusal("must be an address that clients can connect to")
        : address;
    },
    format: (value) => (value === null ? "" : formatAddress(value)),
  };
}

/** What stands for bytes that are not UTF-8, once they are text: the value is not what was written any more. */
export const NO_CHARACTER = "\ufffd";

/** A minute without a sync is the most that anyone can call a durability. */
const INTERVAL_MS_MAX = 60_000;

const SWITCH_WORDS = new Map([
  ["true", true],
  ["yes", true],
  ["on", true],
  ["1", true],
  ["false", false],
  ["no", false],
  ["off", false],
  ["0", false],
]);

function within(value: number, range: Range, words: string): number | Refusal {
  return value >= range.min && value <= range.max ? value : new Refusal(`must be from ${words}`);
}

function exactBytes(value: number): string {
  if (value === 0) return "0";
  for (const [unit, name] of [
    [GiB, "GiB"],
    [MiB, "MiB"],
    [KiB, "KiB"],
  ] as const) {
    if (value % unit === 0) return `${value / unit}${name}`;
  }
  return String(value);
}

function exactDuration(value: number): string {
  if (value === 0) return "0ms";
  for (const [unit, name] of [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
    [1_000, "s"],
  ] as const) {
    if (value % unit === 0) return `${value / unit}${name}`;
  }
  return `${value}ms`;
}
