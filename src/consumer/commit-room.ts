/**
 * The room that committed offsets may take: what is kept, and what is on its way to the disk. A commit that would go beyond a limit is
 * refused before it is written; what is stored already is always loaded.
 */

import { ObeliskError } from "../base/errors.ts";
import { KiB, MiB } from "../base/units.ts";
import type { OffsetTable } from "./offset-table.ts";

/** As Kafka's `offset.metadata.max.bytes`, which counts UTF-16 units: room for a remark, not for a payload. */
export const OFFSET_METADATA_LENGTH_MAX = 4096;
/** Group names are keys in memory and in the store; real ones are far below. */
export const GROUP_NAME_BYTES_MAX = 1 * KiB;
/**
 * 70 MB of rows in memory, and names. Measured with 900,000 on a server at rest: 105 MB for 900 groups with 1,000 partitions each,
 * 300 MB where every group has one.
 */
export const COMMITTED_OFFSETS_MAX = 1_000_000;
/**
 * Names of groups and topics, and metadata, of all offsets together. Without it a million of 4 KiB would take 4 GiB. It is 64
 * bytes for each offset that there may be; clients leave none, or a few bytes.
 */
export const OFFSET_TEXT_BYTES_MAX = 64 * MiB;
/**
 * Metadata of one commit together: SQLite ends its transaction in one piece, and moves it into the file in another, some 35 ms for so much
 * in the worst case. Kafka refuses what goes beyond the largest batch of its own topic, 1 MiB.
 */
export const COMMIT_TEXT_BYTES_MAX = 16 * MiB;
/**
 * Offsets of all commits that wait for the disk together: they are held as they came, with some 500 bytes each. Beyond them a client
 * is told to try again.
 */
export const PENDING_COMMITS_MAX = 262_144;

interface CommitText {
  readonly topic: string;
  readonly partition: number;
  readonly metadata: string;
}

/** What a commit takes at most while it is on its way. */
export interface CommitSize {
  readonly commits: number;
  /** Beyond what is there: a partition or a name that stands twice in it counts twice. */
  readonly rows: number;
  readonly textBytes: number;
}

export class CommitRoom {
  readonly #table: OffsetTable;
  #commits = 0;
  #rows = 0;
  #textBytes = 0;

  constructor(table: OffsetTable) {
    this.#table = table;
  }

  /**
   * Takes room for the commits, to be given back when they have ended.
   * @throws ObeliskError INVALID_GROUP_ID, INVALID_COMMIT_OFFSET_SIZE, POLICY_VIOLATION (too many, or too much text),
   *   KAFKA_STORAGE_ERROR (too many wait)
   */
  take(group: string, commits: readonly CommitText[]): CommitSize {
    if (Buffer.byteLength(group) > GROUP_NAME_BYTES_MAX) {
      throw new ObeliskError("INVALID_GROUP_ID", { limit: GROUP_NAME_BYTES_MAX });
    }
    if (this.#commits > 0 && commits.length > PENDING_COMMITS_MAX - this.#commits)
      throw new ObeliskError("KAFKA_STORAGE_ERROR", {
        detail: "too many commits of offsets wait for the disk",
        limit: PENDING_COMMITS_MAX,
      });
    const { rows, textBytes, metadataBytes } = this.#additions(group, commits);
    if (metadataBytes > COMMIT_TEXT_BYTES_MAX)
      throw new ObeliskError("INVALID_COMMIT_OFFSET_SIZE", { limit: COMMIT_TEXT_BYTES_MAX });
    if (rows > 0 && rows > COMMITTED_OFFSETS_MAX - this.#table.count - this.#rows)
      throw overLimit("too many committed offsets", COMMITTED_OFFSETS_MAX);
    if (textBytes > 0 && textBytes > OFFSET_TEXT_BYTES_MAX - this.#table.textBytes - this.#textBytes)
      throw overLimit(
        "the names and metadata of committed offsets take too many bytes",
        OFFSET_TEXT_BYTES_MAX,
      );
    this.#commits += commits.length;
    this.#rows += rows;
    this.#textBytes += textBytes;
    return { commits: commits.length, rows, textBytes };
  }

  giveBack({ commits, rows, textBytes }: CommitSize): void {
    this.#commits -= commits;
    this.#rows -= rows;
    this.#textBytes -= textBytes;
  }

  /** What the commits would take beyond what is there; and all their metadata. */
  #additions(
    group: string,
    commits: readonly CommitText[],
  ): { rows: number; textBytes: number; metadataBytes: number } {
    let rows = 0;
    let textBytes = 0;
    let metadataBytes = 0;
    for (const { topic, partition, metadata } of commits) {
      const row = this.#table.find(group, topic, partition);
      const bytes = Buffer.byteLength(metadata);
      metadataBytes += bytes;
      if (row === -1) {
        rows += 1;
        textBytes += bytes + Buffer.byteLength(topic);
      } else textBytes += Math.max(0, bytes - this.#table.metadataBytesOf(row));
    }
    return { rows, textBytes: rows > 0 ? textBytes + Buffer.byteLength(group) : textBytes, metadataBytes };
  }
}

function overLimit(detail: string, limit: number): ObeliskError {
  return new ObeliskError("POLICY_VIOLATION", { detail, limit });
}
