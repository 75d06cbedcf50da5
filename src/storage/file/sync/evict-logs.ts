/**
 * Evicts the clean pages of all logs from the page cache at once, when a start has learned that a write-back on the file system failed.
 * The system reports that once: if this start ended before it has opened every partition, the next one would read pages that the disk
 * does not hold.
 */

import { errnoOf } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";

const LOG_SUFFIX = ".log";

/** `topics`: the folder that holds one folder for each topic. What cannot be opened is dealt with when its partition is opened. */
export function evictLogs(files: Files, topics: string): void {
  for (const topic of namesIn(files, topics)) {
    for (const partition of namesIn(files, topic)) {
      for (const path of namesIn(files, partition)) if (path.endsWith(LOG_SUFFIX)) evict(files, path);
    }
  }
}

function namesIn(files: Files, directory: string): string[] {
  try {
    return files
      .list(directory)
      .map((name) => `${directory}/${name.endsWith("/") ? name.slice(0, -1) : name}`);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return [];
  }
}

function evict(files: Files, path: string): void {
  try {
    const descriptor = files.open(path, "read");
    files.evict(descriptor);
    files.close(descriptor);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
}
