/**
 * Failures of system calls: those that node:fs does not make, in the shape of those that it does, and what they mean in words.
 */

import { constants as systemConstants } from "node:os";

/** An error with `code` (ENOSPC, EIO, ...) for a call that failed with `errno` (positive). */
export function systemError(call: string, errno: number): Error {
  const name =
    Object.entries(systemConstants.errno).find(([, number]) => number === errno)?.[0] ?? "EUNKNOWN";
  return Object.assign(new Error(`${name}: ${call} failed`), { code: name, errno: -errno, syscall: call });
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "no permission",
  EPERM: "no permission",
  ENOENT: "it is not there",
  ENOTDIR: "a part of the path is no directory",
  EISDIR: "it is a directory",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "the name is too long",
  EIO: "the disk cannot read or write it",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
};

/** Why the system refused, in words: `no permission (EACCES)`; its own message where we have no better one. */
export function systemReason(error: Error & { code?: unknown }): string {
  const words = typeof error.code === "string" ? REASONS[error.code] : undefined;
  return words === undefined ? error.message : `${words} (${String(error.code)})`;
}
