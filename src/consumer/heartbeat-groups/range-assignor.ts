/**
 * `range`: the members that are subscribed to a topic, in order, each take a run of its partitions; the first ones take one more when they do
 * not divide evenly. Topics with the same members and as many partitions are so divided alike: their partitions of the same number are with
 * the same member, which is what joins of them need.
 *
 * The order is that of the instance ids of static members, which keep it over restarts, then of the ids of the others.
 */

import { isSamePartitions, type Partitions } from "./assignment.ts";
import type { AssignorInput, AssignorMember } from "./assignor.ts";

export function assignByRange({ members, partitionCounts }: AssignorInput): Partitions[] {
  const results = members.map(() => new Map<string, ReadonlySet<number>>());
  for (const [topicId, slots] of subscribersOf(members)) {
    const count = partitionCounts.get(topicId) ?? 0;
    const each = Math.floor(count / slots.length);
    const remainder = count % slots.length;
    let next = 0;
    for (const [rank, slot] of slots.entries()) {
      if (next === count) break;
      const end = next + each + (rank < remainder ? 1 : 0);
      if (end > next) results[slot]!.set(topicId, run(next, end));
      next = end;
    }
  }
  return results.map((result, slot) => {
    const { previous } = members[slot]!;
    return isSamePartitions(previous, result) ? previous : result;
  });
}

/** Places of the members of each topic, in their order. */
function subscribersOf(members: readonly AssignorMember[]): Map<string, number[]> {
  const ordered = Array.from(members.keys()).sort((left, right) => compare(members[left]!, members[right]!));
  const found = new Map<string, number[]>();
  if (members.every(({ topics }) => topics === members[0]!.topics)) {
    for (const topicId of members[0]?.topics ?? []) found.set(topicId, ordered);
    return found;
  }
  for (const slot of ordered) {
    for (const topicId of members[slot]!.topics) {
      const slots = found.get(topicId);
      if (slots === undefined) found.set(topicId, [slot]);
      else slots.push(slot);
    }
  }
  return found;
}

function compare(left: AssignorMember, right: AssignorMember): number {
  if (left.instanceId !== null && right.instanceId !== null)
    return compareText(left.instanceId, right.instanceId);
  if (left.instanceId !== null) return -1;
  if (right.instanceId !== null) return 1;
  return compareText(left.id, right.id);
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function run(start: number, end: number): ReadonlySet<number> {
  const partitions = new Set<number>();
  for (let partition = start; partition < end; partition += 1) partitions.add(partition);
  return partitions;
}
