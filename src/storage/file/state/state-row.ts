/** One row of `meta.db`, and the checksum that SQLite does not keep for it. */

import { crc32c } from "../../../base/crc32c.ts";

export const STATE_FILE = "meta.db";
export const WAL_SUFFIX = "-wal";
export const SHM_SUFFIX = "-shm";

export interface StateRow {
  key: string;
  value: string;
  version: number;
  crc: number;
}

/** A row that is no entry: its version is the last one that was assigned when an entry was removed. */
export const LAST_VERSION_KEY = "last-version";

/** CRC-32C of the key, the version and the value as one text; 0x00 and 0x0a separate them. */
export function rowChecksum(key: string, value: string, version: number): number {
  const text = Buffer.from(`${key}\0${version}\n${value}`);
  return crc32c(text, 0, text.length);
}
