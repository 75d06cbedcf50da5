/**
 * `obelisk produce`: records from arguments, from the lines of standard input, or from files, to one topic.
 *
 *   - Bytes are taken as they are: only `\n` ends a line, and is not part of the record; a last line without it counts; an empty
 *     line is an empty record (unless --skip-empty or --empty-as-null).
 *   - Input is streamed: memory stays bounded however long it is.
 *   - Ctrl-C stops reading, waits for what was sent, reports, and exits 130.
 *   - Exit codes: 0 everything was acknowledged, 2 something was not, 64 wrong usage.
 *   - --test runs a scenario of the Go Obelisk's test client instead (produce-scenarios.ts).
 */

import { defineCommand } from "citty";
import { systemClock } from "../src/base/clock.ts";
import { NATIVE_PORT } from "../src/client/native-producer.ts";
import { CODECS } from "../src/protocol/record/compression.ts";
import { REPEATABLE, repeatedValues } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { catchInterrupt } from "./interrupt.ts";
import { output } from "./output.ts";
import { choice, produceOptions, SCENARIOS } from "./produce-options.ts";
import { runScenario } from "./produce-scenarios.ts";
import { produceRecords } from "./produce-send.ts";

const NATIVE_DEFAULT = `localhost:${NATIVE_PORT}`;

export const produceExamples = [
  "obelisk produce greetings hello",
  "obelisk produce --topic=lines --compression=zstd < access.log",
  "obelisk produce orders --key-separator=: --header source=shop --file orders.txt",
  "obelisk produce --test=size",
];

const produceArgs = {
  words: {
    type: "positional",
    required: false,
    valueHint: `${REPEATABLE}TOPIC [MESSAGE...]`,
    description:
      "The topic, unless --topic names it, and messages, each a record. Without messages: the lines of standard input.",
  },
  topic: { type: "string", alias: "t", valueHint: "TOPIC", description: "The topic to write to." },
  file: {
    type: "string",
    alias: "f",
    valueHint: `${REPEATABLE}FILE`,
    description: "A file whose lines are the records; - is standard input.",
  },
  key: { type: "string", alias: "k", valueHint: "KEY", description: "The key of every record." },
  "key-separator": {
    type: "string",
    alias: "K",
    valueHint: "TEXT",
    description: "Splits each line at its first TEXT into key and value; a line without it has no key.",
  },
  header: {
    type: "string",
    alias: "H",
    valueHint: `${REPEATABLE}NAME=VALUE`,
    description: "A header of every record.",
  },
  partition: {
    type: "string",
    alias: "p",
    valueHint: "N",
    description: "The partition. Default: by murmur2 of the key; without a key, batches go to a random one.",
  },
  compression: {
    type: "string",
    alias: "z",
    valueHint: "CODEC",
    description: `The compression codec: ${CODECS.join(", ")}. Default: none.`,
  },
  acks: {
    type: "string",
    alias: "a",
    valueHint: "all|1|0",
    description:
      "all or 1: wait until the record is committed (on disk, by default); 0: do not wait. Default: all.",
  },
  rate: { type: "string", valueHint: "N/s", description: "At most N records per second." },
  "skip-empty": { type: "boolean", description: "Skip empty lines." },
  "empty-as-null": {
    type: "boolean",
    description: "Send an empty value as null: a tombstone in a compacted topic.",
  },
  ...brokersFlag,
  protocol: {
    type: "string",
    valueHint: "kafka|native",
    description: "The protocol to use. Default: kafka.",
  },
  native: {
    type: "string",
    valueHint: "HOST:PORT",
    default: NATIVE_DEFAULT,
    description: "The native address, for --protocol=native and --test. Also OBELISK_NATIVE.",
  },
  test: {
    type: "string",
    valueHint: "size|time|realistic",
    description: "Run a test scenario over the native protocol instead.",
  },
  json: { type: "boolean", description: "Print the result as JSON." },
} as const;

export const produceCommand = defineCommand({
  meta: { name: "produce", description: "Writes records to a topic." },
  args: produceArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(produceArgs, rawArgs);
    const interrupt = catchInterrupt("stopping: waiting for outstanding records; Ctrl-C again exits at once");
    try {
      if (flags["test"] !== undefined) {
        const scenario = choice("test", flags["test"], SCENARIOS);
        const isJson = flags["json"] === "true";
        const native = flags["native"] ?? NATIVE_DEFAULT;
        return await runScenario({
          scenario,
          native,
          isJson,
          clock: systemClock,
          output,
          signal: interrupt.signal,
        });
      }
      const headers = repeatedValues(produceArgs, rawArgs, "header");
      const files = repeatedValues(produceArgs, rawArgs, "file");
      return await produceRecords(produceOptions(flags, args._, headers, files), output, interrupt.signal);
    } finally {
      interrupt.release();
    }
  },
});
