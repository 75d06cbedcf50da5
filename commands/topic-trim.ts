/**
 * `obelisk topic trim`: deletes the records of a topic before an offset or a time, by moving the start of its partitions.
 *
 *   show what would go -> ask (or --yes) -> delete
 *
 *   - Nothing outside of what a partition holds: a place before its start deletes nothing, one after its end deletes all.
 *   - Without a terminal there is no confirmation: then --yes is required.
 *
 * With --json one line: {"topic", "trimmed", "partitions": [{"partition", "start", "end", "to", "records", "note"}]}.
 * Exit codes: 0 done (or nothing to delete), 1 no such topic, or not confirmed, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { ObeliskError } from "../src/base/errors.ts";
import type { Admin } from "../src/client/admin.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { checkCanConfirm, confirm, yesFlag } from "./confirm.ts";
import { type Place, parsePlace, TIME_RULE } from "./consume-start.ts";
import { EXIT, output } from "./output.ts";
import { tableLines } from "./output-table.ts";
import { partitionRanges } from "./partition-ranges.ts";
import { wholeNumber } from "./produce-options.ts";
import { target } from "./reset-plan.ts";
import { findTopic } from "./topic-names.ts";

export const topicTrimExamples = [
  "obelisk topic trim orders --before=2026-01-31",
  "obelisk topic trim orders --before=120 --partition=0 --yes",
  "obelisk topic trim orders --before=latest --yes --json",
];

const topicTrimArgs = {
  topic: { type: "positional", required: true, valueHint: "TOPIC", description: "The topic." },
  before: {
    type: "string",
    required: true,
    valueHint: "latest|OFFSET|-COUNT|TIME",
    description: `The first record to keep; -COUNT keeps the last COUNT records, latest keeps none. ${TIME_RULE}`,
  },
  partition: { type: "string", alias: "p", valueHint: "N", description: "Only this partition." },
  ...yesFlag,
  json: { type: "boolean", description: "Print what was deleted as one line of JSON." },
  ...brokersFlag,
} as const;

const PARTITION_MAX = 2 ** 31 - 1;

interface Trim extends TopicPartition {
  readonly start: number;
  readonly end: number;
  /** The new start. */
  readonly to: number;
  /** Why `to` is not what was requested; empty when it is. */
  readonly note: string;
}

export const topicTrimCommand = defineCommand({
  meta: {
    name: "topic trim",
    description:
      "Deletes the records of a topic before an offset or a time. Shows what would go, and asks first.",
  },
  args: topicTrimArgs,
  run: async ({ rawArgs, args }) => {
    const flags = clientFlags(topicTrimArgs, rawArgs);
    checkCanConfirm(flags, process.stdin.isTTY === true);
    const place = parsePlace("before", flags["before"] ?? "");
    const partition =
      flags["partition"] === undefined ? -1 : wholeNumber("partition", flags["partition"], PARTITION_MAX);
    const isJson = flags["json"] === "true";
    return await withAdmin(flags, async (admin) => {
      const trims = await planTrim(admin, args.topic, partition, place);
      const moved = trims.filter(({ start, to }) => to > start);
      if (!isJson) for (const line of trimLines(trims)) output.line(line);
      const count = moved.reduce((sum, { start, to }) => sum + to - start, 0);
      if (moved.length > 0) {
        if (!(await confirm(flags, `delete ${count} records of topic ${args.topic}?`))) return EXIT.no;
        await admin.deleteRecords(
          moved.map(({ topic, partition: one, to }) => ({ topic, partition: one, offset: to })),
        );
      }
      if (isJson) output.json(trimJson(args.topic, trims, moved.length > 0));
      else output.line(moved.length > 0 ? "done" : "nothing to delete");
      return EXIT.yes;
    });
  },
});

async function planTrim(admin: Admin, topic: string, partition: number, place: Place): Promise<Trim[]> {
  const found = await findTopic(admin, topic);
  const wanted = found.partitions
    .filter((one) => partition < 0 || one.partition === partition)
    .map((one) => ({ topic, partition: one.partition }));
  if (wanted.length === 0) {
    const detail = `the topic has ${found.partitions.length} partitions, numbered from 0`;
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail, topic, partition });
  }
  const ranges = await partitionRanges(admin, wanted);
  const without = wanted.find((_, index) => ranges[index] === undefined);
  if (without !== undefined)
    throw new ObeliskError("NOT_LEADER_OR_FOLLOWER", { detail: "the partition has no leader", ...without });
  const byTime =
    typeof place === "object" && "timestampMs" in place
      ? await admin.listOffsets(wanted.map((one) => ({ ...one, at: place.timestampMs })))
      : [];
  return wanted.map((one, index) => {
    const range = ranges[index]!;
    return { ...one, ...range, ...target(place, range, byTime[index]) };
  });
}

function trimLines(trims: readonly Trim[]): string[] {
  return tableLines<Trim>(
    [
      { title: "topic", cell: ({ topic }) => topic },
      { title: "partition", isNumber: true, cell: ({ partition }) => `${partition}` },
      { title: "start", isNumber: true, cell: ({ start }) => `${start}` },
      { title: "new start", isNumber: true, cell: ({ to }) => `${to}` },
      { title: "end", isNumber: true, cell: ({ end }) => `${end}` },
      { title: "", cell: ({ note }) => note },
    ],
    trims,
  );
}

function trimJson(topic: string, trims: readonly Trim[], isTrimmed: boolean): object {
  const partitions = trims.map(({ partition, start, end, to, note }) => ({
    partition,
    start,
    end,
    to,
    records: to - start,
    note,
  }));
  return { topic, trimmed: isTrimmed, partitions };
}
