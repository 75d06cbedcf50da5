/**
 * `uniform`: every member has as many partitions as the others, or one more, as far as subscriptions allow; and nothing moves without need.
 *
 *   1. Each member keeps what it had, as far as that is still there and subscribed to, up to its fair share.
 *   2. What nobody has goes to whoever has the fewest of those that are subscribed.
 *   3. Where subscriptions differ: while a member of a topic has two more than another one of it, one of that topic's partitions goes from
 *      the one with the most to the one with the fewest. Each such move makes the sum of squares of the loads smaller, so this ends.
 *
 * With equal subscriptions the fair share is known beforehand and step 3 has nothing to do.
 */

import { isSamePartitions, type Partitions } from "./assignment.ts";
import type { AssignorInput, AssignorMember } from "./assignor.ts";

/** Nobody has the partition. */
const FREE = -1;

/** One topic: who is subscribed, and who has which partition (as places in the list of members). */
interface TopicPlan {
  readonly id: string;
  readonly subscribers: readonly number[];
  readonly owners: Int32Array;
}

export function assignUniformly({ members, partitionCounts }: AssignorInput): Partitions[] {
  const plans = plansOf(members, partitionCounts);
  const loads = new Int32Array(members.length);
  const isEven = members.every(({ topics }) => topics === members[0]?.topics);
  if (isEven) {
    keepUpToShare(members, plans, loads);
    fillEvenly(members, plans, loads);
  } else {
    keepAll(members, plans, loads);
    const ordered = [...plans.values()].sort(byFewestSubscribers);
    for (const plan of ordered) fillLeastLoaded(plan, loads);
    balance(ordered, loads);
  }
  return results(members, plans);
}

/** Members with the same subscription are looked at together, and topics with the same subscribers share the list of them. */
function plansOf(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): Map<string, TopicPlan> {
  const kinds = new Map<readonly string[], number[]>();
  for (const [slot, { topics }] of members.entries()) {
    const slots = kinds.get(topics);
    if (slots === undefined) kinds.set(topics, [slot]);
    else slots.push(slot);
  }
  const slotsOfKind = [...kinds.values()];
  const kindsOfTopic = new Map<string, number[]>();
  for (const [kind, topics] of [...kinds.keys()].entries()) {
    for (const id of topics) {
      const own = kindsOfTopic.get(id);
      if (own === undefined) kindsOfTopic.set(id, [kind]);
      else own.push(kind);
    }
  }
  const subscribers = new Map<string, readonly number[]>();
  const plans = new Map<string, TopicPlan>();
  for (const [id, own] of kindsOfTopic) {
    const count = partitionCounts.get(id) ?? 0;
    if (count === 0) continue;
    const key = own.join();
    const slots = subscribers.get(key) ?? own.flatMap((kind) => slotsOfKind[kind]!).sort(ascending);
    subscribers.set(key, slots);
    plans.set(id, { id, subscribers: slots, owners: new Int32Array(count).fill(FREE) });
  }
  return plans;
}

function ascending(left: number, right: number): number {
  return left - right;
}

/** Who has more than the share may keep one of what is left over when partitions do not divide evenly. */
function keepUpToShare(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  loads: Int32Array,
): void {
  const total = totalOf(plans);
  const share = Math.floor(total / members.length);
  let remainder = total % members.length;
  for (const [slot, { previous }] of members.entries()) {
    let left = share;
    let mayKeepOneMore = remainder > 0;
    for (const [topicId, partitions] of previous) {
      const owners = plans.get(topicId)?.owners;
      if (owners === undefined) continue;
      for (const partition of partitions) {
        if (partition >= owners.length || owners[partition] !== FREE) continue;
        if (left === 0) {
          if (!mayKeepOneMore) break;
          mayKeepOneMore = false;
          remainder -= 1;
        } else left -= 1;
        owners[partition] = slot;
        loads[slot]! += 1;
      }
    }
  }
}

/** In turns, so that the partitions of a topic are spread. */
function fillEvenly(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  loads: Int32Array,
): void {
  const total = totalOf(plans);
  const share = Math.floor(total / members.length);
  let slot = 0;
  const next = (): number => {
    for (let looked = 0; looked < members.length; looked += 1) {
      const at = slot;
      slot = slot + 1 === members.length ? 0 : slot + 1;
      if (loads[at]! < share) return at;
    }
    return FREE;
  };
  let isShareFilled = false;
  const nextExtra = (): number => {
    for (;;) {
      const at = slot;
      slot = slot + 1 === members.length ? 0 : slot + 1;
      if (loads[at]! === share) return at;
    }
  };
  for (const { owners } of plans.values()) {
    for (let partition = 0; partition < owners.length; partition += 1) {
      if (owners[partition] !== FREE) continue;
      let taker = isShareFilled ? FREE : next();
      if (taker === FREE) {
        isShareFilled = true;
        taker = nextExtra();
      }
      owners[partition] = taker;
      loads[taker]! += 1;
    }
  }
}

function keepAll(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  loads: Int32Array,
): void {
  for (const [slot, { topics, previous }] of members.entries()) {
    if (previous.size === 0) continue;
    const subscribed = new Set(topics);
    for (const [topicId, partitions] of previous) {
      const owners = subscribed.has(topicId) ? plans.get(topicId)?.owners : undefined;
      if (owners === undefined) continue;
      for (const partition of partitions) {
        if (partition >= owners.length || owners[partition] !== FREE) continue;
        owners[partition] = slot;
        loads[slot]! += 1;
      }
    }
  }
}

/** Topics that few may have come first: they leave the least choice. */
function byFewestSubscribers(left: TopicPlan, right: TopicPlan): number {
  if (left.subscribers.length !== right.subscribers.length)
    return left.subscribers.length - right.subscribers.length;
  return left.id < right.id ? -1 : 1;
}

function fillLeastLoaded({ subscribers, owners }: TopicPlan, loads: Int32Array): void {
  if (!owners.includes(FREE)) return;
  const byLoad = bucketsOf(subscribers, loads);
  for (let partition = 0; partition < owners.length; partition += 1) {
    if (owners[partition] !== FREE) continue;
    const taker = byLoad.takeFewest();
    owners[partition] = taker;
    loads[taker]! += 1;
    byLoad.put(taker, loads[taker]!);
  }
}

/** Members by load; the smallest load only grows while partitions are given out. */
function bucketsOf(
  slots: readonly number[],
  loads: Int32Array,
): { takeFewest(): number; put(slot: number, load: number): void } {
  const buckets: number[][] = [];
  let fewest = Number.POSITIVE_INFINITY;
  const put = (slot: number, load: number) => {
    (buckets[load] ??= []).push(slot);
    if (load < fewest) fewest = load;
  };
  for (const slot of slots.toReversed()) put(slot, loads[slot]!);
  return {
    put,
    takeFewest: () => {
      while ((buckets[fewest]?.length ?? 0) === 0) fewest += 1;
      return buckets[fewest]!.pop()!;
    },
  };
}

function balance(plans: readonly TopicPlan[], loads: Int32Array): void {
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false;
    for (const plan of plans) if (balanceTopic(plan, loads)) hasMoved = true;
  }
}

/** Moves this topic's partitions from those with the most to those with the fewest; whether any moved. */
function balanceTopic({ subscribers, owners }: TopicPlan, loads: Int32Array): boolean {
  if (subscribers.length < 2) return false;
  const owned = new Map<number, number[]>();
  for (const [partition, slot] of owners.entries()) {
    const own = owned.get(slot);
    if (own === undefined) owned.set(slot, [partition]);
    else own.push(partition);
  }
  let hasMoved = false;
  for (;;) {
    let giver = FREE;
    let taker = FREE;
    for (const slot of subscribers) {
      if (taker === FREE || loads[slot]! < loads[taker]!) taker = slot;
      if ((owned.get(slot)?.length ?? 0) === 0) continue;
      if (giver === FREE || loads[slot]! > loads[giver]!) giver = slot;
    }
    if (giver === FREE || loads[giver]! - loads[taker]! < 2) return hasMoved;
    const partition = owned.get(giver)!.pop()!;
    const taken = owned.get(taker);
    if (taken === undefined) owned.set(taker, [partition]);
    else taken.push(partition);
    owners[partition] = taker;
    loads[giver]! -= 1;
    loads[taker]! += 1;
    hasMoved = true;
  }
}

function totalOf(plans: ReadonlyMap<string, TopicPlan>): number {
  let total = 0;
  for (const { owners } of plans.values()) total += owners.length;
  return total;
}

function results(members: readonly AssignorMember[], plans: ReadonlyMap<string, TopicPlan>): Partitions[] {
  const found = members.map(() => new Map<string, Set<number>>());
  for (const { id, owners } of plans.values()) {
    for (const [partition, slot] of owners.entries()) {
      if (slot === FREE) continue;
      const own = found[slot]!;
      const partitions = own.get(id);
      if (partitions === undefined) own.set(id, new Set([partition]));
      else partitions.add(partition);
    }
  }
  return found.map((result, slot) => {
    const { previous } = members[slot]!;
    return isSamePartitions(previous, result) ? previous : result;
  });
}
