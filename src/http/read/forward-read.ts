/**
 * Reads several partitions at once, forwards, their records merged by time as far as they are read. Within a partition records keep
 * their order, whatever their times are.
 *
 *     partition 0   [12:01][12:04]......
 *     partition 1   [12:02][12:03]......      ->   12:01  12:02  12:03  12:04
 */

import type { Clock } from "../../base/clock.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Partition } from "../../broker/partition.ts";
import type { PlacedRecord } from "../../protocol/record/record-json.ts";
import { type ReadLimits, RecordReader, type RecordTest, type UnreadableBatch } from "./record-read.ts";

/** Records between two looks at the clock. */
const RECORDS_AT_ONCE = 64;

export class ForwardRead {
  /** Batches that were passed over since the last `read`. */
  unreadable: UnreadableBatch[] = [];
  readonly #heads: Head[];
  readonly #clock: Pick<Clock, "monotonicMs">;

  /** `offsets`: where to begin in each of the partitions. */
  constructor(
    partitions: readonly Partition[],
    offsets: readonly number[],
    clock: Pick<Clock, "monotonicMs">,
    matches: RecordTest,
  ) {
    this.#clock = clock;
    this.#heads = partitions.map(
      (partition, index) => new Head(new RecordReader(partition, offsets[index]!, clock, matches)),
    );
  }

  /** Whether there is anything to be read now. */
  get isBehind(): boolean {
    return this.#heads.some((head) => head.isBehind);
  }

  /** Of the log's bytes, what was read and is not given yet. */
  get heldBytes(): number {
    let bytes = 0;
    for (const { reader } of this.#heads) bytes += reader.heldBytes;
    return bytes;
  }

  /** Where to go on, by partition. */
  get next(): Record<string, number> {
    return Object.fromEntries(this.#heads.map((head) => [String(head.reader.partition.index), head.next]));
  }

  /**
   * The next records. Fewer than the limits when there are no more, or when `isEnough` says so: it is asked each time that something
   * was read. @throws ObeliskError as `RecordReader.read`
   */
  async read(limits: ReadLimits, isEnough: () => boolean): Promise<PlacedRecord[]> {
    this.unreadable = [];
    const records: PlacedRecord[] = [];
    const share = new TurnShare(this.#clock);
    const each = {
      records: limits.records,
      bytes: Math.ceil(limits.bytes / Math.max(this.#heads.length, 1)),
    };
    let bytes = 0;
    while (records.length < limits.records && bytes < limits.bytes) {
      for (const head of this.#heads) {
        while (head.isEmpty && head.reader.isBehind && !isEnough()) {
          await head.fill(each);
          this.unreadable.push(...head.reader.unreadable);
        }
      }
      const record = earliest(this.#heads)?.take();
      if (record === undefined) break;
      records.push(record);
      bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
      if (records.length % RECORDS_AT_ONCE === 0 && share.isUsedUp) await share.rest();
    }
    return records;
  }
}

class Head {
  readonly reader: RecordReader;
  #records: PlacedRecord[] = [];
  #taken = 0;

  constructor(reader: RecordReader) {
    this.reader = reader;
  }

  get isEmpty(): boolean {
    return this.#taken === this.#records.length;
  }

  get isBehind(): boolean {
    return !this.isEmpty || this.reader.isBehind;
  }

  get next(): number {
    return this.first?.offset ?? this.reader.offset;
  }

  get first(): PlacedRecord | undefined {
    return this.#records[this.#taken];
  }

  take(): PlacedRecord | undefined {
    const record = this.#records[this.#taken];
    this.#taken += 1;
    return record;
  }

  async fill(limits: ReadLimits): Promise<void> {
    this.#records = await this.reader.read(limits);
    this.#taken = 0;
  }
}

function earliest(heads: readonly Head[]): Head | undefined {
  let found: Head | undefined;
  for (const head of heads) {
    if (head.first === undefined) continue;
    if (found?.first === undefined || head.first.timestampMs < found.first.timestampMs) found = head;
  }
  return found;
}
