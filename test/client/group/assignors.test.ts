/** How partitions are shared: against rules that hold for every group, and in the small cases that Kafka's documents show. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ASSIGNORS, type AssignableMember, type Assignments } from "../../../src/client/group/assignors.ts";
import type { TopicPartition } from "../../../src/protocol/group/consumer-protocol.ts";

const NOTHING = { owned: [], generation: -1 };

function assignor(name: string) {
  return ASSIGNORS.find((one) => one.name === name)!;
}

/** `t0 t1` for each member. */
function words(assignments: Assignments): Record<string, string> {
  return Object.fromEntries(
    [...assignments].map(([member, places]) => [
      member,
      places.map(({ topic, partition }) => `${topic}${partition}`).join(" "),
    ]),
  );
}

function places(text: string): TopicPartition[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => ({ topic: word.slice(0, 1), partition: Number(word.slice(1)) }));
}

const TWO = [
  { memberId: "a", topics: ["s", "t"], ...NOTHING },
  { memberId: "b", topics: ["t", "s"], ...NOTHING },
];
const COUNTS = new Map([
  ["t", 3],
  ["s", 3],
]);

test("range gives each member neighbours of every topic", () => {
  expect(words(assignor("range").assign(TWO, COUNTS))).toEqual({ a: "s0 s1 t0 t1", b: "s2 t2" });
});

test.each(["roundrobin", "RoundRobinAssigner"])("%s gives all partitions in turn", (name) => {
  expect(words(assignor(name).assign(TWO, COUNTS))).toEqual({ a: "s0 s2 t1", b: "s1 t0 t2" });
});

describe("cooperative-sticky", () => {
  const { assign } = assignor("cooperative-sticky");
  const counts = new Map([["t", 4]]);

  test("who owns partitions keeps them; what is to move is nobody's in this generation", () => {
    const owner = { memberId: "a", topics: ["t"], owned: places("t0 t1 t2 t3"), generation: 5 };
    const newcomer = { memberId: "b", topics: ["t"], ...NOTHING };
    expect(words(assign([owner, newcomer], counts))).toEqual({ a: "t0 t1", b: "" });
    const yielded = { ...owner, owned: places("t0 t1"), generation: 6 };
    expect(words(assign([yielded, newcomer], counts))).toEqual({ a: "t0 t1", b: "t2 t3" });
  });

  test("a claim of an older generation does not count against a newer one", () => {
    const old = { memberId: "a", topics: ["t"], owned: places("t0 t1"), generation: 3 };
    const current = { memberId: "b", topics: ["t"], owned: places("t0 t1"), generation: 4 };
    expect(words(assign([old, current], new Map([["t", 2]])))).toEqual({ a: "", b: "" });
    expect(words(assign([{ ...old, owned: [] }, current], new Map([["t", 2]])))).toEqual({ a: "", b: "t0" });
  });
});

describe.each(ASSIGNORS.map((one) => [one.name, one] as const))("%s", (name, { assign }) => {
  const topics = fc.uniqueArray(fc.constantFrom("q", "r", "s", "t"), { maxLength: 4 });
  const groups = fc.record({
    members: fc.array(topics, { minLength: 1, maxLength: 6 }),
    counts: fc.dictionary(fc.constantFrom("q", "r", "s", "t"), fc.integer({ min: 0, max: 7 })),
  });

  test("every partition that somebody wants is somebody's, once, and nobody's who does not want it", () => {
    fc.assert(
      fc.property(groups, ({ members, counts }) => {
        const group: AssignableMember[] = members.map((wanted, index) => ({
          memberId: `m${index}`,
          topics: wanted,
          ...NOTHING,
        }));
        const assignments = assign(group, new Map(Object.entries(counts)));
        expect([...assignments.keys()].toSorted()).toEqual(group.map(({ memberId }) => memberId).toSorted());
        const given = [...assignments.values()].flat().map(({ topic, partition }) => `${topic}${partition}`);
        const wanted = Object.entries(counts)
          .filter(([topic]) => members.some((own) => own.some((one) => one === topic)))
          .flatMap(([topic, count]) =>
            Array.from({ length: count }, (_, partition) => `${topic}${partition}`),
          );
        expect(given.toSorted()).toEqual(wanted.toSorted());
        for (const { memberId, topics: own } of group)
          expect(assignments.get(memberId)!.every(({ topic }) => own.includes(topic))).toBe(true);
        expect(assign(group.toReversed(), new Map(Object.entries(counts)))).toEqual(assignments);
      }),
    );
  });

  test.skipIf(name === "range")("members that want the same topics have as many, give or take one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 40 }), (size, count) => {
        const group = Array.from({ length: size }, (_, index) => ({
          memberId: `m${index}`,
          topics: ["t"],
          ...NOTHING,
        }));
        const sizes = [...assign(group, new Map([["t", count]])).values()].map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
