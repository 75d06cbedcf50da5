/**
 * `obelisk verify`: reads everything in a data directory and says what is not as it should be. It never writes there, takes no
 * lock, and works without write permission and while a server runs. It shares its judgement with recovery (scan.ts,
 * snapshot.ts, segment-index.ts, state-file.ts), so what recovery accepts is no finding.
 *
 * Order: identity, state, topics (partition by partition), files of a Go Obelisk, unknown files. Findings come as they are
 * met. What lies in quarantine/ is not looked at, and a hole that recovery has noted is counted, not reported.
 */

import { errnoOf, ObeliskError } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { LOCK_FILE } from "./file/data-directory.ts";
import { readGoOffsets, scanGoLog } from "./file/go-files.ts";
import { decodeIdentity, FORMAT_VERSION, IDENTITY_FILE } from "./file/identity.ts";
import { RESERVE } from "./file/reserve.ts";
import { STATE_FILE } from "./file/state-row.ts";
import { type DirectoryLayout, isDataDirectory, readLayout } from "./layout.ts";
import { type DirectoryCondition, verifyPartition } from "./verify/partition.ts";
import { type VerifyListener, VerifySink, type VerifySummary } from "./verify/sink.ts";
import { type KnownTopics, verifyState } from "./verify/state.ts";

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
    const layout = readLayout(files, root);
    if (files.exists(`${root}/${STATE_FILE}`)) {
      const known = await verifyState(files, root, options.scratchDirectory, sink);
      if (!sink.summary.isServerRunning) verifyPresence(layout, known, sink);
    } else if (layout.topics.length > 0) sink.report(STATE_FILE, 0, 0, "damaged-state", "it is missing");
    await verifyTopics(files, root, layout, { isClean, isLive: sink.summary.isServerRunning }, sink);
    return sink.summary;
  } catch (error) {
    throw unusable(root, error);
  }
}

/** Bytes of all files that `verifyDirectory` reads, for a progress bar. */
export function bytesToVerify(files: Files, root: string): number {
  let bytes = 0;
  for (const name of files.list(root)) {
    if (name.startsWith("quarantine") || name === `${RESERVE}/`) continue;
    bytes += name.endsWith("/")
      ? bytesToVerify(files, `${root}/${name.slice(0, -1)}`)
      : files.fileSize(`${root}/${name}`);
  }
  return bytes;
}

function checkIsDirectory(files: Files, root: string): void {
  if (!files.exists(root)) {
    throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", {
      detail: `there is no data directory ${root}`,
      remedy: "name the directory that the server uses",
    });
  }
  if (isDataDirectory(files, root)) return;
  throw new ObeliskError("DATA_DIRECTORY_UNUSABLE", {
    detail: `${root} is not a data directory of Obelisk`,
    remedy: "name the directory that the server uses",
  });
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

/** Says whether the last owner stopped in order. */
function verifyIdentity(files: Files, root: string, sink: VerifySink): boolean {
  const path = `${root}/${IDENTITY_FILE}`;
  if (!files.exists(path)) return false;
  const content = files.readFile(path);
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

/** Partitions that the state knows have a directory, from the moment that a server first opened them. */
function verifyPresence(layout: DirectoryLayout, known: KnownTopics, sink: VerifySink): void {
  for (const [topic, partitions] of known) {
    const found = layout.topics.find(({ name }) => name === topic);
    if (found === undefined && layout.detached.includes(topic)) continue; // its removal is decided
    const present = found?.partitions ?? [];
    for (let partition = 0; partition < partitions; partition += 1) {
      if (present.some((candidate) => candidate.partition === partition)) continue;
      const detail = `topic ${topic} has ${partitions} partitions, and this one is not there`;
      sink.report(`topics/${topic}/${partition}`, 0, 0, "damaged-state", detail);
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
  for (const topic of layout.topics) {
    sink.summary.topics += 1;
    for (const partition of topic.partitions) {
      sink.summary.partitions += 1;
      verifyPartition(files, root, partition, condition, sink);
      await Promise.resolve();
    }
  }
  for (const topic of layout.goTopics) verifyGoLog(files, root, topic, sink);
  for (const name of layout.goConsumers) verifyGoOffsets(files, root, name, sink);
  for (const name of layout.unknown) {
    const bytes = name.endsWith("/") ? 0 : files.fileSize(`${root}/${name}`);
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
  const detail = `the data directory ${root} cannot be read: ${error.message}`;
  return new ObeliskError(
    "DATA_DIRECTORY_UNUSABLE",
    { detail, remedy: "give this user the right to read it" },
    error,
  );
}
