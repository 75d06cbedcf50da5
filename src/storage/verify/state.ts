/** Checks `meta.db` on a private copy: SQLite's own integrity check, each row's checksum, and that keys and values are ours. */

import { SQL } from "bun";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { copyStateFile, removeStateCopy } from "../file/state/state-copy.ts";
import { checkFile, isWholeRow, readRows } from "../file/state/state-file.ts";
import { findLogDamage } from "../file/state/state-log.ts";
import { LAST_VERSION_KEY, STATE_FILE, type StateRow, WAL_SUFFIX } from "../file/state/state-row.ts";
import type { VerifySink } from "./sink.ts";

const TOPIC_PREFIX = "topic/";

/** How many partitions each topic should have; without those whose creation was interrupted. */
export type KnownTopics = Map<string, number>;

/** `scratch`: an empty directory for the copy. Returns the topics that the state knows. */
export async function verifyState(
  files: Files,
  root: string,
  scratch: string,
  sink: VerifySink,
): Promise<KnownTopics> {
  try {
    const path = sink.tolerating(files, root, STATE_FILE, () => copyStateFile(files, root, scratch));
    if (path === null) return new Map();
    const bytes = files.fileSize(path);
    checkLog(files, path + WAL_SUFFIX, sink);
    const connection = new SQL({ adapter: "sqlite", filename: path });
    try {
      sink.advance(bytes);
      return await check(connection, bytes, sink);
    } finally {
      await connection.close();
    }
  } finally {
    removeStateCopy(files, scratch);
  }
}

function checkLog(files: Files, path: string, sink: VerifySink): void {
  if (!files.exists(path)) return;
  const damage = findLogDamage(files, path);
  sink.advance(files.fileSize(path));
  if (damage === null) return;
  sink.report(STATE_FILE + WAL_SUFFIX, damage.position, damage.bytes, "damaged-state", damage.detail);
}

async function check(connection: SQL, bytes: number, sink: VerifySink): Promise<KnownTopics> {
  const topics: KnownTopics = new Map();
  const fault = await checkFile(connection);
  if (fault !== null) {
    sink.report(STATE_FILE, 0, bytes, "damaged-state", fault);
    return topics;
  }
  try {
    for await (const row of readRows(connection)) {
      const detail = faultOfRow(row);
      if (detail === null) recordTopic(topics, row);
      else sink.report(STATE_FILE, 0, row.value.length, "damaged-state", detail);
      if (row.key !== LAST_VERSION_KEY) sink.summary.stateEntries += 1;
    }
  } catch (error) {
    if (!errnoOf(error)?.startsWith("SQLITE_") || !(error instanceof Error)) throw error;
    sink.report(STATE_FILE, 0, bytes, "damaged-state", error.message);
  }
  return topics;
}

function recordTopic(topics: KnownTopics, { key, value }: StateRow): void {
  if (!key.startsWith(TOPIC_PREFIX)) return;
  const topic: unknown = JSON.parse(value);
  if (typeof topic !== "object" || topic === null) return;
  if ("isBeingMade" in topic && topic.isBeingMade === true) return; // the next start completes it
  if ("partitions" in topic && typeof topic.partitions === "number") {
    const isGrowing = "partitionsMade" in topic && typeof topic.partitionsMade === "number"; // as above
    topics.set(key.slice(TOPIC_PREFIX.length), isGrowing ? Number(topic.partitionsMade) : topic.partitions);
  }
}

function faultOfRow(row: StateRow): string | null {
  if (!isWholeRow(row)) return `checksum mismatch in the entry ${row.key}`;
  try {
    JSON.parse(row.value);
    return null;
  } catch (error) {
    if (error instanceof SyntaxError) return `the value of the entry ${row.key} is not JSON`;
    throw error;
  }
}
