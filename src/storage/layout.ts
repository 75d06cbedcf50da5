/**
 * What lies where in a data directory, by names alone: nothing is opened. `verify` and `inspect` walk it.
 *
 *   obelisk.json, lock, meta.db (-wal, -shm, and the names of a rebuild),
 *   snapshots.journal                                                      the directory's own
 *   topics/TOPIC/NUMBER/                                                   a partition: segments, indexes, snapshot
 *   topics/TOPIC.log, .idx        consumers/NAME.json                      left by a Go Obelisk; `*.imported`: done with
 *   quarantine/, reserve/                                                  never looked into
 *
 * Links are followed, as the server follows them. A directory that the system refuses to list, or a link that leads nowhere where
 * a topic or a partition should be, is listed as unreadable, and the walk goes on with the rest.
 *
 * Everything else is unknown and listed as such, except hidden files, `lost+found` and temporary files that a crash left.
 * Names are relative to the data directory; directories end in "/".
 */

import { TEMPORARY_SUFFIX } from "../base/disk.ts";
import { errnoOf } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { systemReason } from "../base/system-error.ts";
import { LOCK_FILE } from "./file/data-directory.ts";
import { IDENTITY_FILE } from "./file/identity.ts";
import { QUARANTINE } from "./file/quarantine.ts";
import { RESERVE } from "./file/reserve.ts";
import { parseSegmentName } from "./file/segment.ts";
import { SNAPSHOT_FILE } from "./file/snapshot.ts";
import { SNAPSHOT_JOURNAL } from "./file/snapshot-journal-format.ts";
import { SHM_SUFFIX, STATE_FILE, WAL_SUFFIX } from "./file/state/state-row.ts";
import { isTopicName } from "./names.ts";

export interface PartitionLayout {
  topic: string;
  partition: number;
  /** Relative to the data directory, or wherever the walk began; without a slash at the end. */
  directory: string;
  /** Base offsets of the log files, ascending. */
  segments: number[];
  /** Base offsets that have the file. */
  indexes: Set<number>;
  timeIndexes: Set<number>;
  hasSnapshot: boolean;
}

export interface TopicLayout {
  name: string;
  /** Ascending. */
  partitions: PartitionLayout[];
}

/** What the walk met and could not place. */
export interface Strays {
  /** Belongs to nothing. */
  unknown: string[];
  /** The system refuses to say what lies there; without a slash at the end. */
  unreadable: { path: string; reason: string }[];
}

export interface DirectoryLayout extends Strays {
  topics: TopicLayout[];
  /** Topics whose removal is decided and not yet finished. */
  detached: string[];
  /** Topics of a Go Obelisk that were not imported. */
  goTopics: string[];
  goConsumers: string[];
}

const OWN_NAMES = new Set([
  IDENTITY_FILE,
  LOCK_FILE,
  SNAPSHOT_JOURNAL,
  "topics/",
  "consumers/",
  `${QUARANTINE}/`,
  `${RESERVE}/`,
  ...[STATE_FILE, `${STATE_FILE}-building`, `${STATE_FILE}-rebuilt`].flatMap((name) => [
    name,
    name + WAL_SUFFIX,
    name + SHM_SUFFIX,
  ]),
]);
const PARTITION_NAME_PATTERN = /^(0|[1-9]\d{0,9})(\/?)$/;
export const DANGLING_LINK = "it is a link that leads nowhere";
/** What the file engine calls what is left of a removed topic; it deletes that when it starts. */
const REMOVED_PATTERN = /^~removed-\d+\/?$/;
/** A topic whose removal is decided; the next start finishes it (file/topic-directories.ts). */
const DETACHED_PATTERN = /^~~(.+?)\/?$/;
const IMPORTED_PATTERN = /\.imported(-\d+)?$/;

/** @throws the system's errors, when `root` itself cannot be listed */
export function readLayout(files: Files, root: string): DirectoryLayout {
  const layout: DirectoryLayout = {
    topics: [],
    detached: [],
    goTopics: [],
    goConsumers: [],
    ...noStrays(),
  };
  const names = files.list(root);
  for (const name of names) if (!OWN_NAMES.has(name) && !isIgnored(name)) layout.unknown.push(name);
  if (names.includes("topics/")) readTopics(files, root, layout);
  if (names.includes("consumers/")) readConsumers(files, root, layout);
  return layout;
}

export function noStrays(): Strays {
  return { unknown: [], unreadable: [] };
}

/**
 * Whether there is anything in it that makes a directory a data directory. A `topics` directory alone does when it is empty or
 * holds what an Obelisk writes: others have directories of that name too.
 * @throws the system's errors
 */
export function isDataDirectory(files: Files, root: string): boolean {
  const names = files.list(root);
  if (names.includes(IDENTITY_FILE) || names.includes(STATE_FILE)) return true;
  const isBegun = names.includes(LOCK_FILE) && names.every((name) => OWN_NAMES.has(name) || isIgnored(name));
  if (isBegun) return true; // a first start was interrupted
  if (!names.includes("topics/")) return false;
  const topics = files.list(`${root}/topics`);
  return topics.length === 0 || topics.some((name) => isTopicOfOurs(files, `${root}/topics`, name));
}

/** The partitions of one topic's directory; what belongs to none goes to `strays`. */
export function readTopic(
  files: Files,
  root: string,
  directory: string,
  topic: string,
  strays: Strays,
): TopicLayout {
  const partitions: PartitionLayout[] = [];
  for (const name of list(files, root, directory, strays)) {
    const match = PARTITION_NAME_PATTERN.exec(name);
    if (match?.[2] === "/") {
      const path = `${directory}/${match[1]}`;
      partitions.push(readPartition(files, root, path, topic, Number(match[1]), strays));
    } else if (match === null || !reportDanglingLink(files, root, `${directory}/${name}`, strays)) {
      if (!isIgnored(name)) strays.unknown.push(`${directory}/${name}`);
    }
  }
  partitions.sort((left, right) => left.partition - right.partition);
  return { name: topic, partitions };
}

/** Whether there is a file of a partition in it: directories with numbers for names are not ours alone. */
export function holdsFiles({ partitions }: TopicLayout): boolean {
  return partitions.some(({ segments, hasSnapshot }) => segments.length > 0 || hasSnapshot);
}

/** The files of one partition's directory; what belongs to none goes to `strays`. */
export function readPartition(
  files: Files,
  root: string,
  directory: string,
  topic: string,
  partition: number,
  strays: Strays,
): PartitionLayout {
  const found = { log: new Set<number>(), index: new Set<number>(), timeindex: new Set<number>() };
  let hasSnapshot = false;
  for (const name of list(files, root, directory, strays)) {
    const segment = parseSegmentName(name);
    if (segment !== null) found[segment.suffix].add(segment.baseOffset);
    else if (name === SNAPSHOT_FILE) hasSnapshot = true;
    else if (!isIgnored(name)) strays.unknown.push(`${directory}/${name}`);
  }
  return {
    topic,
    partition,
    directory,
    segments: [...found.log].sort((left, right) => left - right),
    indexes: found.index,
    timeIndexes: found.timeindex,
    hasSnapshot,
  };
}

function readTopics(files: Files, root: string, layout: DirectoryLayout): void {
  const names = list(files, root, "topics", layout);
  for (const name of names) {
    const path = `topics/${name}`;
    const stem = name.slice(0, -".log".length);
    if (name.endsWith("/") && isTopicName(name.slice(0, -1))) {
      layout.topics.push(readTopic(files, root, path.slice(0, -1), name.slice(0, -1), layout));
    } else if (DETACHED_PATTERN.test(name)) layout.detached.push(DETACHED_PATTERN.exec(name)![1]!);
    else if (isTopicName(name) && reportDanglingLink(files, root, path, layout)) continue;
    else if (name.endsWith(".log") && stem !== "") layout.goTopics.push(stem);
    else if (name.endsWith(".idx") && names.includes(`${stem}.log`)) continue;
    else if (!isIgnored(name)) layout.unknown.push(path);
  }
}

function readConsumers(files: Files, root: string, layout: DirectoryLayout): void {
  for (const name of list(files, root, "consumers", layout)) {
    if (name.endsWith(".json")) layout.goConsumers.push(name.slice(0, -".json".length));
    else if (!isIgnored(name)) layout.unknown.push(`consumers/${name}`);
  }
}

/** Nothing, too, for a directory that a running server has just removed. */
function list(files: Files, root: string, directory: string, strays: Strays): string[] {
  try {
    return files.list(`${root}/${directory}`);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === undefined || !(thrown instanceof Error)) throw thrown;
    if (errno !== "ENOENT") strays.unreadable.push({ path: directory, reason: systemReason(thrown) });
    return [];
  }
}

function reportDanglingLink(files: Files, root: string, path: string, strays: Strays): boolean {
  if (!files.isLink(`${root}/${path}`) || files.exists(`${root}/${path}`)) return false;
  strays.unreadable.push({ path, reason: DANGLING_LINK });
  return true;
}

function isTopicOfOurs(files: Files, topics: string, name: string): boolean {
  if (name.endsWith(".log") || DETACHED_PATTERN.test(name) || IMPORTED_PATTERN.test(name)) return true;
  if (!name.endsWith("/") || !isTopicName(name.slice(0, -1))) return false;
  return holdsFiles(readTopic(files, topics, name.slice(0, -1), "", noStrays()));
}

function isIgnored(name: string): boolean {
  return (
    name.startsWith(".") ||
    name === "lost+found/" ||
    REMOVED_PATTERN.test(name) ||
    name.endsWith(TEMPORARY_SUFFIX) ||
    IMPORTED_PATTERN.test(name)
  );
}

/** How many of the segments (base offsets, ascending) lie wholly below the log's start: they were deleted, and the next start removes them. */
export function droppedCount(segments: readonly number[], startOffset: number): number {
  let count = 0;
  while (count < segments.length - 1 && segments[count + 1]! <= startOffset) count += 1;
  return count;
}
