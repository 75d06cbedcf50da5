/**
 * What lies where in a data directory, by names alone: nothing is opened. `verify` and `inspect` walk it.
 *
 *   obelisk.json, lock, meta.db (-wal, -shm, and the names of a rebuild)   the directory's own
 *   topics/TOPIC/NUMBER/                                                   a partition: segments, indexes, snapshot
 *   topics/TOPIC.log, .idx        consumers/NAME.json                      left by a Go Obelisk; `*.imported`: done with
 *   quarantine/, reserve/                                                  never looked into
 *
 * Everything else is unknown and listed as such, except hidden files, `lost+found` and temporary files that a crash left.
 * Names are relative to the data directory; directories end in "/".
 */

import { TEMPORARY_SUFFIX } from "../base/disk.ts";
import type { Files } from "../base/files.ts";
import { LOCK_FILE } from "./file/data-directory.ts";
import { IDENTITY_FILE } from "./file/identity.ts";
import { RESERVE } from "./file/reserve.ts";
import { parseSegmentName } from "./file/segment.ts";
import { QUARANTINE } from "./file/set-aside.ts";
import { SNAPSHOT_FILE } from "./file/snapshot.ts";
import { SHM_SUFFIX, STATE_FILE, WAL_SUFFIX } from "./file/state-row.ts";
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

export interface DirectoryLayout {
  topics: TopicLayout[];
  /** Topics whose removal is decided and not yet finished. */
  detached: string[];
  /** Topics of a Go Obelisk that were not imported. */
  goTopics: string[];
  goConsumers: string[];
  unknown: string[];
}

const OWN_NAMES = new Set([
  IDENTITY_FILE,
  LOCK_FILE,
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
const PARTITION_NAME_PATTERN = /^(0|[1-9]\d{0,9})\/$/;
/** What the file engine calls what is left of a removed topic; it deletes that when it starts. */
const REMOVED_PATTERN = /^~removed-\d+\/?$/;
/** A topic whose removal is decided; the next start finishes it (file/topic-directories.ts). */
const DETACHED_PATTERN = /^~~(.+?)\/?$/;
const IMPORTED_PATTERN = /\.imported(-\d+)?$/;

/** @throws the system's errors */
export function readLayout(files: Files, root: string): DirectoryLayout {
  const layout: DirectoryLayout = { topics: [], detached: [], goTopics: [], goConsumers: [], unknown: [] };
  const names = files.list(root);
  for (const name of names) if (!OWN_NAMES.has(name) && !isIgnored(name)) layout.unknown.push(name);
  if (names.includes("topics/")) readTopics(files, root, layout);
  if (names.includes("consumers/")) readConsumers(files, root, layout);
  return layout;
}

/** Whether there is anything in it that makes a directory a data directory. */
export function isDataDirectory(files: Files, root: string): boolean {
  const names = files.list(root);
  return [IDENTITY_FILE, STATE_FILE, "topics/"].some((name) => names.includes(name));
}

/** The partitions of one topic's directory; what belongs to none goes to `unknown`. */
export function readTopic(
  files: Files,
  root: string,
  directory: string,
  topic: string,
  unknown: string[],
): TopicLayout {
  const partitions: PartitionLayout[] = [];
  for (const name of files.list(`${root}/${directory}`)) {
    const match = PARTITION_NAME_PATTERN.exec(name);
    if (match !== null) {
      partitions.push(
        readPartition(files, root, `${directory}/${match[1]}`, topic, Number(match[1]), unknown),
      );
    } else if (!isIgnored(name)) unknown.push(`${directory}/${name}`);
  }
  partitions.sort((left, right) => left.partition - right.partition);
  return { name: topic, partitions };
}

/** The files of one partition's directory; what belongs to none goes to `unknown`. */
export function readPartition(
  files: Files,
  root: string,
  directory: string,
  topic: string,
  partition: number,
  unknown: string[],
): PartitionLayout {
  const found = { log: new Set<number>(), index: new Set<number>(), timeindex: new Set<number>() };
  let hasSnapshot = false;
  for (const name of files.list(`${root}/${directory}`)) {
    const segment = parseSegmentName(name);
    if (segment !== null) found[segment.suffix].add(segment.baseOffset);
    else if (name === SNAPSHOT_FILE) hasSnapshot = true;
    else if (!isIgnored(name)) unknown.push(`${directory}/${name}`);
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
  const names = files.list(`${root}/topics`);
  for (const name of names) {
    const path = `topics/${name}`;
    const stem = name.slice(0, -".log".length);
    if (name.endsWith("/") && isTopicName(name.slice(0, -1))) {
      layout.topics.push(readTopic(files, root, path.slice(0, -1), name.slice(0, -1), layout.unknown));
    } else if (name.endsWith(".log") && stem !== "") layout.goTopics.push(stem);
    else if (DETACHED_PATTERN.test(name)) layout.detached.push(DETACHED_PATTERN.exec(name)![1]!);
    else if (name.endsWith(".idx") && names.includes(`${stem}.log`)) continue;
    else if (!isIgnored(name)) layout.unknown.push(path);
  }
}

function readConsumers(files: Files, root: string, layout: DirectoryLayout): void {
  for (const name of files.list(`${root}/consumers`)) {
    if (name.endsWith(".json")) layout.goConsumers.push(name.slice(0, -".json".length));
    else if (!isIgnored(name)) layout.unknown.push(`consumers/${name}`);
  }
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
