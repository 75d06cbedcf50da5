/**
 * `obelisk reset`: resets the committed offsets of a group in a topic.
 *
 *   show the change -> ask (or --yes) -> commit
 *
 *   - Offsets stay within what the partition holds; where the requested one lies outside, the table says so.
 *   - Without a terminal there is no confirmation: then --yes is required.
 *   - A group with active members is refused by the server, because its members would overwrite the change.
 * Exit codes: 0 done (or nothing to change), 1 no such topic, or not confirmed, 2 failed or refused, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { ObeliskError } from "../src/base/errors.ts";
import { Admin } from "../src/client/admin.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { usage } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { GROUP_DEFAULT } from "./consume-options.ts";
import { type Place, parsePlace, START_HINT, TIME_RULE } from "./consume-start.ts";
import { EXIT, note, output } from "./output.ts";
import { type FlagTexts, wholeNumber } from "./produce-options.ts";
import { askYesNo } from "./reset-ask.ts";
import { changeLines, commitChanges } from "./reset-commit.ts";
import { planReset } from "./reset-plan.ts";
import { sayRetries } from "./retry-note.ts";

export const resetExamples = [
  "obelisk reset --topic=orders --group=billing --to=earliest",
  "obelisk reset --topic=orders --group=billing --to=2026-01-31T12:00:00Z --yes",
  "obelisk reset --topic=orders --group=billing --to=120 --partition=0 --yes --json",
];

const resetArgs = {
  topic: { type: "string", alias: "t", required: true, valueHint: "TOPIC", description: "The topic." },
  group: {
    type: "string",
    alias: "g",
    valueHint: "NAME",
    description: `The consumer group. Default: OBELISK_GROUP, else ${GROUP_DEFAULT}.`,
  },
  to: {
    type: "string",
    required: true,
    valueHint: START_HINT,
    description: `The new offset; -COUNT is the last COUNT records. ${TIME_RULE}`,
  },
  partition: { type: "string", alias: "p", valueHint: "N", description: "Only this partition." },
  yes: { type: "boolean", alias: "y", description: "Commit the change without asking." },
  json: { type: "boolean", description: "Print the change as one line of JSON." },
  ...brokersFlag,
} as const;

const PARTITION_MAX = 2 ** 31 - 1;

export interface ResetOptions {
  readonly topic: string;
  readonly group: string;
  readonly to: Place;
  /** -1: all. */
  readonly partition: number;
  readonly isConfirmed: boolean;
  readonly isJson: boolean;
  readonly brokers: string;
}

export const resetCommand = defineCommand({
  meta: {
    name: "reset",
    description: "Resets a group's committed offsets in a topic. Shows the change first.",
  },
  args: resetArgs,
  run: async ({ rawArgs }) => {
    const flags = clientFlags(resetArgs, rawArgs);
    const options = resetOptions(flags, process.stdin.isTTY === true);
    const admin = await Admin.connect({
      brokers: options.brokers,
      clientId: "obelisk-reset",
      onRetry: sayRetries(),
    });
    try {
      return await reset(admin, options);
    } finally {
      await admin.close();
    }
  },
});

/** @throws ObeliskError INVALID_USAGE, also without a terminal when `--yes` is missing */
export function resetOptions(flags: FlagTexts, canAsk: boolean): ResetOptions {
  const { topic, group = GROUP_DEFAULT, to, partition } = flags;
  if (topic === undefined || topic === "") throw usage("no topic is given", "add --topic=TOPIC");
  if (to === undefined) throw usage("--to is missing", "add --to=earliest, for example");
  if (group === "") throw usage("--group must not be empty");
  const isConfirmed = flags["yes"] === "true";
  if (!isConfirmed && !canAsk) {
    throw usage(
      "cannot ask for confirmation: standard input is not a terminal",
      "add --yes to reset without asking",
    );
  }
  return {
    topic,
    group,
    to: parsePlace("to", to),
    partition: partition === undefined ? -1 : wholeNumber("partition", partition, PARTITION_MAX),
    isConfirmed,
    isJson: flags["json"] === "true",
    brokers: flags["brokers"] ?? "",
  };
}

async function reset(admin: Admin, options: ResetOptions): Promise<number> {
  const partitions = await findPartitions(admin, options);
  const changes = await planReset(admin, options.group, partitions, options.to);
  const isNothing = changes.every(({ from, to }) => from === to);
  if (!options.isJson) for (const line of changeLines(options.group, changes)) output.line(line);
  if (!isNothing) {
    await output.finish(); // What could not be shown is not committed.
    if (!options.isConfirmed && !(await askYesNo("commit these offsets?", Bun.stdin.stream()))) {
      note("nothing was changed");
      return EXIT.no;
    }
    await commitChanges(admin, options.group, changes);
  }
  if (options.isJson)
    output.json({ event: "reset", group: options.group, changed: !isNothing, partitions: changes });
  else output.line(isNothing ? "nothing to change" : "done");
  return EXIT.yes;
}

async function findPartitions(admin: Admin, { topic, partition }: ResetOptions): Promise<TopicPartition[]> {
  const found = await admin.describeTopic(topic);
  if (found === undefined)
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail: `topic ${topic} does not exist` });
  const wanted = found.partitions.filter((one) => partition < 0 || one.partition === partition);
  if (wanted.length === 0) {
    const detail = `the topic has ${found.partitions.length} partitions, numbered from 0`;
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail, topic, partition });
  }
  return wanted.map((one) => ({ topic, partition: one.partition }));
}
