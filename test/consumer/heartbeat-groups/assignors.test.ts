/**
 * The assignors against what they promise, over random groups: every partition of a subscribed topic has exactly one member, which is
 * subscribed; loads are even; and what did not have to move has not moved.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NO_PARTITIONS, type Partitions } from "../../../src/consumer/heartbeat-groups/assignment.ts";
import type { Assignor, AssignorInput } from "../../../src/consumer/heartbeat-groups/assignor.ts";
import * as range from "../../../src/consumer/heartbeat-groups/range-assignor.ts";
import * as uniform from "../../../src/consumer/heartbeat-groups/uniform-assignor.ts";

const RUNS = 300;
const TOPICS = ["a", "b", "c", "d"];

function inputOf(
  subscriptions: readonly (readonly string[])[],
  counts: readonly number[],
  previous: readonly Partitions[] = [],
): AssignorInput {
  const known = new Map<string, readonly string[]>();
  const share = (topics: readonly string[]) => {
    const key = topics.join();
    if (!known.has(key)) known.set(key, topics);
    return known.get(key)!;
  };
  return {
    members: subscriptions.map((topics, slot) => ({
      id: `m${String(slot).padStart(4, "0")}`,
      instanceId: null,
      topics: share(topics),
      previous: previous[slot] ?? NO_PARTITIONS,
    })),
    partitionCounts: new Map(TOPICS.map((topic, index) => [topic, counts[index] ?? 0])),
  };
}

const anySubscription = fc.subarray(TOPICS, { minLength: 0 });
const anyCounts = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 4, maxLength: 4 });

function loadsOf(assignment: readonly Partitions[]): number[] {
  return assignment.map((own) => [...own.values()].reduce((sum, { size }) => sum + size, 0));
}

function expectWhole(input: AssignorInput, assignment: readonly Partitions[]): void {
  const owners = new Map<string, number>();
  for (const [slot, own] of assignment.entries()) {
    for (const [topic, partitions] of own) {
      expect(input.members[slot]!.topics).toContain(topic);
      expect(partitions.size).toBeGreaterThan(0);
      for (const partition of partitions) {
        expect(owners.has(`${topic}-${partition}`)).toBe(false);
        owners.set(`${topic}-${partition}`, slot);
      }
    }
  }
  const subscribed = new Set(input.members.flatMap(({ topics }) => topics));
  const wanted: string[] = [];
  for (const [topic, count] of input.partitionCounts)
    for (let partition = 0; subscribed.has(topic) && partition < count; partition += 1)
      wanted.push(`${topic}-${partition}`);
  expect([...owners.keys()].sort()).toEqual(wanted.sort());
}

/** No partition could go to another subscriber of its topic and make the loads more even. */
function expectBalanced(input: AssignorInput, assignment: readonly Partitions[]): void {
  const loads = loadsOf(assignment);
  for (const [slot, own] of assignment.entries()) {
    for (const topic of own.keys()) {
      for (const [other, { topics }] of input.members.entries())
        if (topics.includes(topic)) expect(loads[slot]! - loads[other]!).toBeLessThan(2);
    }
  }
}

/** All steps of an assignor at once. */
function whole(assign: Assignor): (input: AssignorInput) => Partitions[] {
  return (input) => {
    const steps = assign(input);
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
  };
}

const assignUniformly = whole(uniform.assignUniformly);
const assignByRange = whole(range.assignByRange);

const ASSIGNORS: [name: string, assign: (input: AssignorInput) => Partitions[]][] = [
  ["uniform", assignUniformly],
  ["range", assignByRange],
];

describe.each(ASSIGNORS)("%s", (_name, assign) => {
  test("gives every partition to one member that is subscribed to it", () => {
    const property = fc.property(
      fc.array(anySubscription, { minLength: 1, maxLength: 9 }),
      anyCounts,
      (subscriptions, counts) => {
        const input = inputOf(subscriptions, counts);
        const assignment = assign(input);
        expectWhole(input, assignment);
        // Again, and nothing is new: not even the objects.
        const again = assign(inputOf(subscriptions, counts, assignment));
        for (const [slot, own] of again.entries()) expect(own).toBe(assignment[slot]!);
      },
    );
    fc.assert(property, { numRuns: RUNS });
  });
});

describe("uniform", () => {
  test("is balanced, and stays whole and balanced as members, topics and subscriptions change", () => {
    const step = fc.record({
      subscriptions: fc.array(anySubscription, { minLength: 1, maxLength: 9 }),
      counts: anyCounts,
    });
    const property = fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
      let previous: readonly Partitions[] = [];
      for (const { subscriptions, counts } of steps) {
        const input = inputOf(subscriptions, counts, previous);
        previous = assignUniformly(input);
        expectWhole(input, previous);
        expectBalanced(input, previous);
      }
    });
    fc.assert(property, { numRuns: RUNS });
  });

  test("moves, where all are subscribed alike, no more than balance needs", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      anyCounts,
      (before, after, counts) => {
        const first = assignUniformly(inputOf(Array(before).fill(TOPICS), counts));
        const second = assignUniformly(inputOf(Array(after).fill(TOPICS), counts, first));
        const total = counts.reduce((sum, count) => sum + count, 0);
        let kept = 0;
        for (let slot = 0; slot < Math.min(before, after); slot += 1)
          for (const [topic, partitions] of first[slot]!)
            for (const partition of partitions) if (second[slot]!.get(topic)?.has(partition)) kept += 1;
        const share = Math.floor(total / after);
        let extra = total % after;
        let mayKeep = 0;
        for (const load of loadsOf(first).slice(0, after)) {
          const hasExtra = load > share && extra > 0;
          if (hasExtra) extra -= 1;
          mayKeep += Math.min(load, share + (hasExtra ? 1 : 0));
        }
        expect(kept).toBe(mayKeep);
      },
    );
    fc.assert(property, { numRuns: RUNS });
  });

  test("takes many steps where much is to be looked at, and one where little is", () => {
    const topics = Array.from({ length: 300 }, (_, index) => `t${index}`);
    const members = Array.from({ length: 300 }, (_, slot) => ({
      id: `m${slot}`,
      instanceId: null,
      topics: topics.filter((_, index) => index !== slot),
      previous: NO_PARTITIONS,
    }));
    const counts = new Map(topics.map((topic) => [topic, 1]));
    for (const assign of [uniform.assignUniformly, range.assignByRange]) {
      expect([...assign({ members, partitionCounts: counts })].length).toBeGreaterThan(50);
      const few = { members: members.slice(0, 2), partitionCounts: counts };
      expect([...assign(few)].length).toBeLessThan(8);
    }
  });

  test("spreads the partitions of each topic", () => {
    const assignment = assignUniformly(inputOf([TOPICS, TOPICS], [2, 2, 2, 2]));
    for (const own of assignment) expect([...own.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1]);
  });
});

describe("range", () => {
  test("gives runs, the first members one more, and the same numbers of topics alike to the same member", () => {
    const assignment = assignByRange(
      inputOf(
        [
          ["a", "b"],
          ["a", "b"],
          ["a", "b"],
        ],
        [7, 7],
      ),
    );
    expect(assignment.map((own) => [[...own.get("a")!], [...own.get("b")!]])).toEqual([
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
      [
        [3, 4],
        [3, 4],
      ],
      [
        [5, 6],
        [5, 6],
      ],
    ]);
  });

  test("orders static members by their instance id, before the others", () => {
    const topics = ["a"];
    const members = [
      { id: "1", instanceId: null, topics, previous: NO_PARTITIONS },
      { id: "2", instanceId: "y", topics, previous: NO_PARTITIONS },
      { id: "3", instanceId: "x", topics, previous: NO_PARTITIONS },
    ];
    const assignment = assignByRange({ members, partitionCounts: new Map([["a", 3]]) });
    expect(assignment.map((own) => [...own.get("a")!])).toEqual([[2], [1], [0]]);
  });
});
