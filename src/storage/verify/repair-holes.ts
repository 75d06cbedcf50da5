/**
 * What a repair does with damage in the middle of a log: it becomes a known hole.
 *
 *     verify's finding -> bytes copied to quarantine -> hole in the snapshot, which readers skip and `verify` knows
 *
 * The log itself is not rewritten. A hole of zero bytes stands for offsets that are missing, and has nothing to copy. Recovery does
 * not look at what was synced before the checkpoint (it trusts that), so none of this is known before.
 */

import type { Files } from "../../base/files.ts";
import { MiB } from "../../base/units.ts";
import type { Finding } from "../contract.ts";
import { QUARANTINE, quarantineBytes } from "../file/quarantine.ts";
import { parseSegmentName } from "../file/segment.ts";
import { decodeSnapshot, encodeSnapshot, SNAPSHOT_FILE, type StoredHole } from "../file/snapshot.ts";
import { type VerifyOptions, verifyDirectory } from "../verify.ts";

/** Copied at once. */
const PIECE_BYTES = 16 * MiB;

export interface FoundHole {
  readonly hole: StoredHole;
  readonly finding: Finding;
}

/** Damage and gaps in logs that no snapshot knows, by the partition's directory. The caller owns the data directory `root`. */
export async function findHoles(
  files: Files,
  root: string,
  options: VerifyOptions,
): Promise<ReadonlyMap<string, readonly FoundHole[]>> {
  const found = new Map<string, FoundHole[]>();
  await verifyDirectory(files, root, {
    ...options,
    isOwner: true,
    onNote: () => undefined,
    onFinding: (finding) => {
      if (finding.kind !== "damaged-batch" && finding.kind !== "offset-gap") return;
      const slash = finding.file.lastIndexOf("/");
      const segment = parseSegmentName(finding.file.slice(slash + 1));
      if (segment?.suffix !== "log") return;
      const hole = { segment: segment.baseOffset, position: finding.position, bytes: finding.bytes };
      const directory = finding.file.slice(0, slash);
      found.set(directory, [...(found.get(directory) ?? []), { hole, finding }]);
    },
  });
  return found;
}

/** Copies the finding's bytes in pieces; returns where they are. @throws system errors */
export function copyToQuarantine(
  files: Files,
  root: string,
  { file, position, bytes, detail }: Finding,
): string[] {
  const targets: string[] = [];
  const descriptor = files.open(`${root}/${file}`, "read");
  try {
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, bytes - done));
      const got = files.read(descriptor, piece, 0, piece.length, position + done);
      const name = `${file}@${position + done}`;
      targets.push(quarantineBytes(files, root, name, detail, piece.subarray(0, got)));
    }
  } finally {
    files.close(descriptor);
  }
  return targets.length > 0 ? targets : [QUARANTINE];
}

/** Adds holes to the snapshot of a partition's directory; nothing happens where there is none. @throws system errors */
export function addHoles(files: Files, directory: string, added: readonly StoredHole[]): void {
  const path = `${directory}/${SNAPSHOT_FILE}`;
  if (!files.exists(path)) return;
  const snapshot = decodeSnapshot(files.readFile(path));
  files.replace(path, encodeSnapshot({ ...snapshot, holes: mergeHoles(snapshot.holes, added) }));
}

/** Old holes that a new one overlaps go into it. */
function mergeHoles(old: readonly StoredHole[], added: readonly StoredHole[]): StoredHole[] {
  const kept = old.filter(
    (hole) =>
      !added.some(
        (other) =>
          other.segment === hole.segment &&
          other.position <= hole.position &&
          hole.position + hole.bytes <= other.position + other.bytes,
      ),
  );
  const all = [...kept, ...added];
  return all.sort((left, right) => left.segment - right.segment || left.position - right.position);
}
