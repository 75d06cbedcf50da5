/**
 * Nothing is deleted because it looked wrong: it goes to `DIR/quarantine`, under a name that says where it came from, with a
 * description for people.
 *
 *     quarantine/meta.db-1          the bytes as they were
 *     quarantine/meta.db-1.txt      where they came from and why
 *
 * Numbers count up, so nothing in quarantine is ever overwritten. The description is written before the file is moved:
 * after a crash between the two there is a description too many, never a file without one. A copy that fails is removed again: the
 * same bytes may be tried often.
 */

import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import { MiB } from "../../base/units.ts";

export const QUARANTINE = "quarantine";
const PIECE_BYTES = MiB;

/** Moves a file of the data directory `root` (path relative to it) into quarantine; returns its new relative path. */
export function quarantineFile(files: Files, root: string, file: string, reason: string): string {
  const source = `${root}/${file}`;
  const target = reserve(files, root, file, reason);
  try {
    move(files, source, `${root}/${target}`);
  } catch (thrown) {
    if (files.exists(source)) takeBack(files, root, target);
    throw thrown;
  }
  files.syncDirectory(`${root}/${QUARANTINE}`);
  files.syncDirectory(parentOf(source));
  return target;
}

/** The target of a link may be on another file system, and a relative link would lead elsewhere from its new place. */
function move(files: Files, source: string, target: string): void {
  if (!files.isLink(source)) {
    try {
      files.rename(source, target);
      return;
    } catch (thrown) {
      if (errnoOf(thrown) !== "EXDEV" || files.isDirectory(source)) throw thrown;
    }
  }
  copyFile(files, source, target);
  files.removeFile(source);
}

function copyFile(files: Files, source: string, target: string): void {
  const from = files.open(source, "read");
  const to = files.open(target, "create");
  try {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (let position = 0; ; ) {
      const bytes = files.read(from, piece, 0, PIECE_BYTES, position);
      if (bytes === 0) break;
      files.write(to, piece, 0, bytes, position);
      position += bytes;
    }
    files.syncNow(to);
  } finally {
    files.close(from);
    files.close(to);
  }
}

/** Stores bytes that were taken out of `file` in quarantine; returns their relative path. */
export function quarantineBytes(
  files: Files,
  root: string,
  file: string,
  reason: string,
  bytes: Buffer,
): string {
  const target = reserve(files, root, file, reason);
  try {
    files.replace(`${root}/${target}`, bytes);
  } catch (thrown) {
    takeBack(files, root, target);
    throw thrown;
  }
  return target;
}

/** Removes what was put into quarantine as `target`, as far as the disk allows it. Its source must still be whole. */
export function takeBack(files: Files, root: string, target: string): void {
  for (const path of [`${root}/${target}`, `${root}/${target}.txt`]) {
    try {
      if (files.exists(path)) files.removeFile(path);
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
    }
  }
}

function reserve(files: Files, root: string, file: string, reason: string): string {
  const directory = `${root}/${QUARANTINE}`;
  if (!files.exists(directory)) {
    files.makeDirectory(directory);
    files.syncDirectory(root);
  }
  const stem = file.replaceAll("/", "_");
  let number = 1;
  while (
    files.exists(`${directory}/${stem}-${number}`) ||
    files.exists(`${directory}/${stem}-${number}.txt`)
  ) {
    number += 1;
  }
  files.replace(`${directory}/${stem}-${number}.txt`, Buffer.from(`from ${file}\n${reason}\n`));
  return `${QUARANTINE}/${stem}-${number}`;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
