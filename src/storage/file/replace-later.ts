/** Replaces a small file whole without holding up the event loop: temporary file, sync in the thread pool, rename. */

import { TEMPORARY_SUFFIX } from "../../base/disk.ts";
import { errnoOf } from "../../base/errors.ts";
import type { Files } from "../../base/files.ts";
import type { Store } from "./store.ts";

/**
 * The old file stays whole until the new one is synced; a power cut may bring it back. What a refusal leaves of the new one is
 * deleted: on a full disk it would keep the last bytes. @throws system errors, ObeliskError KAFKA_STORAGE_ERROR
 */
export async function replaceLater({ files, pool }: Store, path: string, content: Buffer): Promise<void> {
  const temporary = path + TEMPORARY_SUFFIX;
  if (files.exists(temporary)) files.removeFile(temporary);
  const descriptor = pool.withRoom(temporary, () => files.open(temporary, "create"));
  try {
    files.write(descriptor, content, 0, content.length, 0);
    await files.sync(descriptor);
    files.rename(temporary, path);
  } catch (thrown) {
    removeQuietly(files, temporary);
    throw thrown;
  } finally {
    files.close(descriptor);
  }
}

/** The next start deletes what stays. */
function removeQuietly(files: Files, path: string): void {
  try {
    files.removeFile(path);
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
  }
}
