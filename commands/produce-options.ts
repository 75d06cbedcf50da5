/** What `obelisk produce` is to do: its flags as checked values. All errors are found before anything is sent. */

import type { Acks } from "../src/client/delivery.ts";
import type { RecordHeader } from "../src/protocol/record/builder.ts";
import { CODECS, type Codec } from "../src/protocol/record/compression.ts";
import { usage } from "./arguments.ts";

export const SCENARIOS = ["size", "time", "realistic"] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface ProduceOptions {
  readonly topic: string;
  readonly messages: readonly string[];
  /** Files to read lines from, `-` for standard input; empty with messages. */
  readonly files: readonly string[];
  readonly brokers: string;
  readonly native: string;
  readonly protocol: "kafka" | "native";
  readonly key: string | null;
  readonly keySeparator: Buffer | null;
  readonly headers: readonly RecordHeader[];
  /** -1: by the key. */
  readonly partition: number;
  readonly codec: Codec;
  readonly acks: Acks;
  /** Records a second; 0: no limit. */
  readonly rate: number;
  readonly skipsEmpty: boolean;
  readonly emptyIsNull: boolean;
  readonly isJson: boolean;
}

/** The flags as `flagValues` gives them: texts, `true` and `false`. */
export type FlagTexts = Readonly<Record<string, string>>;

const ACKS: Readonly<Record<string, Acks>> = { all: -1, "-1": -1, "1": 1, "0": 0 };
const PARTITION_MAX = 2 ** 31 - 1;
/** What only the Kafka protocol can carry. */
const KAFKA_ONLY = ["partition", "compression", "acks"] as const;

/** `words` are the arguments without a flag: the topic, unless `--topic` names it, and messages. @throws ObeliskError INVALID_USAGE */
export function produceOptions(
  flags: FlagTexts,
  words: readonly string[],
  headers: readonly string[],
  files: readonly string[],
): ProduceOptions {
  const [topic, ...messages] = flags["topic"] === undefined ? words : [flags["topic"], ...words];
  if (topic === undefined || topic === "") {
    throw usage("no topic is given", "write `obelisk produce TOPIC MESSAGE`, or --topic=TOPIC");
  }
  if (messages.length > 0 && files.length > 0) throw usage("give messages or --file, not both");
  const protocol = choice("protocol", flags["protocol"] ?? "kafka", ["kafka", "native"] as const);
  if (protocol === "native") refuseKafkaOnly(flags, headers);
  if (flags["key"] !== undefined && flags["key-separator"] !== undefined) {
    throw usage("give --key or --key-separator, not both");
  }
  return {
    topic,
    messages,
    files: messages.length > 0 ? [] : files.length > 0 ? files : ["-"],
    brokers: flags["brokers"] ?? "",
    native: flags["native"] ?? "",
    protocol,
    key: flags["key"] ?? null,
    keySeparator: separator(flags["key-separator"]),
    headers: headers.map(header),
    partition:
      flags["partition"] === undefined ? -1 : wholeNumber("partition", flags["partition"], PARTITION_MAX),
    codec: choice("compression", flags["compression"] ?? "none", CODECS),
    acks: acks(flags["acks"] ?? "all"),
    rate: flags["rate"] === undefined ? 0 : rate(flags["rate"]),
    skipsEmpty: flags["skip-empty"] === "true",
    emptyIsNull: flags["empty-as-null"] === "true",
    isJson: flags["json"] === "true",
  };
}

export function choice<const Value extends string>(
  flag: string,
  text: string,
  values: readonly Value[],
): Value {
  const found = values.find((value) => value === text);
  if (found === undefined) throw usage(`--${flag} must be one of ${values.join(", ")}, not \`${text}\``);
  return found;
}

/** A whole number from 0 to `max`. */
export function wholeNumber(flag: string, text: string, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw usage(`--${flag} must be a whole number from 0 to ${max}, not \`${text}\``);
  return value;
}

function acks(text: string): Acks {
  const value = Object.hasOwn(ACKS, text) ? ACKS[text] : undefined;
  if (value === undefined) throw usage(`--acks must be all, 1 or 0, not \`${text}\``);
  return value;
}

/** `500` or `500/s`. */
function rate(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(?:\/s)?$/.exec(text);
  const value = match === null ? 0 : Number(match[1]);
  if (!(value > 0)) throw usage(`--rate must be records a second, as in 500/s, not \`${text}\``);
  return value;
}

function header(text: string): RecordHeader {
  const equals = text.indexOf("=");
  if (equals < 1) throw usage(`--header must be NAME=VALUE, not \`${text}\``);
  return { key: text.slice(0, equals), value: Buffer.from(text.slice(equals + 1)) };
}

/** The separator may be written as `\t`, which shells do not turn into a tab. */
function separator(text: string | undefined): Buffer | null {
  if (text === undefined) return null;
  if (text === "") throw usage("--key-separator must not be empty");
  return Buffer.from(text.replaceAll("\\t", "\t"));
}

function refuseKafkaOnly(flags: FlagTexts, headers: readonly string[]): void {
  const given = [
    ...KAFKA_ONLY.filter((name) => flags[name] !== undefined).map((name) => `--${name}`),
    ...(headers.length > 0 ? ["--header"] : []),
  ];
  if (given.length > 0) {
    throw usage(`${given.join(", ")}: not supported by the native protocol`, "leave out --protocol=native");
  }
}
