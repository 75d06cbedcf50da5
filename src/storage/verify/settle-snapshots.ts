/**
 * Before a repair: every snapshot in `snapshots.journal` goes into the own file of its partition, and the journal leaves, so that what is
 * repaired is in one place. A journal with damage goes to quarantine.
 */

import type { Files } from "../../base/files.ts";
import { quarantineFile } from "../file/quarantine.ts";
import { SNAPSHOT_FILE } from "../file/snapshot.ts";
import { SNAPSHOT_JOURNAL, scanJournal } from "../file/snapshot-journal-format.ts";
import { storageError, TOPICS_DIRECTORY } from "../file/store.ts";

/** The caller owns the directory. Returns where a damaged journal was moved to, else null. @throws ObeliskError DISK_FULL, KAFKA_STORAGE_ERROR */
export function settleSnapshots(files: Files, root: string): string | null {
  const path = `${root}/${SNAPSHOT_JOURNAL}`;
  try {
    if (!files.exists(path)) return null;
    const snapshots = new Map<string, Buffer>();
    const { damagedAt } = scanJournal(files.readFile(path), snapshots);
    for (const [name, content] of snapshots) {
      const directory = `${root}/${TOPICS_DIRECTORY}/${name}`;
      if (files.isDirectory(directory)) files.replace(`${directory}/${SNAPSHOT_FILE}`, content);
    }
    if (damagedAt >= 0)
      return quarantineFile(files, root, SNAPSHOT_JOURNAL, `no group at ${damagedAt}, where one was written`);
    files.removeFile(path);
    files.syncDirectory(root);
    return null;
  } catch (thrown) {
    throw storageError(thrown, { file: path });
  }
}
