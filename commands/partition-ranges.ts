/** The offsets that partitions hold, where somebody can tell: a topic that is gone and a partition without a leader hold nobody up. */

import type { Admin } from "../src/client/admin.ts";
import type { TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import { TIMESTAMP_EARLIEST, TIMESTAMP_LATEST } from "../src/protocol/kafka/apis/list-offsets.ts";

export interface PartitionRange {
  readonly start: number;
  readonly end: number;
}

/** In the order of the partitions; undefined where nobody can tell. */
export async function partitionRanges(
  admin: Admin,
  partitions: readonly TopicPartition[],
): Promise<(PartitionRange | undefined)[]> {
  const led = await ledPartitions(admin, partitions);
  const list = (at: number) =>
    admin.listOffsets(led.map(({ topic, partition }) => ({ topic, partition, at })));
  const starts = await list(TIMESTAMP_EARLIEST);
  const ends = await list(TIMESTAMP_LATEST);
  const found = new Map(
    led.map(({ topic, partition }, index) => [
      `${topic}/${partition}`,
      { start: starts[index]!.offset, end: ends[index]!.offset },
    ]),
  );
  return partitions.map(({ topic, partition }) => found.get(`${topic}/${partition}`));
}

/** Those that exist and have a leader. */
export async function ledPartitions<Partition extends TopicPartition>(
  admin: Admin,
  partitions: readonly Partition[],
): Promise<Partition[]> {
  const led = new Set<string>();
  for (const topic of new Set(partitions.map((one) => one.topic))) {
    const metadata = await admin.describeTopic(topic);
    for (const { partition, leader } of metadata?.partitions ?? [])
      if (leader >= 0) led.add(`${topic}/${partition}`);
  }
  return partitions.filter(({ topic, partition }) => led.has(`${topic}/${partition}`));
}
