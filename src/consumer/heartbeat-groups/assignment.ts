/**
 * Which partitions of which topics: what a member of a consumer group has, is to have, or says that it has. Never changed once made, so
 * that they can be handed on and compared by identity first.
 */

/** Topic id -> partitions. A topic without any is not in it. */
export type Partitions = ReadonlyMap<string, ReadonlySet<number>>;

/** Topic id -> partition -> the member epoch at which it was assigned. A topic without any is not in it. */
export type AssignedPartitions = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** As they stand in requests and responses. */
export interface TopicPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export const NO_PARTITIONS: Partitions = new Map();
export const NONE_ASSIGNED: AssignedPartitions = new Map();

export function isSamePartitions(left: Partitions, right: Partitions): boolean {
  if (left === right) return true;
  if (left.size !== right.size) return false;
  for (const [topic, partitions] of left) {
    const others = right.get(topic);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const partition of partitions) if (!others.has(partition)) return false;
  }
  return true;
}

/** The same partitions, whatever the epochs. */
export function isSameAssigned(left: AssignedPartitions, right: AssignedPartitions): boolean {
  if (left === right) return true;
  if (left.size !== right.size) return false;
  for (const [topic, partitions] of left) {
    const others = right.get(topic);
    if (others === undefined || others.size !== partitions.size) return false;
    for (const partition of partitions.keys()) if (!others.has(partition)) return false;
  }
  return true;
}

/** Whether nothing is listed but what is assigned. */
export function isWithin(listed: readonly TopicPartitions[], assigned: AssignedPartitions): boolean {
  return listed.every(({ topicId, partitions }) => {
    const own = assigned.get(topicId);
    return partitions.every((partition) => own?.has(partition) === true);
  });
}

/** Whether something is listed that is assigned. */
export function overlaps(listed: readonly TopicPartitions[], assigned: AssignedPartitions): boolean {
  return listed.some(({ topicId, partitions }) => {
    const own = assigned.get(topicId);
    return own !== undefined && partitions.some((partition) => own.has(partition));
  });
}

/** As responses tell it: sorted. */
export function listAssigned(assigned: AssignedPartitions): TopicPartitions[] {
  return Array.from(assigned, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].sort((left, right) => left - right),
  }));
}

export function countPartitions(partitions: Partitions): number {
  let count = 0;
  for (const own of partitions.values()) count += own.size;
  return count;
}
