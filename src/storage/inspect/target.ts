/** What a path given to `inspect` is, judged by names: a whole data directory, a part of one, or a single file. */

import { errnoOf, ObeliskError } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { scanGoLog } from "../file/import/go-files.ts";
import { parseSegmentName } from "../file/segment.ts";
import { SNAPSHOT_FILE } from "../file/snapshot.ts";
import {
  holdsFiles,
  isDataDirectory,
  noStrays,
  type PartitionLayout,
  readLayout,
  readPartition,
  readTopic,
  type Strays,
  type TopicLayout,
} from "../layout.ts";
import { isTopicName } from "../names.ts";

export type TargetKind =
  | "data"
  | "topics"
  | "topic"
  | "partition"
  | "log"
  | "index"
  | "timeindex"
  | "snapshot"
  | "go-log"
  | "go-index"
  | "go-offsets";

export interface Target {
  kind: TargetKind;
  /** The directory that all names are relative to. */
  root: string;
  /** The file itself, relative to `root`; empty for directories. */
  file: string;
  topics: TopicLayout[];
  /** Logs of a Go Obelisk, relative to `root`, with their topics. */
  goLogs: { file: string; topic: string }[];
  /** Saved offsets of a Go Obelisk, relative to `root`. */
  goOffsets: string[];
  /** What the system refuses to show, relative to `root`: the rest is shown without it. */
  unreadable: Strays["unreadable"];
}

/** @throws ObeliskError UNKNOWN_TOPIC_OR_PARTITION when there is nothing that can be inspected */
export function resolveTarget(files: Files, path: string): Target {
  const given = path.length > 1 ? path.replace(/\/+$/, "") : path;
  if (!files.exists(given)) throw nothing(`there is nothing at ${given}`);
  const slash = given.lastIndexOf("/");
  const parent = slash === -1 ? "." : given.slice(0, slash) || "/";
  const name = given.slice(slash + 1);
  return files.isDirectory(given)
    ? resolveDirectory(files, given, parent, name)
    : resolveFile(files, parent, name);
}

function resolveDirectory(files: Files, path: string, parent: string, name: string): Target {
  const names = files.list(path);
  const strays = noStrays();
  const target: Target = { ...noTarget("data", path, ""), unreadable: strays.unreadable };
  if (isDataDirectory(files, path)) {
    const layout = readLayout(files, path);
    target.topics = layout.topics;
    target.goLogs = layout.goTopics.map((topic) => ({ file: `topics/${topic}.log`, topic }));
    target.goOffsets = layout.goConsumers.map((consumer) => `consumers/${consumer}.json`);
    target.unreadable = layout.unreadable;
    return target;
  }
  if (names.some((entry) => entry === SNAPSHOT_FILE || parseSegmentName(entry) !== null)) {
    return partitionTarget(files, path, parent, name);
  }
  if (names.some((entry) => /^\d{1,10}\/$/.test(entry))) {
    target.kind = "topic";
    target.root = parent;
    const topic = readTopic(files, parent, name, name, strays);
    if (!holdsFiles(topic) && strays.unreadable.length === 0) throw nothing(`${path} holds no partitions`);
    target.topics = [topic];
    return target;
  }
  target.kind = "topics";
  for (const entry of names) {
    if (isTopicEntry(entry)) {
      const topic = readTopic(files, path, entry.slice(0, -1), entry.slice(0, -1), strays);
      if (holdsFiles(topic)) target.topics.push(topic);
    } else if (isGoLog(files, path, entry)) target.goLogs.push({ file: entry, topic: goTopicOf(entry)! });
  }
  if (target.topics.length === 0 && target.goLogs.length === 0) throw nothing(`${path} holds no topics`);
  return target;
}

function isTopicEntry(entry: string): boolean {
  return entry.endsWith("/") && isTopicName(entry.slice(0, -1));
}

/** Many programs write files of such names: one that lies elsewhere than in `topics` must hold a message. */
function isGoLog(files: Files, directory: string, name: string): boolean {
  const topic = goTopicOf(name);
  if (topic === null) return false;
  if (/(^|\/)topics$/.test(directory)) return true;
  try {
    for (const { frame } of scanGoLog(files, `${directory}/${name}`, name, topic)) {
      if (frame !== null) return true;
    }
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
  return false;
}

function partitionTarget(files: Files, path: string, parent: string, name: string): Target {
  const slash = parent.lastIndexOf("/");
  const topic = parent.slice(slash + 1);
  const partition = /^\d+$/.test(name) ? Number(name) : 0;
  const strays = noStrays();
  const layout = readPartition(files, path, ".", topic, partition, strays);
  const target = noTarget("partition", path, "");
  return { ...target, topics: [{ name: topic, partitions: [layout] }], unreadable: strays.unreadable };
}

function resolveFile(files: Files, parent: string, name: string): Target {
  const target = noTarget("log", parent, name);
  const segment = parseSegmentName(name);
  files.close(files.open(`${parent}/${name}`, "read")); // refused here, rather than left out further down
  if (segment !== null) {
    target.kind = segment.suffix;
    if (segment.suffix === "log") target.topics = [segmentTopic(files, parent, segment.baseOffset)];
  } else if (name === SNAPSHOT_FILE) target.kind = "snapshot";
  else if (goTopicOf(name) !== null) {
    target.kind = "go-log";
    if (!isGoLog(files, parent, name)) throw nothing(`${parent}/${name} is no log of Obelisk`);
    target.goLogs = [{ file: name, topic: goTopicOf(name)! }];
  } else if (/\.idx(\.imported(-\d+)?)?$/.test(name)) target.kind = "go-index";
  else if (/\.json(\.imported(-\d+)?)?$/.test(name) && /(^|\/)consumers$/.test(parent)) {
    target.kind = "go-offsets";
    target.goOffsets = [name];
  } else throw nothing(`${name} is not a kind of file that can be inspected`);
  return target;
}

/** The partition of a log file, with nothing but that segment. */
function segmentTopic(files: Files, parent: string, baseOffset: number): TopicLayout {
  const names = parent.split("/");
  const partitionName = names.at(-1) ?? "";
  const partition = /^\d+$/.test(partitionName) ? Number(partitionName) : 0;
  const topic = names.at(-2) ?? "";
  const layout: PartitionLayout = readPartition(files, parent, ".", topic, partition, noStrays());
  return { name: topic, partitions: [{ ...layout, segments: [baseOffset] }] };
}

/** `orders` for `orders.log` and `orders.log.imported`; null for other names. */
function goTopicOf(name: string): string | null {
  return /^(.+)\.log(\.imported(-\d+)?)?$/.exec(name)?.[1] ?? null;
}

function noTarget(kind: TargetKind, root: string, file: string): Target {
  return { kind, root, file, topics: [], goLogs: [], goOffsets: [], unreadable: [] };
}

function nothing(detail: string): ObeliskError {
  return new ObeliskError("UNKNOWN_TOPIC_OR_PARTITION", { detail });
}
