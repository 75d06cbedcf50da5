/**
 * `snapshots.journal`: the newest snapshots of partitions whose own file is older. Groups end to end, each at a multiple of 4 KiB:
 *
 *   at  type     field
 *    0  4 bytes  "OBSJ"
 *    4  uint16   version, 1
 *    6  uint16   reserved, 0
 *    8  uint32   length of the group, without what fills the last block
 *   12  uint32   count of entries, then for each:
 *                  uint16 and name     TOPIC/PARTITION
 *                  uint32 and content  as in `producers.snapshot`; empty: the partition's own file counts again
 *       uint32   CRC-32C of everything before it
 *
 * The last entry of a partition counts. Zeros follow the last group. A group that is not whole at the end was never acknowledged; one
 * before others is damage.
 */

import { crc32c } from "../../base/crc32c.ts";
import { KiB } from "../../base/units.ts";

export const SNAPSHOT_JOURNAL = "snapshots.journal";
export const BLOCK_BYTES = 4 * KiB;
const MAGIC = 0x4f42534a;
const VERSION = 1;
const HEAD_BYTES = 16;
const CRC_BYTES = 4;
const ENTRY_HEAD_BYTES = 6;

export interface JournalEntry {
  /** TOPIC/PARTITION */
  readonly name: string;
  /** Null: the partition's own file counts again. */
  readonly content: Buffer | null;
}

/** Whole blocks. */
export function encodeGroup(entries: readonly JournalEntry[]): Buffer {
  let bytes = HEAD_BYTES + CRC_BYTES;
  for (const { name, content } of entries)
    bytes += ENTRY_HEAD_BYTES + Buffer.byteLength(name) + (content?.length ?? 0);
  const target = Buffer.alloc(Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES);
  target.writeUInt32BE(MAGIC, 0);
  target.writeUInt16BE(VERSION, 4);
  target.writeUInt32BE(bytes, 8);
  let at = target.writeUInt32BE(entries.length, 12);
  for (const { name, content } of entries) {
    const nameBytes = target.write(name, at + 2);
    target.writeUInt16BE(nameBytes, at);
    at = target.writeUInt32BE(content?.length ?? 0, at + 2 + nameBytes);
    if (content !== null) at += content.copy(target, at);
  }
  target.writeUInt32BE(crc32c(target, 0, at), at);
  return target;
}

/** What was found of a journal. */
export interface ScannedJournal {
  /** Where the last whole group ends: the next one goes there. */
  end: number;
  /** The first place before another group that holds none; -1 when there is none. */
  damagedAt: number;
}

/** Takes what counts into `snapshots`, by TOPIC/PARTITION; the buffers are parts of `source`. */
export function scanJournal(source: Buffer, snapshots: Map<string, Buffer>): ScannedJournal {
  const found: ScannedJournal = { end: 0, damagedAt: -1 };
  for (let at = 0; at + BLOCK_BYTES <= source.length; ) {
    const bytes = groupBytes(source, at);
    if (bytes < 0) {
      at += BLOCK_BYTES;
      continue;
    }
    if (found.end !== at && found.damagedAt < 0) found.damagedAt = found.end;
    takeEntries(source, at, snapshots);
    at += Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
    found.end = at;
  }
  return found;
}

/** The length of the whole group at `at`, or -1. */
function groupBytes(source: Buffer, at: number): number {
  if (source.readUInt32BE(at) !== MAGIC || source.readUInt16BE(at + 4) !== VERSION) return -1;
  const bytes = source.readUInt32BE(at + 8);
  if (bytes < HEAD_BYTES + CRC_BYTES || bytes > source.length - at) return -1;
  const crcAt = at + bytes - CRC_BYTES;
  return source.readUInt32BE(crcAt) === crc32c(source, at, crcAt) ? bytes : -1;
}

function takeEntries(source: Buffer, start: number, snapshots: Map<string, Buffer>): void {
  let at = start + HEAD_BYTES;
  for (let count = source.readUInt32BE(start + 12); count > 0; count -= 1) {
    const nameEnd = at + 2 + source.readUInt16BE(at);
    const name = source.toString("utf8", at + 2, nameEnd);
    const contentStart = nameEnd + 4;
    at = contentStart + source.readUInt32BE(nameEnd);
    if (at === contentStart) snapshots.delete(name);
    else snapshots.set(name, source.subarray(contentStart, at));
  }
}
