/** What a person can do about a finding that a repair has to leave as it is. */

import type { Finding } from "../contract.ts";
import { SNAPSHOT_FILE } from "../file/snapshot.ts";

/** The finding with what to do in its detail; those that are not about reading stay as they are. */
export function withAdvice(finding: Finding): Finding {
  if (finding.kind !== "unreadable") return finding;
  return { ...finding, detail: `${finding.detail}; left as it is: ${adviceOn(finding)}` };
}

function adviceOn({ file, bytes }: Finding): string {
  if (/\.(index|timeindex)$/.test(file)) return "make it readable, or remove it: it is rebuilt from the log";
  if (file.endsWith(`/${SNAPSHOT_FILE}`))
    return "make it readable, or move it away: the whole log is read instead";
  if (bytes === 0) return "make it readable";
  return "the disk may give it later; else put a copy in its place that has zeros there, and repair again";
}
