/**
 * What values the settings of topics may have: Kafka's types, read as Kafka reads them (spaces around a value do not count, a list is
 * separated by commas). A kind says what a value must be, for the error that refuses it.
 */

/** Kafka's types of settings, as DescribeConfigs numbers them. */
export const CONFIG_TYPES = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
} as const;

export type ConfigType = keyof typeof CONFIG_TYPES;

export interface ConfigKind {
  readonly type: ConfigType;
  /** What a value must be, to follow "it must be". */
  readonly must: string;
  readonly accepts: (value: string) => boolean;
}

export const INT_MAX = 2_147_483_647;
/** The largest long, as it is written: no number here can hold it. */
export const LONG_MAX_TEXT = "9223372036854775807";

const LONG_MAX = 9_223_372_036_854_775_807n;
const INTEGER_PATTERN = /^[+-]?\d{1,19}$/;

export function int(min: number, max: number = INT_MAX): ConfigKind {
  return integer("int", min, BigInt(max), `a whole number from ${min} to ${max}`);
}

export function long(min: number): ConfigKind {
  return integer("long", min, LONG_MAX, `a whole number of ${min} or more`);
}

export function double(min: number, max: number): ConfigKind {
  return {
    type: "double",
    must: `a number from ${min} to ${max}`,
    accepts: (value) => {
      const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value) ? Number(value) : Number.NaN;
      return number >= min && number <= max;
    },
  };
}

export function text(): ConfigKind {
  return { type: "string", must: "a text", accepts: () => true };
}

export function boolean(): ConfigKind {
  return { type: "boolean", must: "true or false", accepts: (value) => /^(true|false)$/i.test(value) };
}

export function oneOf(...words: readonly string[]): ConfigKind {
  return { type: "string", must: `one of ${words.join(", ")}`, accepts: (value) => words.includes(value) };
}

/** A list of some of the words, or of none. */
export function listOf(...words: readonly string[]): ConfigKind {
  return {
    type: "list",
    must: `a list of ${words.join(", ")}`,
    accepts: (value) => listElements(value).every((word) => words.includes(word)),
  };
}

/** `*`, or partitions and brokers as Kafka writes them: `0:1,1:1`. */
export function throttledReplicas(): ConfigKind {
  return {
    type: "list",
    must: "*, or a list of PARTITION:BROKER",
    accepts: (value) => value === "" || value === "*" || /^\d+:\d+(\s*,\s*\d+:\d+)*$/.test(value),
  };
}

/** A kind of which one value is true here, and the others are not. */
export function only(value: string, { type }: ConfigKind): ConfigKind {
  return {
    type,
    must: `${value}, which is what Obelisk does`,
    accepts: (candidate) => candidate.toLowerCase() === value,
  };
}

/** A value as it counts: without spaces around it, as Java takes them away. */
export function trimmed(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && value.charCodeAt(start) <= 0x20) start += 1;
  while (end > start && value.charCodeAt(end - 1) <= 0x20) end -= 1;
  return value.slice(start, end);
}

/** A value as it is told, however it was written: `TRUE` is true, `+5` is 5. */
export function canonical({ type }: ConfigKind, value: string): string {
  if (type === "boolean") return value.toLowerCase();
  return type === "int" || type === "long" ? String(BigInt(value.replace(/^\+/, ""))) : value;
}

export function listElements(value: string): string[] {
  return value === "" ? [] : value.split(",").map((element) => element.trim());
}

/** A long as a number; what is beyond 53 bits is as good as for ever. */
export function longValue(value: string): number {
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

function integer(type: "int" | "long", min: number, max: bigint, must: string): ConfigKind {
  const accepts = (value: string) => {
    if (!INTEGER_PATTERN.test(value)) return false;
    const number = BigInt(value.replace(/^\+/, ""));
    return number >= BigInt(min) && number <= max;
  };
  return { type, must, accepts };
}
