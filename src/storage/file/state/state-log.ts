/**
 * Searches SQLite's write-ahead log for damage that SQLite itself skips silently: it stops at the first invalid frame, as it must
 * after a crash, and so a flipped bit there takes every later change with it.
 *
 *   header 32 bytes   magic, version, page size, checkpoint number, two salts, checksum
 *   frames            24 bytes (page, size after commit, the two salts, checksum), then the page
 *
 * A frame belongs to the log when it carries the header's salts; the checksum of each covers all before it. The log is damaged
 * when a frame with the right salts and a commit follows the first invalid one. Source: SQLite's file format, section 4.
 */

import type { Files } from "../../../base/files.ts";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Big-endian checksums; the magic below it, 0x377f0682, means little-endian. */
const MAGIC_BIG = 0x377f0683;
const MAGIC_LITTLE = 0x377f0682;
const PAGE_BYTES_MAX = 65_536;

export interface LogDamage {
  position: number;
  bytes: number;
  detail: string;
}

/** The damage in a write-ahead log, or null; a torn end is none. */
export function findLogDamage(files: Files, path: string): LogDamage | null {
  const descriptor = files.open(path, "read");
  try {
    return findDamage(files, descriptor, files.size(descriptor));
  } finally {
    files.close(descriptor);
  }
}

function findDamage(files: Files, descriptor: number, size: number): LogDamage | null {
  if (size < HEADER_BYTES) return null;
  const header = Buffer.alloc(HEADER_BYTES);
  files.read(descriptor, header, 0, HEADER_BYTES, 0);
  const magic = header.readUInt32BE(0);
  const pageBytes = header.readUInt32BE(8);
  const checksum = new WalChecksum(magic === MAGIC_BIG);
  checksum.add(header, 0, HEADER_BYTES - 8);
  const isKnown =
    (magic === MAGIC_BIG || magic === MAGIC_LITTLE) && pageBytes >= 512 && pageBytes <= PAGE_BYTES_MAX;
  if (!isKnown || !checksum.equals(header, HEADER_BYTES - 8)) {
    return { position: 0, bytes: size, detail: "the header of the write-ahead log is invalid" };
  }
  return findBrokenFrame(files, descriptor, size, header, pageBytes, checksum);
}

function findBrokenFrame(
  files: Files,
  descriptor: number,
  size: number,
  header: Buffer,
  pageBytes: number,
  checksum: WalChecksum,
): LogDamage | null {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + pageBytes);
  let broken = -1;
  for (let position = HEADER_BYTES; position + frame.length <= size; position += frame.length) {
    files.read(descriptor, frame, 0, frame.length, position);
    const isOurs = frame.compare(header, 16, 24, 8, 16) === 0;
    const isCommit = frame.readUInt32BE(4) !== 0;
    if (broken !== -1) {
      if (!isOurs || !isCommit) continue;
      const detail = "a frame of the write-ahead log is invalid, and the changes after it are lost";
      return { position: broken, bytes: size - broken, detail };
    }
    checksum.add(frame, 0, 8);
    checksum.add(frame, FRAME_HEADER_BYTES, frame.length);
    if (!isOurs || !checksum.equals(frame, 16)) broken = position;
  }
  return null;
}

/** SQLite's running sum over pairs of 32-bit words. */
class WalChecksum {
  readonly #isBigEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian;
  }

  add(buffer: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 8) {
      const left = this.#isBigEndian ? buffer.readUInt32BE(at) : buffer.readUInt32LE(at);
      const right = this.#isBigEndian ? buffer.readUInt32BE(at + 4) : buffer.readUInt32LE(at + 4);
      this.#first = (this.#first + left + this.#second) >>> 0;
      this.#second = (this.#second + right + this.#first) >>> 0;
    }
  }

  equals(buffer: Buffer, position: number): boolean {
    return (
      buffer.readUInt32BE(position) === this.#first && buffer.readUInt32BE(position + 4) === this.#second
    );
  }
}
