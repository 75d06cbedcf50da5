/** What the system says of this process's descriptors: how many it may have (`ulimit -n`), and how many it has. */

import { cLibrary } from "../c-library.ts";
import type { Files } from "../files.ts";

const OPEN_DIRECTORY = "/proc/self/fd";

/** As it is now; null where the system has no limit, or does not tell it. */
export function descriptorLimit(): number | null {
  return cLibrary()?.descriptorLimit() ?? null;
}

/** Null where the system does not tell. Counts the one that it takes to look. @throws system errors */
export function openDescriptors(files: Pick<Files, "exists" | "list">): number | null {
  return files.exists(OPEN_DIRECTORY) ? files.list(OPEN_DIRECTORY).length : null;
}
