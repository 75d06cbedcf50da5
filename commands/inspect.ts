/**
 * `obelisk inspect`: what lies at a path, from a whole data directory down to one file, the Go Obelisk's files too. With
 * --records the records themselves, one per line, and on standard error what is skipped. It never writes and may run beside
 * a server. Exit 1 when nothing is there.
 */

import { defineCommand } from "citty";
import { createDisk } from "../src/base/disk.ts";
import { ObeliskError } from "../src/base/errors.ts";
import type { Files } from "../src/base/files.ts";
import { recordJson } from "../src/protocol/record/record-json.ts";
import type { Finding } from "../src/storage/contract.ts";
import { sum } from "../src/storage/inspect/partition.ts";
import { inspectRecords } from "../src/storage/inspect/records.ts";
import { type Inspection, inspectPath } from "../src/storage/inspect.ts";
import { flagValues, usage } from "./arguments.ts";
import { dataDirectory } from "./data-directory.ts";
import { inspectionLines, recordLine } from "./inspect-lines.ts";
import { EXIT, note, output } from "./output.ts";
import { findingLine } from "./verify-lines.ts";

export const inspectExamples = [
  "obelisk inspect data",
  "obelisk inspect data/topics --topic=orders --json",
  "obelisk inspect data/topics/orders/0/00000000000000000000.log --records --max=10",
];

const inspectArgs = {
  path: {
    type: "positional",
    required: false,
    description: "A data directory, a part of one, or a file of it; the `data` setting when left out.",
  },
  records: { type: "boolean", description: "Print the records instead of the files that hold them." },
  topic: { type: "string", valueHint: "TOPIC", description: "Only this topic." },
  max: { type: "string", valueHint: "N", description: "At most N records. Implies --records." },
  json: {
    type: "boolean",
    description: "Print one JSON object; with --records one per record, each on a line.",
  },
} as const;

export const inspectCommand = defineCommand({
  meta: {
    name: "inspect",
    description: "Shows what a data directory or one of its files holds. Never writes.",
  },
  args: inspectArgs,
  run: async ({ rawArgs, args }) => {
    const { records, topic, max, json } = flagValues(inspectArgs, rawArgs);
    const files = createDisk();
    const path = dataDirectory(args.path);
    const isJson = json === "true";
    if (records === "true" || max !== undefined)
      return printRecords(files, path, topic, recordsMax(max), isJson);
    const inspection = onlyTopic(inspectPath(files, path), topic);
    if (isJson) output.json(inspection);
    else for (const line of inspectionLines(inspection)) output.line(line);
    return EXIT.yes;
  },
});

async function printRecords(
  files: Files,
  path: string,
  topic: string | undefined,
  countMax: number,
  isJson: boolean,
): Promise<number> {
  let count = 0;
  const omitted = (omission: Finding) => note(findingLine("omitted", omission));
  for await (const record of inspectRecords(files, path, omitted)) {
    if (topic !== undefined && record.topic !== topic) continue;
    if (count === countMax) break;
    count += 1;
    if (isJson) output.json({ ...recordJson(record), batch: record.batch });
    else output.line(recordLine(record));
    await output.drain();
  }
  return count > 0 || countMax === 0 ? EXIT.yes : EXIT.no;
}

/** The inspection with nothing but one topic. @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION when it is not there */
function onlyTopic(inspection: Inspection, name: string | undefined): Inspection {
  if (name === undefined) return inspection;
  const topics = inspection.topics.filter((topic) => topic.name === name);
  const goTopics = inspection.goTopics.filter(({ topic }) => topic === name);
  if (topics.length === 0 && goTopics.length === 0)
    throw new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { topic: name });
  return { ...inspection, ...sum(topics), topics, goTopics };
}

function recordsMax(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^\d{1,15}$/.test(text)) throw usage(`--max must be a whole number, not \`${text}\``);
  return Number(text);
}
