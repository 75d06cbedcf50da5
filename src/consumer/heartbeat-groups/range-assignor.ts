/**
 * `range`: the members that are subscribed to a topic, in order, each take a run of its partitions; the first ones take one more when they do
 * not divide evenly. Topics with the same members and as many partitions are so divided alike: their partitions of the same number are with
 * the same member, which is what joins of them need.
 *
 * The order is that of the instance ids of static members, which keep it over restarts, then of the ids of the others.
 */

import { isSamePartitions, type Partitions } from "./assignment.ts";
import { type AssignorInput, type AssignorMember, type AssignorSteps, Pace } from "./assignor.ts";
import { audiencesOf } from "./audiences.ts";

export function* assignByRange({ members, partitionCounts }: AssignorInput): AssignorSteps {
  const pace = new Pace();
  const results = members.map(() => new Map<string, ReadonlySet<number>>());
  const ordered = Array.from(members.keys()).sort((left, right) => compare(members[left]!, members[right]!));
  if (pace.isFull(members.length)) yield;
  const audiences = yield* audiencesOf(
    ordered.map((slot) => members[slot]!),
    pace,
  );
  for (const [topicId, { slots: ranks }] of audiences) {
    const count = partitionCounts.get(topicId) ?? 0;
    const each = Math.floor(count / ranks.length);
    const remainder = count % ranks.length;
    let next = 0;
    for (let rank = 0; rank < ranks.length && next < count; rank += 1) {
      const end = next + each + (rank < remainder ? 1 : 0);
      if (pace.isFull(1 + 4 * (end - next))) yield;
      if (end > next) results[ordered[ranks[rank]!]!]!.set(topicId, run(next, end));
      next = end;
    }
    if (pace.isFull(1)) yield;
  }
  const targets: Partitions[] = [];
  for (const [slot, { previous }] of members.entries()) {
    const own = results[slot]!;
    if (pace.isFull(1 + 2 * own.size)) yield;
    targets.push(isSamePartitions(previous, own) ? previous : own);
  }
  return targets;
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
