/** Failures of system calls that node:fs does not make, in the shape of those that it does. */

import { constants as systemConstants } from "node:os";

/** An error with `code` (ENOSPC, EIO, ...) for a call that failed with `errno` (positive). */
export function systemError(call: string, errno: number): Error {
  const name =
    Object.entries(systemConstants.errno).find(([, number]) => number === errno)?.[0] ?? "EUNKNOWN";
  return Object.assign(new Error(`${name}: ${call} failed`), { code: name, errno: -errno, syscall: call });
}
