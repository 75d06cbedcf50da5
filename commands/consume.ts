/**
 * `obelisk consume`: prints the records of topics.
 *
 *   --mode=poll         what is there and the group has not committed, then end (default)
 *   --mode=continuous   until Ctrl-C
 *   --mode=reset        from the first record again, then end
 *
 * Plain output is the value's bytes and a `\n`, so that a text that went in as lines comes out as it was. The group's offsets are
 * committed after printing (consume-read.ts). With --filter only records that match are printed; the others count as read. With --group it is a member of the group (consume-member.ts). A closed pipe (`| head`) is a normal end.
 * A batch whose records do not decode, or that is too large to open, ends the reading with 2 and is named; what was printed
 * before it is committed.
 * Exit codes: 0 also when nothing is new, 1 there is no such topic, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { filterErrorLines } from "../src/filter/filter.ts";
import { REPEATABLE } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { compileFormat } from "./consume-format.ts";
import { type ConsumeOptions, consumeOptions, GROUP_DEFAULT, MODES } from "./consume-options.ts";
import { consumeRecords } from "./consume-read.ts";
import { START_HINT, TIME_RULE } from "./consume-start.ts";
import { catchInterrupt } from "./interrupt.ts";
import { EXIT, isTerminal, note, output } from "./output.ts";
import type { FlagTexts } from "./produce-options.ts";

export const consumeExamples = [
  "obelisk consume greetings",
  "obelisk consume orders payments --mode=continuous --group=billing",
  "obelisk consume --topic=orders --from=-10 --no-commit --format='%T %k %s\\n'",
  "obelisk consume orders --filter='value.total >= 100 and headers.source != \"test\"' --json",
  "obelisk consume --topic=orders --from=2026-01-31T12:00:00Z --max=100 --json",
];

const consumeArgs = {
  topics: {
    type: "positional",
    required: false,
    valueHint: `${REPEATABLE}TOPIC`,
    description: "The topics to read, unless --topic names them.",
  },
  topic: { type: "string", alias: "t", valueHint: "TOPIC,...", description: "The topics to read." },
  partition: { type: "string", alias: "p", valueHint: "N", description: "Only this partition." },
  mode: {
    type: "string",
    alias: "m",
    valueHint: MODES.join("|"),
    description:
      "poll: up to the end offset, then exit; continuous: until Ctrl-C; reset: as poll, from the first record again. Default: poll.",
  },
  group: {
    type: "string",
    alias: "g",
    valueHint: "NAME",
    description: `The consumer group to be a member of: it shares the partitions among its members. Without --group the offsets of ${GROUP_DEFAULT} are read and committed without membership, as they are of any group with --partition or --no-commit. Also OBELISK_GROUP.`,
  },
  instance: {
    type: "string",
    valueHint: "NAME",
    description:
      "Be a static member of this name: who comes back within 10 s has the same partitions, without a rebalance.",
  },
  from: {
    type: "string",
    alias: "o",
    valueHint: START_HINT,
    description: `Where to start; -COUNT is the last COUNT records. ${TIME_RULE} Default: the committed offset, else the first record.`,
  },
  max: { type: "string", alias: "n", valueHint: "N", description: "Exit after N records." },
  filter: {
    type: "string",
    valueHint: "EXPR",
    description:
      "Print only records that match, such as 'key startsWith \"eu-\"', 'value.user.id in [1, 2] and not exists(headers.test)', 'timestamp >= \"2026-01-31\"' (docs/filter.md). The others count as read.",
  },
  format: {
    type: "string",
    alias: "f",
    valueHint: "TEXT",
    description:
      "Print each record so: %t topic, %p partition, %o offset, %T timestamp (ms), %k key, %s value, %h headers, %K and %S bytes of key and value; \\n, \\t.",
  },
  json: { type: "boolean", description: "Print each record as one line of JSON." },
  commit: {
    type: "boolean",
    description: "Commit what was printed (the default); --no-commit leaves the group's offsets alone.",
  },
  "committed-only": {
    type: "boolean",
    description: "Skip records of open and aborted transactions (isolation level read_committed).",
  },
  "skip-unreadable": {
    type: "boolean",
    description:
      "Skip batches that cannot be read, with a line on standard error for each, instead of exiting with 2.",
  },
  ...brokersFlag,
} as const;

export const consumeCommand = defineCommand({
  meta: { name: "consume", description: "Prints records of topics, and commits the group's offsets." },
  args: consumeArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(consumeArgs, rawArgs);
    const options = optionsOf(flags, args._);
    if (options.format !== null) compileFormat(options.format); // An error should be found before connecting.
    const interrupt = catchInterrupt();
    try {
      const count = await consumeRecords(options, output, interrupt.signal);
      await output.finish();
      if (isTerminal("stderr")) note(summary(count, options.commits ? options.group : null));
      return EXIT.yes;
    } finally {
      interrupt.release();
    }
  },
});

/** A filter that is not understood is shown, with a mark under the place. */
function optionsOf(flags: FlagTexts, words: readonly string[]): ConsumeOptions {
  try {
    return consumeOptions(flags, words);
  } catch (thrown) {
    for (const line of filterErrorLines(flags["filter"] ?? "", thrown)) note(line);
    throw thrown;
  }
}

function summary(count: number, group: string | null): string {
  const records = count === 0 ? "no new records" : count === 1 ? "1 record" : `${count} records`;
  return group === null ? records : `${records} for the group ${group}`;
}
