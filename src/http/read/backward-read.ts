/**
 * Reads partitions backwards: the newest records first. A log is only read forwards, so it goes back window by window, each as long as
 * what is wanted, and twice as long when a filter leaves little of it.
 *
 *     start ...........[ window 2 ][ window 1 ] end
 *                       3 4 5 6     7 8 9 10       ->   10 9 8 7, then 6 5 4 3
 */

import type { Clock } from "../../base/clock.ts";
import type { Partition } from "../../broker/partition.ts";
import type { PlacedRecord } from "../../protocol/record/record-json.ts";
import { type ReadLimits, RecordReader, type RecordTest, type UnreadableBatch } from "./record-read.ts";

/** Offsets of the first window at least. */
const WINDOW_MIN = 100;
const WINDOW_MAX = 100_000;

export interface BackwardResult {
  /** The newest first, of all partitions. */
  readonly records: PlacedRecord[];
  /** By partition: everything from there on was looked at. The end of the next read. */
  readonly next: Record<string, number>;
  readonly unreadable: readonly UnreadableBatch[];
}

/** `ends`: records below them. Stops early when `isEnough` says so. @throws ObeliskError as `RecordReader.read` */
export async function readBackwards(
  partitions: readonly Partition[],
  ends: readonly number[],
  limits: ReadLimits,
  clock: Pick<Clock, "monotonicMs">,
  matches: RecordTest,
  isEnough: () => boolean,
): Promise<BackwardResult> {
  const bytes = Math.ceil(limits.bytes / Math.max(partitions.length, 1));
  const reads: PartitionRead[] = [];
  for (const [index, partition] of partitions.entries()) {
    const read = new PartitionRead(partition, ends[index]!);
    await read.fill({ records: limits.records, bytes }, clock, matches, isEnough);
    reads.push(read);
  }
  const records: PlacedRecord[] = [];
  while (records.length < limits.records) {
    const read = latest(reads);
    if (read === undefined) break;
    records.push(read.take());
  }
  return {
    records,
    next: Object.fromEntries(reads.map((read) => [String(read.partition.index), read.next])),
    unreadable: reads.flatMap(({ unreadable }) => unreadable),
  };
}

class PartitionRead {
  readonly partition: Partition;
  readonly unreadable: UnreadableBatch[] = [];
  /** The newest first. */
  readonly #records: PlacedRecord[] = [];
  #taken = 0;
  /** Everything from here to the end was looked at. */
  #start: number;

  constructor(partition: Partition, end: number) {
    this.partition = partition;
    this.#start = Math.min(end, partition.highWatermark);
  }

  get first(): PlacedRecord | undefined {
    return this.#records[this.#taken];
  }

  /** Of a record that was found and not taken: it is the newest of the next read. */
  get next(): number {
    return this.first === undefined ? this.#start : this.first.offset + 1;
  }

  take(): PlacedRecord {
    const record = this.#records[this.#taken]!;
    this.#taken += 1;
    return record;
  }

  async fill(
    limits: ReadLimits,
    clock: Pick<Clock, "monotonicMs">,
    matches: RecordTest,
    isEnough: () => boolean,
  ): Promise<void> {
    let window = Math.min(Math.max(limits.records, WINDOW_MIN), WINDOW_MAX);
    while (this.#records.length < limits.records && this.#start > this.partition.startOffset) {
      if (isEnough()) return;
      const end = this.#start;
      const start = Math.max(this.partition.startOffset, end - window);
      const found = await this.#readWindow(start, end, limits, clock, matches);
      this.#start = found.isWhole ? start : found.records[0]!.offset;
      this.#records.push(...found.records.reverse());
      window = Math.min(window * 2, WINDOW_MAX);
    }
  }

  /** In the order of the log; of more than the limits only the newest, and then the window is not whole. */
  async #readWindow(
    start: number,
    end: number,
    { records: recordsMax, bytes: bytesMax }: ReadLimits,
    clock: Pick<Clock, "monotonicMs">,
    matches: RecordTest,
  ): Promise<{ records: PlacedRecord[]; isWhole: boolean }> {
    const reader = new RecordReader(this.partition, start, clock, matches);
    const found: PlacedRecord[] = [];
    let bytes = 0;
    let isWhole = true;
    while (reader.offset < end && reader.isBehind) {
      for (const record of await reader.read({ records: recordsMax, bytes: bytesMax })) {
        if (record.offset >= end) break;
        found.push(record);
        bytes += sizeOf(record);
        while (found.length > 1 && (found.length > recordsMax || bytes > bytesMax)) {
          bytes -= sizeOf(found.shift()!);
          isWhole = false;
        }
      }
      this.unreadable.push(...reader.unreadable);
    }
    return { records: found, isWhole };
  }
}

function sizeOf({ key, value }: PlacedRecord): number {
  return (key?.length ?? 0) + (value?.length ?? 0);
}

function latest(reads: readonly PartitionRead[]): PartitionRead | undefined {
  let found: PartitionRead | undefined;
  for (const read of reads) {
    if (read.first === undefined) continue;
    if (found?.first === undefined || read.first.timestampMs > found.first.timestampMs) found = read;
  }
  return found;
}
