/**
 * `obelisk verify`: reads everything in a data directory and reports what is not as it should be. It never writes there, takes no
 * lock, and works without write permission and while a server runs. It shares its judgement with recovery (scan.ts,
 * snapshot.ts, segment-index.ts, state-file.ts), so what recovery accepts is no finding.
 *
 * Order: identity, state, topics (partition by partition), files of a Go Obelisk, unknown files. Findings come as they are
 * met. What lies in quarantine/ is not looked at, and a hole that recovery has recorded is counted, not reported. What the system
 * refuses to show is a finding (`unreadable`), and the rest is judged all the same.
 *
 * Notes are no findings: what a producer sent so, and the rest of a write that a crash cut short, which the next start cuts off.
 */

import { errnoOf, ObeliskError } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { systemReason } from "../base/system-error.ts";
import { LOCK_FILE } from "./file/data-directory.ts";
import { decodeIdentity, FORMAT_VERSION, IDENTITY_FILE } from "./file/identity.ts";
import { readGoOffsets, scanGoLog } from "./file/import/go-files.ts";
import { QUARANTINE } from "./file/quarantine.ts";
import { RESERVE } from "./file/reserve.ts";
import { SNAPSHOT_JOURNAL } from "./file/snapshot-journal-format.ts";
import { isStateLost, lostStateDetail } from "./file/state/state-loss.ts";
import { STATE_FILE } from "./file/state/state-row.ts";
import { JournaledSnapshots } from "./journaled-snapshots.ts";
import { type DirectoryLayout, isDataDirectory, readLayout } from "./layout.ts";
import { type DirectoryCondition, verifyPartition } from "./verify/partition.ts";
import { type VerifyListener, VerifySink, type VerifySummary } from "./verify/sink.ts";
import { type KnownTopics, verifyState } from "./verify/state.ts";

/** The directory itself, topics, topic, partition. */
const DEPTH_MAX = 4;

export interface VerifyOptions extends VerifyListener {
  /** An empty directory of the caller's own, for a copy of the state file. Left empty again. */
  scratchDirectory: string;
  /** The caller holds the directory's lock, so nobody else writes there. */
  isOwner?: boolean;
}

/**
 * Checks the data directory `root`.
 * @throws ObeliskError DATA_DIRECTORY_UNUSABLE: it is not there, not a data directory, not readable, or of a newer format
 */
export async function verifyDirectory(
  files: Files,
  root: string,
  options: VerifyOptions,
): Promise<VerifySummary> {
  const sink = new VerifySink(options);
  try {
    checkIsDirectory(files, root);
    sink.summary.isServerRunning = options.isOwner !== true && isOwned(files, root);
    const isClean = verifyIdentity(files, root, sink);
    const condition = { isClean, isLive: sink.summary.isServerRunning };
    const layout = readLayout(files, root);
    const known = await verifyStateFile(files, root, options.scratchDirectory, layout, condition, sink);
    if (!condition.isLive) verifyPresence(layout, known, isClean, sink);
    await verifyTopics(files, root, layout, condition, sink);
    return sink.summary;
  } catch (error) {
    throw unusable(root, error);
  }
}

/** Bytes of all files that `verifyDirectory` reads, for a progress bar; 0 for a directory that it refuses. */
export function bytesToVerify(files: Files, root: string): number {
  try {
    return isDataDirectory(files, root) ? bytesBelow(files, root, DEPTH_MAX) : 0;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return 0;
  }
}

/** What the system refuses counts nothing. Links may lead in circles, so it goes no deeper than partitions lie. */
function bytesBelow(files: Files, path: string, depth: number): number {
  let bytes = 0;
  for (const name of files.list(path)) {
    if (name === `${QUARANTINE}/` || name === `${RESERVE}/`) continue;
    try {
      if (!name.endsWith("/")) bytes += files.fileSize(`${path}/${name}`);
      else if (depth > 1) bytes += bytesBelow(files, `${path}/${name.slice(0, -1)}`, depth - 1);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
    }
  }
  return bytes;
}

function checkIsDirectory(files: Files, root: string): void {
  const isThere = files.exists(root);
  if (isThere && files.isDirectory(root) && isDataDirectory(files, root)) return;
  let detail = `${root} is not a data directory of Obelisk`;
  if (!isThere) detail = `there is no data directory ${root}`;
  else if (!files.isDirectory(root)) detail = `${root} is a file, and a data directory is meant`;
  const remedy = "name the directory that the server uses";
  throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", { detail, remedy });
}

/** Whether a server owns the directory. Tries its lock for a moment: a pid alone does not say whether its process lives. */
export function isOwned(files: Files, root: string): boolean {
  const path = `${root}/${LOCK_FILE}`;
  if (!files.exists(path)) return false;
  const descriptor = files.open(path, "read");
  try {
    return !files.lock(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** Returns whether the last owner shut down cleanly. */
function verifyIdentity(files: Files, root: string, sink: VerifySink): boolean {
  const path = `${root}/${IDENTITY_FILE}`;
  const content = sink.tolerating(files, root, IDENTITY_FILE, () => files.readFile(path));
  if (content === null) return false;
  sink.advance(content.length);
  const decoded = decodeIdentity(content);
  if (decoded.kind === "damaged")
    sink.report(IDENTITY_FILE, 0, content.length, "damaged-state", decoded.reason);
  if (decoded.kind !== "newer") return decoded.kind === "valid" && decoded.identity.cleanShutdown;
  throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", {
    detail: `the data directory ${root} has format ${decoded.formatVersion}, and this Obelisk knows formats up to ${FORMAT_VERSION}`,
    remedy: "use the newer Obelisk that wrote it",
  });
}

/** A start makes the file, and partitions come after it: without the one the other can only have been lost. */
async function verifyStateFile(
  files: Files,
  root: string,
  scratch: string,
  layout: DirectoryLayout,
  condition: DirectoryCondition,
  sink: VerifySink,
): Promise<KnownTopics> {
  const path = `${root}/${STATE_FILE}`;
  const bytes = sink.tolerating(files, root, STATE_FILE, () => files.fileSize(path));
  if (bytes !== null && bytes > 0) return verifyState(files, root, scratch, sink);
  const isMissing = bytes === 0 || !files.isLink(path);
  const isLost = isStateLost(condition.isClean, layout.topics.length > 0);
  if (isMissing && isLost && !condition.isLive) {
    sink.report(STATE_FILE, 0, 0, "damaged-state", lostStateDetail(bytes === 0));
  }
  return new Map();
}

/** Partitions that the state knows have a directory, from the moment that records of their topic were on disk. */
function verifyPresence(
  layout: DirectoryLayout,
  known: KnownTopics,
  isClean: boolean,
  sink: VerifySink,
): void {
  for (const [topic, partitions] of known) {
    const found = layout.topics.find(({ name }) => name === topic);
    if (found === undefined && layout.detached.includes(topic)) continue; // it is being removed
    const present = found?.partitions ?? [];
    for (let partition = 0; partition < partitions; partition += 1) {
      const there = present.find((candidate) => candidate.partition === partition);
      // A power cut may leave a directory and take its first file.
      if (there !== undefined && (!isClean || there.segments.length > 0 || there.hasSnapshot)) continue;
      const path = `topics/${topic}/${partition}`;
      // What the system refuses to show is reported as that.
      if (layout.unreadable.some((entry) => entry.path === path || path.startsWith(`${entry.path}/`)))
        continue;
      const what = there === undefined ? "is not there" : "has nothing in its directory";
      const detail = `partition ${partition} of topic ${topic} ${what}`;
      sink.report(path, 0, 0, "missing-partition", detail);
    }
  }
}

async function verifyTopics(
  files: Files,
  root: string,
  layout: DirectoryLayout,
  condition: DirectoryCondition,
  sink: VerifySink,
): Promise<void> {
  const snapshots = new JournaledSnapshots(files, root);
  sink.tolerating(files, root, SNAPSHOT_JOURNAL, () => snapshots.refresh());
  if (snapshots.damagedAt >= 0)
    sink.report(
      SNAPSHOT_JOURNAL,
      snapshots.damagedAt,
      0,
      "damaged-snapshot",
      "no group where one was written",
    );
  for (const topic of layout.topics) {
    sink.summary.topics += 1;
    for (const partition of topic.partitions) {
      sink.summary.partitions += 1;
      verifyPartition(files, root, partition, { ...condition, snapshots }, sink);
      await Promise.resolve();
    }
  }
  for (const topic of layout.goTopics) {
    sink.tolerating(files, root, `topics/${topic}.log`, () => verifyGoLog(files, root, topic, sink));
  }
  for (const name of layout.goConsumers) {
    sink.tolerating(files, root, `consumers/${name}.json`, () => verifyGoOffsets(files, root, name, sink));
  }
  for (const { path, reason } of layout.unreadable) sink.report(path, 0, 0, "unreadable", reason);
  for (const name of layout.unknown) {
    const isFile = !name.endsWith("/") && files.exists(`${root}/${name}`);
    const bytes = isFile ? sink.tolerating(files, root, name, () => files.fileSize(`${root}/${name}`)) : 0;
    if (bytes === null) continue;
    sink.report(name, 0, bytes, "unknown-file", "it belongs to nothing that Obelisk keeps here");
  }
}

function verifyGoLog(files: Files, root: string, topic: string, sink: VerifySink): void {
  const file = `topics/${topic}.log`;
  for (const { frame, finding } of scanGoLog(files, `${root}/${file}`, file, topic)) {
    if (finding !== null) sink.pass(finding);
    else {
      sink.summary.goMessages += 1;
      sink.advance(frame.bytes);
    }
  }
}

function verifyGoOffsets(files: Files, root: string, name: string, sink: VerifySink): void {
  const file = `consumers/${name}.json`;
  const bytes = files.fileSize(`${root}/${file}`);
  const read = readGoOffsets(files, `${root}/${file}`);
  if ("fault" in read) sink.report(file, 0, bytes, "damaged-state", read.fault);
  sink.advance(bytes);
}

function unusable(root: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof ObeliskError || !(error instanceof Error)) return error;
  const detail = `the data directory ${root} cannot be read: ${systemReason(error)}`;
  return new ObeliskError(
    "DATA_DIRECTORY_UNUSABLE",
    { detail, remedy: "give this user the right to read it" },
    error,
  );
}
