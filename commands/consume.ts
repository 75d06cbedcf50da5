/**
 * `obelisk consume`: prints the records of topics.
 *
 *   --mode=poll         what is there and was not read by the group, then end (default)
 *   --mode=continuous   until Ctrl-C
 *   --mode=reset        from the first record again, then end
 *
 * Plain output is the value's bytes and a `\n`, so that a text that went in as lines comes out as it was. The group's offsets are
 * committed after printing (consume-read.ts). A closed pipe (`| head`) is a normal end.
 * A batch that its producer garbled, or that is too large to open, ends the reading with 2 and is named; what was printed before
 * it is committed.
 * Exit codes: 0 also when nothing is new, 1 there is no such topic, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { REPEATABLE } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { compileFormat } from "./consume-format.ts";
import { consumeOptions, GROUP_DEFAULT, MODES } from "./consume-options.ts";
import { consumeRecords } from "./consume-read.ts";
import { START_HINT, TIME_RULE } from "./consume-start.ts";
import { catchInterrupt } from "./interrupt.ts";
import { EXIT, isTerminal, note, output } from "./output.ts";

export const consumeExamples = [
  "obelisk consume greetings",
  "obelisk consume --topic=orders --mode=continuous --group=billing",
  "obelisk consume --topic=orders --from=-10 --no-commit --format='%T %k %s\\n'",
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
      "poll: what is there, then end; continuous: until Ctrl-C; reset: from the first again. Default: poll.",
  },
  group: {
    type: "string",
    alias: "g",
    valueHint: "NAME",
    description: `Whose offsets to go on from and to commit. Default: OBELISK_GROUP, else ${GROUP_DEFAULT}.`,
  },
  from: {
    type: "string",
    alias: "o",
    valueHint: START_HINT,
    description: `Where to begin. ${TIME_RULE} Default: what the group committed, else the first record.`,
  },
  max: { type: "string", alias: "n", valueHint: "N", description: "End after so many records." },
  format: {
    type: "string",
    alias: "f",
    valueHint: "TEXT",
    description:
      "%t topic, %p partition, %o offset, %T time, %k key, %s value, %h headers, %K and %S their bytes; \\n, \\t.",
  },
  json: { type: "boolean", description: "One JSON object for each record." },
  commit: {
    type: "boolean",
    description: "Commit what was printed; --no-commit leaves the group's offsets alone.",
  },
  "committed-only": {
    type: "boolean",
    description: "Leave out records of open and of aborted transactions.",
  },
  "skip-unreadable": {
    type: "boolean",
    description:
      "Go on behind batches that cannot be read, each told on standard error, instead of ending with 2.",
  },
  ...brokersFlag,
} as const;

export const consumeCommand = defineCommand({
  meta: { name: "consume", description: "Prints the records of topics." },
  args: consumeArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(consumeArgs, rawArgs);
    const options = consumeOptions(flags, args._);
    if (options.format !== null) compileFormat(options.format); // A mistake should be found before connecting.
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

function summary(count: number, group: string | null): string {
  const records = count === 0 ? "no new records" : count === 1 ? "1 record" : `${count} records`;
  return group === null ? records : `${records} for the group ${group}`;
}
