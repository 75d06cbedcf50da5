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
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  ENAMETOOLONG: "file name too long",
  EIO: "input/output error",
  EROFS: "read-only file system",
  ENOSPC: "no space left on device",
  EDQUOT: "disk quota exceeded",
  EMFILE: "too many open files",
  ENFILE: "too many open files in the system",
};

/** Why the system refused, in its own words, which the runtime leaves out or wraps in the call: `permission denied (EACCES)`. */
export function systemReason(error: Error & { code?: unknown }): string {
  const words = typeof error.code === "string" ? REASONS[error.code] : undefined;
  return words === undefined ? error.message : `${words} (${String(error.code)})`;
}
