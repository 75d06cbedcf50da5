/** Appends whose outcome a test waits for or looks at, and the log that lies under a partition of this machine. */

import { LogPartition } from "../../src/broker/log-partition.ts";
import type { AppendListener, AppendOutcome, Partition } from "../../src/broker/partition.ts";
import type { PartitionLog } from "../../src/storage/contract.ts";
import { DelayedPartition } from "./delayed-partition.ts";

/** An append under way. */
export class TestAppend implements AppendListener {
  /** null: not told yet. */
  outcome: AppendOutcome | null = null;
  readonly done: Promise<AppendOutcome>;
  #resolve: (outcome: AppendOutcome) => void = () => {};

  constructor() {
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  appended({ errorCode, errorMessage, baseOffset, logAppendTimeMs }: AppendOutcome): void {
    if (this.outcome !== null) throw new Error("an append was told two outcomes");
    this.outcome = { errorCode, errorMessage, baseOffset, logAppendTimeMs };
    this.#resolve(this.outcome);
  }

  /** Of an append whose outcome was told already. */
  get told(): AppendOutcome {
    if (this.outcome === null) throw new Error("the outcome of an append was not told yet");
    return this.outcome;
  }
}

export function appendTo(partition: Partition, batch: Buffer): TestAppend {
  const append = new TestAppend();
  partition.append(batch, 0, batch.length, append);
  return append;
}

export function logPartition(partition: Partition): LogPartition {
  if (!(partition instanceof LogPartition)) throw new Error("the partition is not one of this machine");
  return partition;
}

/** What is written, committed or not. */
export function logOf(partition: Partition): PartitionLog {
  return logPartition(partition).log;
}

/** Where the partition would end if all that it has taken were committed. */
export function takenOffset(partition: Partition): number {
  return partition instanceof DelayedPartition ? partition.takenOffset : logOf(partition).endOffset;
}
