/**
 * How the leader of a group shares the partitions among its members, by the names that other clients know. Every member offers the
 * names that it can do, and the broker chooses one that all offer: `range`, `roundrobin` and `cooperative-sticky` are Kafka's,
 * `RoundRobinAssigner` is what kafkajs calls its own.
 *
 * Pure functions; the same members in any order get the same partitions. Only topics that exist, and only members that want them.
 */

import type { Subscription, TopicPartition } from "../../protocol/group/consumer-protocol.ts";

export interface AssignableMember extends Subscription {
  readonly memberId: string;
}

/** Partitions by member; every member has an entry. */
export type Assignments = Map<string, TopicPartition[]>;

export interface Assignor {
  readonly name: string;
  assign(members: readonly AssignableMember[], partitionCounts: ReadonlyMap<string, number>): Assignments;
}

/** Topic by topic, each member a range of neighbours; the first ones have one more where it does not come out even. */
const rangeAssignor: Assignor = {
  name: "range",
  assign: (members, partitionCounts) => {
    const assignments = emptyAssignments(members);
    for (const [topic, count] of byName(partitionCounts)) {
      const takers = sorted(members).filter(({ topics }) => topics.includes(topic));
      let next = 0;
      for (const [index, { memberId }] of takers.entries()) {
        const share = Math.floor(count / takers.length) + (index < count % takers.length ? 1 : 0);
        for (let taken = 0; taken < share; taken += 1)
          assignments.get(memberId)!.push({ topic, partition: next + taken });
        next += share;
      }
    }
    return assignments;
  },
};

/** All partitions in turn to the members in turn. */
function roundRobinAssignor(name: string): Assignor {
  return {
    name,
    assign: (members, partitionCounts) => {
      const assignments = emptyAssignments(members);
      const ring = sorted(members);
      let next = 0;
      for (const place of allPartitions(partitionCounts)) {
        for (let tried = 0; tried < ring.length; tried += 1) {
          const member = ring[next % ring.length]!;
          next += 1;
          if (!member.topics.includes(place.topic)) continue;
          assignments.get(member.memberId)!.push(place);
          break;
        }
      }
      return assignments;
    },
  };
}

/**
 * Members keep what they own as far as the shares come out even. A partition that is to go to another member is given to nobody in
 * this generation when its owner has not given it up yet: the owner gives it up and joins again, and the next generation moves it.
 */
const cooperativeStickyAssignor: Assignor = {
  name: "cooperative-sticky",
  assign: (members, partitionCounts) => {
    const assignments = balanced(members, partitionCounts);
    const owners = new Map<string, Set<string>>();
    for (const { memberId, owned } of members) {
      for (const place of owned)
        owners.set(keyOf(place), (owners.get(keyOf(place)) ?? new Set()).add(memberId));
    }
    for (const [memberId, places] of assignments) {
      const free = places.filter((place) => {
        const holders = owners.get(keyOf(place));
        return holders === undefined || [...holders].every((holder) => holder === memberId);
      });
      assignments.set(memberId, free);
    }
    return assignments;
  },
};

/** In the order in which we prefer them. */
export const ASSIGNORS: readonly Assignor[] = [
  rangeAssignor,
  cooperativeStickyAssignor,
  roundRobinAssignor("roundrobin"),
  roundRobinAssignor("RoundRobinAssigner"),
];

/** Keeps what it can, gives what is free to whoever has the least, then moves partitions until no member has two more than another. */
function balanced(
  members: readonly AssignableMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Assignments {
  const order = sorted(members);
  const wants = new Map(order.map(({ memberId, topics }) => [memberId, new Set(topics)]));
  const assignments = emptyAssignments(order);
  const owners = currentOwners(order);
  for (const place of allPartitions(partitionCounts)) {
    const owner = owners.get(keyOf(place));
    const taker =
      owner !== undefined && wants.get(owner)!.has(place.topic)
        ? owner
        : leastOf(
            order.map(({ memberId }) => memberId).filter((id) => wants.get(id)!.has(place.topic)),
            assignments,
          );
    if (taker !== undefined) assignments.get(taker)!.push(place);
  }
  for (;;) {
    const bySize = [...assignments].sort(([, a], [, b]) => b.length - a.length);
    if (!bySize.some(([from, places]) => moveOne(from, places, bySize, wants))) break;
  }
  for (const places of assignments.values()) places.sort(comparePlaces);
  return assignments;
}

/** Moves a partition to a member that has at least two fewer; false when there is none. */
function moveOne(
  from: string,
  places: TopicPartition[],
  bySize: readonly [string, TopicPartition[]][],
  wants: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  for (const [to, own] of bySize.toReversed()) {
    if (to === from || places.length - own.length < 2) return false;
    const index = places.findLastIndex(({ topic }) => wants.get(to)!.has(topic));
    if (index === -1) continue;
    own.push(...places.splice(index, 1));
    return true;
  }
  return false;
}

/** Who owns each partition: the claim of the newest generation; nobody where two of one generation claim it. */
function currentOwners(members: readonly AssignableMember[]): Map<string, string> {
  const claims = new Map<string, { memberId: string; generation: number; isDisputed: boolean }>();
  for (const { memberId, owned, generation } of members) {
    for (const place of owned) {
      const rival = claims.get(keyOf(place));
      if (rival === undefined || rival.generation < generation)
        claims.set(keyOf(place), { memberId, generation, isDisputed: false });
      else if (rival.generation === generation) rival.isDisputed = true;
    }
  }
  return new Map(
    [...claims].filter(([, { isDisputed }]) => !isDisputed).map(([key, { memberId }]) => [key, memberId]),
  );
}

function leastOf(ids: readonly string[], assignments: Assignments): string | undefined {
  let least: string | undefined;
  for (const id of ids) {
    if (least === undefined || assignments.get(id)!.length < assignments.get(least)!.length) least = id;
  }
  return least;
}

function emptyAssignments(members: readonly AssignableMember[]): Assignments {
  return new Map(members.map(({ memberId }) => [memberId, []]));
}

function sorted(members: readonly AssignableMember[]): AssignableMember[] {
  return members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
}

function byName(partitionCounts: ReadonlyMap<string, number>): [string, number][] {
  return [...partitionCounts].sort(([a], [b]) => (a < b ? -1 : 1));
}

function allPartitions(partitionCounts: ReadonlyMap<string, number>): TopicPartition[] {
  return byName(partitionCounts).flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
}

function comparePlaces(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
