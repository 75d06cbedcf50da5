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
import { type AssignorInput, type AssignorMember, type AssignorSteps, Pace } from "./assignor.ts";
import { type Audience, audiencesOf } from "./audiences.ts";
import { LoadBuckets, NOBODY } from "./load-buckets.ts";

/** Moves of one topic before its members are ordered: for a few it is quicker to look through them. */
const SEARCHES_MAX = 8;
/** Nobody has the partition. */
const FREE = -1;

/** One topic: who is subscribed, and who has which partition. */
interface TopicPlan {
  readonly id: string;
  readonly audience: Audience;
  readonly owners: Int32Array;
}

export function* assignUniformly({ members, partitionCounts }: AssignorInput): AssignorSteps {
  const pace = new Pace();
  const plans = yield* plansOf(members, partitionCounts, pace);
  const loads = new Int32Array(members.length);
  const isEven = members.every(({ topics }) => topics === members[0]?.topics);
  if (isEven) {
    yield* keepUpToShare(members, plans, loads, pace);
    yield* fillEvenly(members, plans, loads, pace);
  } else {
    yield* keepAll(members, plans, loads, pace);
    const ordered = [...plans.values()].sort(byFewestSubscribers);
    yield* fillLeastLoaded(ordered, loads, pace);
    yield* balance(ordered, loads, pace);
  }
  return yield* results(members, plans, pace);
}

function* plansOf(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
  pace: Pace,
): AssignorSteps<Map<string, TopicPlan>> {
  const plans = new Map<string, TopicPlan>();
  for (const [id, audience] of yield* audiencesOf(members, pace)) {
    const count = partitionCounts.get(id) ?? 0;
    if (count > 0) plans.set(id, { id, audience, owners: new Int32Array(count).fill(FREE) });
    if (pace.isFull(1)) yield;
  }
  return plans;
}

/** Who has more than the share may keep one of what is left over when partitions do not divide evenly. */
function* keepUpToShare(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  loads: Int32Array,
  pace: Pace,
): AssignorSteps<void> {
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
      if (pace.isFull(partitions.size)) yield;
    }
    if (pace.isFull(1)) yield;
  }
}

/** In turns, so that the partitions of a topic are spread. */
function* fillEvenly(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  loads: Int32Array,
  pace: Pace,
): AssignorSteps<void> {
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
      if (pace.isFull(1)) yield;
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

function* keepAll(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  loads: Int32Array,
  pace: Pace,
): AssignorSteps<void> {
  const kinds = new Map<readonly string[], ReadonlySet<string>>();
  for (const [slot, { topics, previous }] of members.entries()) {
    if (pace.isFull(1)) yield;
    if (previous.size === 0) continue;
    let subscribed = kinds.get(topics);
    if (subscribed === undefined) {
      subscribed = new Set(topics);
      kinds.set(topics, subscribed);
      if (pace.isFull(topics.length)) yield;
    }
    for (const [topicId, partitions] of previous) {
      const owners = subscribed.has(topicId) ? plans.get(topicId)?.owners : undefined;
      if (owners === undefined) continue;
      for (const partition of partitions) {
        if (partition >= owners.length || owners[partition] !== FREE) continue;
        owners[partition] = slot;
        loads[slot]! += 1;
      }
      if (pace.isFull(partitions.size)) yield;
    }
  }
}

/** Topics that few may have come first: they leave the least choice. Those of one audience follow each other. */
function byFewestSubscribers(left: TopicPlan, right: TopicPlan): number {
  const { audience } = left;
  const { audience: other } = right;
  if (audience.slots.length !== other.slots.length) return audience.slots.length - other.slots.length;
  if (audience !== other) return audience.order - other.order;
  return left.id < right.id ? -1 : 1;
}

function* fillLeastLoaded(plans: readonly TopicPlan[], loads: Int32Array, pace: Pace): AssignorSteps<void> {
  let audience: Audience | null = null;
  let byLoad = new LoadBuckets(loads);
  for (const { audience: own, owners } of plans) {
    if (pace.isFull(owners.length)) yield;
    if (!owners.includes(FREE)) continue;
    if (own !== audience) {
      audience = own;
      byLoad = new LoadBuckets(loads);
      for (let index = own.slots.length - 1; index >= 0; index -= 1) byLoad.put(own.slots[index]!);
      if (pace.isFull(own.slots.length)) yield;
    }
    for (let partition = 0; partition < owners.length; partition += 1) {
      if (owners[partition] !== FREE) continue;
      const taker = byLoad.takeFewest();
      owners[partition] = taker;
      loads[taker]! += 1;
      byLoad.put(taker);
      if (pace.isFull(1)) yield;
    }
  }
}

function* balance(plans: readonly TopicPlan[], loads: Int32Array, pace: Pace): AssignorSteps<void> {
  /** The smallest load of each audience, as long as no load has changed. */
  const fewest = new Map<Audience, number>();
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false;
    for (const plan of plans) {
      const { audience, owners } = plan;
      if (pace.isFull(owners.length)) yield;
      let low = fewest.get(audience);
      if (low === undefined) {
        low = loads[fewestOf(audience, loads)]!;
        fewest.set(audience, low);
        if (pace.isFull(audience.slots.length)) yield;
      }
      if (mostOf(owners, loads) - low < 2) continue;
      yield* balanceTopic(plan, loads, pace);
      fewest.clear();
      hasMoved = true;
    }
  }
}

/** The first of those with the fewest. */
function fewestOf({ slots }: Audience, loads: Int32Array): number {
  let found = slots[0]!;
  for (let index = 1; index < slots.length; index += 1)
    if (loads[slots[index]!]! < loads[found]!) found = slots[index]!;
  return found;
}

function mostOf(owners: Int32Array, loads: Int32Array): number {
  let most = 0;
  for (const slot of owners) if (slot !== FREE && loads[slot]! > most) most = loads[slot]!;
  return most;
}

/** Moves this topic's partitions from those with the most to those with the fewest. */
function* balanceTopic({ audience, owners }: TopicPlan, loads: Int32Array, pace: Pace): AssignorSteps<void> {
  const owned = new Map<number, number[]>();
  for (const [partition, slot] of owners.entries()) {
    const own = owned.get(slot);
    if (own === undefined) owned.set(slot, [partition]);
    else own.push(partition);
  }
  if (pace.isFull(owners.length)) yield;
  const givers = new LoadBuckets(loads);
  for (const slot of owned.keys()) givers.put(slot);
  let takers: LoadBuckets | null = null;
  for (let moves = 0; ; moves += 1) {
    if (moves === SEARCHES_MAX) {
      takers = new LoadBuckets(loads);
      for (const slot of audience.slots) takers.put(slot);
    }
    if (pace.isFull(takers === null || moves === SEARCHES_MAX ? audience.slots.length : 2)) yield;
    const giver = givers.takeMost();
    const taker = takers === null ? fewestOf(audience, loads) : takers.takeFewest();
    if (giver === NOBODY || loads[giver]! - loads[taker]! < 2) return;
    const own = owned.get(giver)!;
    const partition = own.pop()!;
    const taken = owned.get(taker);
    if (taken === undefined) owned.set(taker, [partition]);
    else taken.push(partition);
    owners[partition] = taker;
    loads[giver]! -= 1;
    loads[taker]! += 1;
    if (own.length > 0) givers.put(giver);
    givers.put(taker);
    takers?.put(giver);
    takers?.put(taker);
  }
}

function totalOf(plans: ReadonlyMap<string, TopicPlan>): number {
  let total = 0;
  for (const { owners } of plans.values()) total += owners.length;
  return total;
}

function* results(
  members: readonly AssignorMember[],
  plans: ReadonlyMap<string, TopicPlan>,
  pace: Pace,
): AssignorSteps {
  const found = members.map(() => new Map<string, Set<number>>());
  for (const { id, owners } of plans.values()) {
    for (let partition = 0; partition < owners.length; partition += 1) {
      if (pace.isFull(4)) yield;
      const slot = owners[partition]!;
      if (slot === FREE) continue;
      const own = found[slot]!;
      const partitions = own.get(id);
      if (partitions === undefined) own.set(id, new Set([partition]));
      else partitions.add(partition);
    }
  }
  const targets: Partitions[] = [];
  for (const [slot, { previous }] of members.entries()) {
    const own = found[slot]!;
    if (pace.isFull(1 + 2 * own.size)) yield;
    targets.push(isSamePartitions(previous, own) ? previous : own);
  }
  return targets;
}
