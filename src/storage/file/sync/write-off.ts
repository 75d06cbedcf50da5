/**
 * What is done with the files of a log when a sync of it has failed. Its bytes are in doubt for good: nothing that is done here makes
 * any of them count.
 *
 *     evict              pages whose write-back failed look clean to readers and to the next process. They are evicted, so that reads
 *                        return what the disk holds
 *     sync and evict     what was written while the failed sync ran. If that is lost too, the system reports it to the first caller: here,
 *                        where nothing relies on it, rather than at the next start, which would take the log offline once more
 */

import type { Segment } from "../segment.ts";
import type { Store } from "../store.ts";

/** Never rejects. Files that are not open have no unsynced pages. */
export async function writeOff({ files, pool }: Store, segments: readonly Segment[]): Promise<void> {
  const open = segments.filter(({ file }) => file.descriptor >= 0);
  for (const segment of open) segment.pin();
  for (const { file } of open) files.evict(file.descriptor);
  await Promise.allSettled(open.map(async ({ file }) => await files.sync(file.descriptor)));
  for (const segment of open) {
    files.evict(segment.file.descriptor);
    segment.unpin(pool);
  }
}
