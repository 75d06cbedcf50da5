/**
 * What the system tells of this process's descriptors: how many it may have (`ulimit -n`), how many it has, whether there are more,
 * and which it was started with.
 */

import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { cLibrary } from "../c-library.ts";
import { errnoOf } from "../errors.ts";
import type { Files } from "../files.ts";

const OPEN_DIRECTORY = "/proc/self/fd";
/** The one that is open while the names are listed. */
const LISTING = 1;
/** As Linux shows it in /proc. */
const O_CLOEXEC = 0o2000000;

/** As it is now; null where the system has no limit, or does not tell it. */
export function descriptorLimit(): number | null {
  return cLibrary()?.descriptorLimit() ?? null;
}

/**
 * Null where the system does not tell. Linux tells the number since 6.2; before, the names are counted, off the event loop's thread:
 * of 10,000 connections they are many. @throws system errors
 */
export async function openDescriptors(
  files: Pick<Files, "exists" | "fileSize" | "listLater">,
): Promise<number | null> {
  if (!files.exists(OPEN_DIRECTORY)) return null;
  const told = files.fileSize(OPEN_DIRECTORY);
  if (told > 0) return told;
  const names = await files.listLater(OPEN_DIRECTORY);
  return names.length - LISTING;
}

/** Whether so many more files can be opened now. */
export function canOpen(count: number): boolean {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync("/", constants.O_RDONLY));
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return false;
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/**
 * Whether a standard descriptor was open when the process began. Bun puts /dev/null in the place of one that was closed, marked to
 * be closed on exec, as nothing that was inherited can be. True where the system does not report it.
 */
export function wasInherited(descriptor: 0 | 1 | 2): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8"));
    return flags === null || (Number.parseInt(flags[1]!, 8) & O_CLOEXEC) === 0;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return true;
  }
}
