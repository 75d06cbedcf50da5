/**
 * `obelisk group seek`: moves the committed offsets of a group, in all topics that it has offsets of or in those that are named.
 *
 *   show the change -> ask (or --yes) -> commit
 *
 *   - Offsets stay within what each partition holds; where the requested one lies outside, the table says so.
 *   - A group that has members is refused before anything is asked: they would overwrite the change.
 *
 * With --json one line: {"group", "changed", "partitions": [{"topic", "partition", "from", "to", "note"}]}, -1 for no offset.
 * Exit codes: 0 done (or nothing to change), 1 no such group or topic, or not confirmed, 2 failed or refused, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { ObeliskError } from "../src/base/errors.ts";
import type { Admin } from "../src/client/admin.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { withAdmin } from "./admin.ts";
import { REPEATABLE, repeatedValues, usage } from "./arguments.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { checkCanConfirm, confirm, yesFlag } from "./confirm.ts";
import { type Place, parsePlace, START_HINT, TIME_RULE } from "./consume-start.ts";
import { noGroup } from "./group-names.ts";
import { EXIT, output } from "./output.ts";
import { ledPartitions } from "./partition-ranges.ts";
import { type FlagTexts, wholeNumber } from "./produce-options.ts";
import { changeLines, commitChanges, groupInUse } from "./reset-commit.ts";
import { planReset, type Shift } from "./reset-plan.ts";
import { findTopic } from "./topic-names.ts";

export const groupSeekExamples = [
  "obelisk group seek billing --to=earliest",
  "obelisk group seek billing --to=2026-01-31T12:00:00Z --topic=orders --yes",
  "obelisk group seek billing --by=-10 --topic=orders --partition=0 --yes --json",
];

const groupSeekArgs = {
  group: { type: "positional", required: true, valueHint: "GROUP", description: "The group." },
  to: {
    type: "string",
    valueHint: START_HINT,
    description: `The new offset; -COUNT is the last COUNT records. ${TIME_RULE}`,
  },
  by: {
    type: "string",
    valueHint: "+N|-N",
    description: "So many records on from what is committed, or back.",
  },
  topic: {
    type: "string",
    alias: "t",
    valueHint: `${REPEATABLE}TOPIC`,
    description: "Only this topic. Default: all that the group has committed offsets of.",
  },
  partition: { type: "string", alias: "p", valueHint: "N", description: "Only this partition." },
  ...yesFlag,
  json: { type: "boolean", description: "Print the change as one line of JSON." },
  ...brokersFlag,
} as const;

const PARTITION_MAX = 2 ** 31 - 1;
const DEAD_OR_EMPTY = ["Empty", "Dead"];

export const groupSeekCommand = defineCommand({
  meta: {
    name: "group seek",
    description:
      "Moves the committed offsets of a group. Shows the change first, and refuses while the group has members.",
  },
  args: groupSeekArgs,
  run: async ({ rawArgs, args: { group } }) => {
    const flags = clientFlags(groupSeekArgs, rawArgs);
    checkCanConfirm(flags, process.stdin.isTTY === true);
    const place = placeOf(flags);
    const topics = repeatedValues(groupSeekArgs, rawArgs, "topic").flatMap((text) => text.split(","));
    const partition =
      flags["partition"] === undefined ? -1 : wholeNumber("partition", flags["partition"], PARTITION_MAX);
    const isJson = flags["json"] === "true";
    return await withAdmin(flags, async (admin) => {
      await checkEmpty(admin, group, topics.length > 0);
      const partitions = await findPartitions(admin, group, topics, partition);
      const changes = await planReset(admin, group, partitions, place);
      const isNothing = changes.every(({ from, to }) => from === to);
      if (!isJson) for (const line of changeLines(group, changes)) output.line(line);
      if (!isNothing) {
        if (!(await confirm(flags, "commit these offsets?"))) return EXIT.no;
        await commitChanges(admin, group, changes);
      }
      if (isJson) output.json({ group, changed: !isNothing, partitions: changes });
      else output.line(isNothing ? "nothing to change" : "done");
      return EXIT.yes;
    });
  },
});

/** @throws ObeliskError INVALID_USAGE unless there is one of the two */
export function placeOf({ to, by }: FlagTexts): Place | Shift {
  if ((to === undefined) === (by === undefined))
    throw usage("give --to or --by", "--to=earliest moves to the first record, --by=-10 ten records back");
  if (to !== undefined) return parsePlace("to", to);
  if (!/^[+-]?\d{1,15}$/.test(by!)) throw usage(`--by must be +N or -N, not \`${by}\``);
  return { by: Number(by) };
}

/** A group that does not exist yet may be given offsets where topics are named. */
async function checkEmpty(admin: Admin, group: string, mayBeNew: boolean): Promise<void> {
  const found = await admin.describeGroup(group);
  if (found === undefined) {
    if (mayBeNew) return;
    throw noGroup(group);
  }
  if (!DEAD_OR_EMPTY.includes(found.state)) throw groupInUse(group);
}

async function findPartitions(
  admin: Admin,
  group: string,
  topics: readonly string[],
  partition: number,
): Promise<TopicPartition[]> {
  const isWanted = (one: TopicPartition) => partition < 0 || one.partition === partition;
  if (topics.length === 0) {
    const committed = await admin.groupOffsets(group, null);
    const found = await ledPartitions(admin, committed.filter(isWanted));
    if (found.length > 0)
      return sorted(found.map(({ topic, partition: one }) => ({ topic, partition: one })));
    const detail = `the group ${group} has committed no offset`;
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail, remedy: "name a topic with --topic" });
  }
  const found: TopicPartition[] = [];
  for (const topic of new Set(topics)) {
    const { partitions } = await findTopic(admin, topic);
    const wanted = partitions.map((one) => ({ topic, partition: one.partition })).filter(isWanted);
    if (wanted.length === 0) {
      const detail = `the topic has ${partitions.length} partitions, numbered from 0`;
      throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail, topic, partition });
    }
    found.push(...wanted);
  }
  return found;
}

function sorted(partitions: readonly TopicPartition[]): TopicPartition[] {
  return partitions.toSorted((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
}
