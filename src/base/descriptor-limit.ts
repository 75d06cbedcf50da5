/** What the system says of this process's descriptors: how many it may have (`ulimit -n`), and how many it has. Linux only. */

import type { Files } from "./files.ts";

const LIMITS_FILE = "/proc/self/limits";
const OPEN_DIRECTORY = "/proc/self/fd";

/** Null where the system has no limit, or does not tell it. @throws system errors */
export function descriptorLimit(files: Pick<Files, "exists" | "readFile">): number | null {
  if (!files.exists(LIMITS_FILE)) return null;
  const found = /^Max open files\s+(\d+)/m.exec(files.readFile(LIMITS_FILE).toString());
  return found === null ? null : Number(found[1]);
}

/** Null where the system does not tell. Counts the one that it takes to look. @throws system errors */
export function openDescriptors(files: Pick<Files, "exists" | "list">): number | null {
  return files.exists(OPEN_DIRECTORY) ? files.list(OPEN_DIRECTORY).length : null;
}
