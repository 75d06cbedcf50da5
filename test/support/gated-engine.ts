/**
 * A memory engine whose syncs end when the test says so, well or badly: for what happens while a sync runs. As with files, a sync
 * covers what was there when it began, and a log that is offline at its end, whatever has taken it there, is returned as failed.
 */

import type { PartitionLog } from "../../src/storage/contract.ts";
import { MemoryEngine } from "../../src/storage/memory/engine.ts";

export class GatedEngine extends MemoryEngine {
  /** Syncs that are waiting, oldest first. */
  readonly waiting: { logs: readonly PartitionLog[]; end: (isFailed?: boolean) => Promise<void> }[] = [];
  /** Logs of each sync that was started. */
  readonly started: string[][] = [];

  override async sync(logs: readonly PartitionLog[]): Promise<readonly PartitionLog[]> {
    this.started.push(logs.map((log) => `${log.topic}-${log.partition}`));
    const covered = logs.map((log) => log.endOffset);
    const isFailed = await new Promise<boolean>((resolve) => {
      this.waiting.push({
        logs,
        end: async (failed = false) => {
          resolve(failed);
          await turns();
        },
      });
    });
    this.waiting.shift();
    if (isFailed) for (const log of logs) Object.assign(log, { isOffline: true });
    for (const [index, log] of logs.entries())
      if (!log.isOffline) Object.assign(log, { durableOffset: covered[index] });
    return logs.filter((log) => log.isOffline);
  }
}

/** Lets everything that is ready run. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}
