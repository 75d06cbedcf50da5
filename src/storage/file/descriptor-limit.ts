/**
 * How many descriptors the system allows this process (`ulimit -n`). Sockets, the state file and the runtime itself need some
 * too, and a process that has none left cannot even accept or list a directory: so segments take a part of them only.
 *
 *     0 ........ openMax ............ pinnedMax ................ limit
 *     files kept open | only files that wait for a sync | everything else
 */

import type { Files } from "../../base/files.ts";

const LIMITS_FILE = "/proc/self/limits";

export interface DescriptorShares {
  /** Files that may stay open when nothing needs them. */
  openMax: number;
  /** Beyond it even a file with bytes that wait for a sync is refused. */
  pinnedMax: number;
}

/** What segments may take when the settings allow `openMax`. Where the system does not tell its limit, nothing is taken off. */
export function sharesOfDescriptors(files: Files, openMax: number): DescriptorShares {
  const limit = descriptorLimit(files);
  if (limit === null) return { openMax, pinnedMax: Number.POSITIVE_INFINITY };
  return { openMax: Math.min(openMax, Math.floor(limit / 4)), pinnedMax: Math.floor((limit * 3) / 4) };
}

function descriptorLimit(files: Files): number | null {
  if (!files.exists(LIMITS_FILE)) return null;
  const found = /^Max open files\s+(\d+)/m.exec(files.readFile(LIMITS_FILE).toString());
  return found === null ? null : Number(found[1]);
}
