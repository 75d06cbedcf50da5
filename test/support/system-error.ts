/** Errors as the system makes them. */

import { constants } from "node:os";

export type Errno = keyof typeof constants.errno;

export function systemError(code: Errno, call: string): Error {
  return Object.assign(new Error(`${code}: ${call} failed`), {
    code,
    errno: -constants.errno[code],
    syscall: call,
  });
}

export function errnoNumber(code: Errno): number {
  return constants.errno[code];
}

/** The name of a number; EIO for one that has none. */
export function errnoName(number: number): Errno {
  const found = Object.entries(constants.errno).find(([, value]) => value === number);
  return (found?.[0] as Errno | undefined) ?? "EIO";
}
