/** What a `produce` did, by partition, as text and as JSON. */

import type { ObeliskError } from "../src/base/errors.ts";
import { formatBytes, formatDuration } from "../src/base/units.ts";
import type { DeliveredBatch, DeliveryListener } from "../src/client/delivery.ts";

/** More partitions than this are summed up instead of listed. */
const PARTITIONS_LISTED_MAX = 8;

interface PartitionSummary {
  readonly partition: number;
  count: number;
  /** -1 when the broker does not say (acks 0). */
  firstOffset: number;
  lastOffset: number;
}

export class ProduceSummary implements DeliveryListener {
  readonly #topic: string;
  readonly #partitions = new Map<number, PartitionSummary>();
  /** Bytes of keys and values. */
  bytes = 0;
  given = 0;
  acknowledged = 0;
  failedCount = 0;

  constructor(topic: string) {
    this.#topic = topic;
  }

  delivered({ partition, baseOffset, count }: DeliveredBatch): void {
    this.acknowledged += count;
    const lastOffset = baseOffset < 0 ? -1 : baseOffset + count - 1;
    const known = this.#partitions.get(partition);
    if (known === undefined) {
      this.#partitions.set(partition, { partition, count, firstOffset: baseOffset, lastOffset });
      return;
    }
    known.count += count;
    if (lastOffset > known.lastOffset) known.lastOffset = lastOffset;
    if (baseOffset >= 0 && baseOffset < known.firstOffset) known.firstOffset = baseOffset;
  }

  failed(_error: ObeliskError, _topic: string, _partition: number, count: number): void {
    this.failedCount += count;
  }

  lines(elapsedMs: number): string[] {
    const rate = elapsedMs > 0 ? Math.round((this.acknowledged / elapsedMs) * 1000) : 0;
    const speed = this.acknowledged < 1000 ? "" : `, ${rate} records/s`;
    const lines = [
      `${records(this.acknowledged)} to ${this.#topic}, ${formatBytes(this.bytes)} in ${formatDuration(elapsedMs)}${speed}${this.#place()}`,
    ];
    const partitions = this.#sorted();
    if (partitions.length > 1 && partitions.length <= PARTITIONS_LISTED_MAX) {
      for (const one of partitions)
        lines.push(`  partition ${one.partition}: ${records(one.count)}${offsets(one)}`);
    }
    if (this.failedCount > 0) lines.push(`${records(this.failedCount)} not acknowledged`);
    return lines;
  }

  json(elapsedMs: number): object {
    return {
      event: "produced",
      topic: this.#topic,
      records: this.acknowledged,
      failed: this.failedCount,
      bytes: this.bytes,
      ms: Math.round(elapsedMs),
      partitions: this.#sorted().map(({ partition, count, firstOffset, lastOffset }) => ({
        partition,
        records: count,
        firstOffset,
        lastOffset,
      })),
    };
  }

  #place(): string {
    const [only, ...others] = this.#partitions.values();
    if (only === undefined) return "";
    if (others.length > 0) return `, ${others.length + 1} partitions`;
    return `, partition ${only.partition}${offsets(only)}`;
  }

  #sorted(): PartitionSummary[] {
    return [...this.#partitions.values()].sort((a, b) => a.partition - b.partition);
  }
}

function records(count: number): string {
  return count === 1 ? "1 record" : `${count} records`;
}

function offsets({ firstOffset, lastOffset, count }: PartitionSummary): string {
  if (firstOffset < 0) return "";
  // Others may write between our batches: then the range is wider than the count.
  const isDense = lastOffset - firstOffset + 1 === count;
  if (count === 1) return `, offset ${firstOffset}`;
  return isDense
    ? `, offsets ${firstOffset} to ${lastOffset}`
    : `, within offsets ${firstOffset} to ${lastOffset}`;
}
