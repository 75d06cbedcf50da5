/** What `inspect` says to people: one table for each kind of thing that lies at the path. */

import { formatBytes } from "../src/base/units.ts";
import type { PartitionInfo, SegmentInfo } from "../src/storage/inspect/partition.ts";
import type { InspectedRecord } from "../src/storage/inspect/records.ts";
import type { Inspection } from "../src/storage/inspect.ts";
import { type Column, tableLines } from "./output-table.ts";

/** Rows of a table; of a longer list the rest is a number. --json has all. */
const ROWS_MAX = 1000;
/** With this few partitions their segments are listed too. */
const SEGMENTS_PARTITIONS_MAX = 4;

/** All lines for a path, without its records. */
export function inspectionLines(inspection: Inspection): string[] {
  const partitions = inspection.topics.flatMap((topic) => topic.partitions);
  const sections = [
    headLines(inspection),
    inspection.unreadable.map(({ path, reason }) => `${path} is not shown: ${reason}`),
    rows(PARTITION_COLUMNS, partitions),
    partitions.length <= SEGMENTS_PARTITIONS_MAX ? partitions.flatMap(partitionLines) : [],
    rows(GO_TOPIC_COLUMNS, inspection.goTopics),
    inspection.goOffsets.flatMap(goOffsetLines),
    rows(ENTRY_COLUMNS, inspection.entries),
    snapshotLines(inspection),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index === 0 ? lines : ["", ...lines]));
}

/** One record as a line: place, time, key and value, with unprintable bytes escaped. */
export function recordLine({ topic, partition, offset, timestampMs, key, value }: InspectedRecord): string {
  const place = partition < 0 ? topic : `${topic}-${partition}`;
  const keyText = key === null ? "" : `${printable(key)}: `;
  return `${place}  ${offset}  ${time(timestampMs)}  ${keyText}${value === null ? "(null)" : printable(value)}`;
}

/** Text as it is, other bytes as `\xNN`, so that a line stays a line and a terminal is left in peace. */
export function printable(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  const isText = Buffer.from(text).equals(bytes);
  return (isText ? text : bytes.toString("latin1")).replace(UNPRINTABLE, (letter) => {
    const short = SHORT_ESCAPES[letter];
    if (short !== undefined) return short;
    return `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\t": "\\t",
  "\r": "\\r",
  "\\": "\\\\",
};
const UNPRINTABLE = /[\p{Cc}\\]/gu;

function headLines({
  path,
  kind,
  identity,
  records,
  batches,
  bytes,
  damagedBytes,
  topics,
}: Inspection): string[] {
  const lines = [`${path}: ${KIND_WORDS[kind]}`];
  if (identity !== null) {
    const end = identity.cleanShutdown ? "clean shutdown" : "in use, or not shut down cleanly";
    lines.push(
      `  cluster ${identity.clusterId}, node ${identity.nodeId}, created ${identity.createdAt}, ${end}`,
    );
  }
  if (topics.length > 0) lines.push(`  ${records} records in ${batches} batches, ${formatBytes(bytes)}`);
  if (damagedBytes > 0)
    lines.push(`  ${formatBytes(damagedBytes)} of them are damaged: see \`obelisk verify\``);
  return lines;
}

const KIND_WORDS: Record<Inspection["kind"], string> = {
  data: "data directory",
  topics: "directory of topics",
  topic: "topic",
  partition: "partition",
  log: "segment (log)",
  index: "offset index",
  timeindex: "time index",
  snapshot: "partition snapshot",
  "go-log": "log of the Go Obelisk",
  "go-index": "index of the Go Obelisk",
  "go-offsets": "consumer offsets of the Go Obelisk",
};

type Content = Pick<
  PartitionInfo,
  "records" | "batches" | "bytes" | "damagedBytes" | "firstTimestampMs" | "lastTimestampMs" | "codecs"
>;

const CONTENT_COLUMNS: Column<Content>[] = [
  { title: "records", isNumber: true, cell: ({ records }) => String(records) },
  { title: "batches", isNumber: true, cell: ({ batches }) => String(batches) },
  { title: "bytes", isNumber: true, cell: ({ bytes }) => String(bytes) },
  { title: "damaged", isNumber: true, cell: ({ damagedBytes }) => String(damagedBytes) },
  { title: "first timestamp", cell: ({ firstTimestampMs }) => time(firstTimestampMs) },
  { title: "last timestamp", cell: ({ lastTimestampMs }) => time(lastTimestampMs) },
  { title: "codecs", cell: ({ codecs }) => Object.keys(codecs).join(",") },
];

const PARTITION_COLUMNS: Column<PartitionInfo>[] = [
  { title: "topic", cell: ({ topic }) => topic },
  { title: "partition", isNumber: true, cell: ({ partition }) => String(partition) },
  { title: "offsets", cell: ({ startOffset, nextOffset }) => offsets(startOffset, nextOffset) },
  { title: "segments", isNumber: true, cell: ({ segments }) => String(segments.length) },
  ...CONTENT_COLUMNS,
];

const SEGMENT_COLUMNS: Column<SegmentInfo>[] = [
  { title: "segment", cell: ({ file }) => file },
  { title: "offsets", cell: ({ baseOffset, nextOffset }) => offsets(baseOffset, nextOffset) },
  { title: "index", isNumber: true, cell: ({ indexEntries }) => String(indexEntries) },
  { title: "time index", isNumber: true, cell: ({ timeIndexEntries }) => String(timeIndexEntries) },
  ...CONTENT_COLUMNS,
];

const GO_TOPIC_COLUMNS: Column<Inspection["goTopics"][number]>[] = [
  { title: "Go Obelisk's topic", cell: ({ topic }) => topic },
  { title: "messages", isNumber: true, cell: ({ messages }) => String(messages) },
  { title: "bytes", isNumber: true, cell: ({ bytes }) => String(bytes) },
  { title: "damaged", isNumber: true, cell: ({ damagedBytes }) => String(damagedBytes) },
  { title: "first timestamp", cell: ({ firstTimestampMs }) => time(firstTimestampMs) },
  { title: "last timestamp", cell: ({ lastTimestampMs }) => time(lastTimestampMs) },
];

const ENTRY_COLUMNS: Column<Inspection["entries"][number]>[] = [
  { title: "offset", isNumber: true, cell: ({ offset }) => String(offset) },
  { title: "position", isNumber: true, cell: ({ position }) => (position < 0 ? "-" : String(position)) },
  { title: "timestamp", cell: ({ timestampMs }) => time(timestampMs) },
];

function partitionLines(partition: PartitionInfo): string[] {
  const { topic, leaderEpochs, holes, producers, producersOmitted, checkpointOffset } = partition;
  const lines = ["", ...rows(SEGMENT_COLUMNS, partition.segments)];
  const epochs = leaderEpochs
    .map(({ epoch, startOffset }) => `${epoch} from offset ${startOffset}`)
    .join(", ");
  if (epochs !== "") lines.push(`${topic}-${partition.partition}: leader epochs ${epochs}`);
  if (checkpointOffset >= 0)
    lines.push(`${topic}-${partition.partition}: checkpoint at offset ${checkpointOffset}`);
  for (const { segment, position, bytes } of holes) {
    lines.push(
      `${topic}-${partition.partition}: quarantined ${bytes} bytes at position ${position} of segment ${segment}`,
    );
  }
  const number = producers.length + producersOmitted;
  if (number > 0)
    lines.push(`${topic}-${partition.partition}: ${number} idempotent producer${number === 1 ? "" : "s"}`);
  return lines.slice(1);
}

function goOffsetLines({ file, offsets: saved, fault }: Inspection["goOffsets"][number]): string[] {
  if (fault !== null) return [`${file}: cannot be read: ${fault}`];
  return Object.entries(saved).map(([topic, offset]) => `${file}: ${topic} next at ${offset}`);
}

function snapshotLines({ snapshot }: Inspection): string[] {
  if (snapshot === null) return [];
  const { startOffset, checkpoint, epochs, holes } = snapshot;
  const lines = [`start offset ${startOffset}`];
  if (checkpoint !== null) {
    const { offset, segment, position, stateBytes } = checkpoint;
    lines.push(
      `checkpoint at offset ${offset}: segment ${segment} at ${position}, ${stateBytes} bytes of state`,
    );
  }
  for (const { epoch, startOffset: from } of epochs) lines.push(`leader epoch ${epoch} from offset ${from}`);
  for (const { segment, position, bytes } of holes)
    lines.push(`quarantined ${bytes} bytes at position ${position} of segment ${segment}`);
  return lines;
}

function rows<Row>(columns: readonly Column<Row>[], all: readonly Row[]): string[] {
  if (all.length === 0) return [];
  const lines = tableLines(columns, all.slice(0, ROWS_MAX));
  return all.length > ROWS_MAX ? [...lines, `and ${all.length - ROWS_MAX} more: --json shows them`] : lines;
}

/** `0-49` for what is there, `none from 50` for an empty range. */
function offsets(start: number, next: number): string {
  return next > start ? `${start}-${next - 1}` : `none from ${start}`;
}

function time(timestampMs: number): string {
  if (timestampMs < 0) return "-";
  return timestampMs <= DATE_MS_MAX ? new Date(timestampMs).toISOString() : String(timestampMs);
}

/** The last moment that a Date can hold. */
const DATE_MS_MAX = 8_640_000_000_000_000;
