/**
 * A private copy of `meta.db` with its write-ahead log, for readers. Opening the file itself would change it: SQLite creates
 * `-shm`, and the last one to close checkpoints the log and deletes it.
 *
 * Under a running server the copy is consistent all the same: every change goes into the write-ahead log first, so the
 * log on top of the file is always a consistent state, as long as the log was not restarted between the two copies. Its header
 * shows that (the salts change), and then the copy is made again.
 */

import { ObeliskError } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";
import { MiB } from "../../../base/units.ts";
import { SHM_SUFFIX, STATE_FILE, WAL_SUFFIX } from "./state-row.ts";

const WAL_HEADER_BYTES = 32;
const PIECE_BYTES = 1 * MiB;
/** A server under load restarts its log every few seconds; a copy takes milliseconds. */
const ATTEMPTS_MAX = 10;

/** Copies into `scratch`, which must be an empty directory of the caller's own; returns the path of the copied file. */
export function copyStateFile(files: Files, root: string, scratch: string): string {
  const source = `${root}/${STATE_FILE}`;
  const target = `${scratch}/${STATE_FILE}`;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    removeStateCopy(files, scratch);
    const before = walHeader(files, source + WAL_SUFFIX);
    copyFile(files, source, target);
    if (before !== null) copyFile(files, source + WAL_SUFFIX, target + WAL_SUFFIX);
    const after = walHeader(files, source + WAL_SUFFIX);
    const isUnchanged = before === null ? after === null : after !== null && before.equals(after);
    if (isUnchanged) return target;
  }
  throw new ObeliskError("STATE_UNUSABLE", {
    detail: `${STATE_FILE} changes too fast to be copied`,
    file: source,
  });
}

export function removeStateCopy(files: Files, scratch: string): void {
  for (const suffix of ["", WAL_SUFFIX, SHM_SUFFIX]) {
    const path = `${scratch}/${STATE_FILE}${suffix}`;
    if (files.exists(path)) files.removeFile(path);
  }
}

/** Null when there is no write-ahead log; it may be empty. */
function walHeader(files: Files, path: string): Buffer | null {
  if (!files.exists(path)) return null;
  const descriptor = files.open(path, "read");
  try {
    const header = Buffer.alloc(WAL_HEADER_BYTES);
    return header.subarray(0, files.read(descriptor, header, 0, WAL_HEADER_BYTES, 0));
  } finally {
    files.close(descriptor);
  }
}

function copyFile(files: Files, source: string, target: string): void {
  const from = files.open(source, "read");
  try {
    const to = files.open(target, "create");
    try {
      const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
      for (let position = 0; ; ) {
        const bytes = files.read(from, piece, 0, PIECE_BYTES, position);
        if (bytes === 0) return;
        files.write(to, piece, 0, bytes, position);
        position += bytes;
      }
    } finally {
      files.close(to);
    }
  } finally {
    files.close(from);
  }
}
