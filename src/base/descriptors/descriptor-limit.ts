/** What the system says of this process's descriptors: how many it may have (`ulimit -n`), and how many it has. */

import { cLibrary } from "../c-library.ts";
import type { Files } from "../files.ts";

const OPEN_DIRECTORY = "/proc/self/fd";
/** The one that it takes to look at the names. */
const LOOKING = 1;

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
  return names.length - LOOKING;
}
