/**
 * Lets the page cache go of what it shows of all logs and does not have to write, in one go, when a start was told that something on
 * the file system could not be written. It is told once: a start that ends before it has opened every partition would leave the next
 * one believing what the disk does not hold.
 */

import { errnoOf } from "../../../base/errors.ts";
import type { Files } from "../../../base/files.ts";

const LOG_SUFFIX = ".log";

/** `topics`: the folder that holds one folder for each topic. What cannot be opened is met when its partition is. */
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
