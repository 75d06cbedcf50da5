/** `verify` and its repair on a directory of `data-tree.ts`, with everything that they report. */

import type { Files } from "../../src/base/files.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Finding } from "../../src/storage/contract.ts";
import { repairDirectory } from "../../src/storage/verify/repair.ts";
import { verifyDirectory } from "../../src/storage/verify.ts";
import { directoryOptions, disk } from "./data-tree.ts";

/** A finding or a note as `file kind`, for comparing. */
export function placeAndKind({ file, kind }: Finding): string {
  return `${file} ${kind}`;
}

/** `scratch`: an empty directory for copies. */
export async function verifyTree(path: string, scratch: string, files: Files = disk) {
  const findings: Finding[] = [];
  const notes: Finding[] = [];
  const summary = await verifyDirectory(files, path, {
    scratchDirectory: scratch,
    onFinding: (finding) => findings.push(finding),
    onNote: (note) => notes.push(note),
  });
  return { findings, notes, summary };
}

export async function repairTree(path: string, scratch: string, files: Files = disk) {
  const repairs: Finding[] = [];
  const summary = await repairDirectory(files, path, {
    ...directoryOptions,
    log: silentLog,
    newTopicId: () => "an-id",
    scratchDirectory: scratch,
    onFinding: () => undefined,
    onRepair: (finding) => repairs.push(finding),
  });
  return { ...summary, repairs };
}
