/**
 * Conformance of partitions, at random: idempotent producers with up to five batches in flight that send again from the first that
 * failed, plain appends, duplicates, failures of every kind, a reader that follows, and two brokers where partitions can be shared.
 *
 * The model is what each was told: every record of a producer is there once, in its order and at its offset; of a plain append the
 * record is there when it was acknowledged, not there when it was refused, and once at most when its outcome is unknown.
 */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NO_ERROR, wireCode } from "../../../src/base/errors.ts";
import { type Partition, UNKNOWN_OUTCOME } from "../../../src/broker/partition.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { appendTo } from "../../support/partitions.ts";
import { randomOf } from "../../support/random.ts";
import { batchFrom, createPartitions, manyTurns, openShared, readAll, SUBJECTS } from "./subject.ts";

const UNKNOWN = wireCode(UNKNOWN_OUTCOME);

interface ProducerPlan {
  batches: number;
  window: number;
  isRepeating: boolean;
}

interface Plan {
  seed: number;
  producers: ProducerPlan[];
  plain: number;
  /** How many appends lie between two that fail, on average. */
  failEach: number;
}

const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(1_000_000),
  producers: fc.array(
    fc.record({
      batches: fc.integer({ min: 1, max: 12 }),
      window: fc.integer({ min: 1, max: 5 }),
      isRepeating: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  plain: fc.nat(8),
  failEach: fc.integer({ min: 3, max: 20 }),
});

/** Who may be asked for a partition, and what happens before each append. */
interface Place {
  /** The same partition, at each broker. */
  partitions: readonly Partition[];
  beforeAppend(): void;
}

/**
 * Resolves with the offset of each batch of one record. The first goes alone: a partition that knows nothing of a producer lets it in
 * with any sequence, as in Kafka.
 */
async function produceAll(place: Place, producerId: number, plan: ProducerPlan): Promise<number[]> {
  const offsets: number[] = [];
  let sends = 0;
  while (offsets.length < plan.batches) {
    if (sends > 2000) throw new Error("a producer does not get on");
    const first = offsets.length;
    const count = first === 0 ? 1 : Math.min(plan.window, plan.batches - first);
    const window = Array.from({ length: count }, (_, index) => {
      const batch = () =>
        batchFrom({ producerId, baseSequence: first + index }, `${producerId}/${first + index}`);
      const partition = place.partitions[(sends += 1) % place.partitions.length]!;
      place.beforeAppend();
      const append = appendTo(partition, batch());
      return { append, repeated: plan.isRepeating ? appendTo(partition, batch()) : null };
    });
    const outcomes = await Promise.all(window.map(({ append }) => append.done));
    const repeated = await Promise.all(window.map(({ repeated }) => repeated?.done));
    for (const [index, { errorCode, baseOffset }] of outcomes.entries()) {
      const again = repeated[index];
      if (errorCode === NO_ERROR && again?.errorCode === NO_ERROR) expect(again.baseOffset).toBe(baseOffset);
    }
    const failed = outcomes.findIndex(({ errorCode }) => errorCode !== NO_ERROR);
    const told = failed < 0 ? outcomes : outcomes.slice(0, failed);
    offsets.push(...told.map(({ baseOffset }) => baseOffset));
  }
  return offsets;
}

/** Follows the partition until `isOver`, and gives what it has read. */
async function follow(partition: Partition, isOver: () => boolean): Promise<[number, string | null][]> {
  const records: [number, string | null][] = [];
  for (;;) {
    const wasOver = isOver();
    const found = recordsIn(await bytesOf(partition.span(records.length, 1_000_000, true)));
    records.push(...found);
    if (wasOver && found.length === 0) return records;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function check(place: Place, plan: Plan): Promise<void> {
  const partition = place.partitions.at(-1)!;
  let isOver = false;
  const followed = follow(partition, () => isOver);
  try {
    await produceAndCheck(place, plan);
  } finally {
    isOver = true;
    await followed;
  }
  expect(await followed).toEqual(await readAll(partition));
}

async function produceAndCheck(place: Place, plan: Plan): Promise<void> {
  const partition = place.partitions.at(-1)!;
  const plain = Array.from({ length: plan.plain }, (_, index) => {
    place.beforeAppend();
    return appendTo(place.partitions[index % place.partitions.length]!, batchOf([`plain ${index}`]));
  });
  const offsets = await Promise.all(
    plan.producers.map((producer, index) => produceAll(place, index + 1, producer)),
  );
  const outcomes = await Promise.all(plain.map(({ done }) => done));
  await manyTurns();
  const records = await readAll(partition);
  expect(records.map(([offset]) => offset)).toEqual(records.map((_, index) => index));
  for (const [index, told] of offsets.entries()) {
    const own = records.filter(([, value]) => value!.startsWith(`${index + 1}/`));
    expect(own).toEqual(told.map((offset, sequence) => [offset, `${index + 1}/${sequence}`]));
  }
  for (const [index, { errorCode, baseOffset }] of outcomes.entries()) {
    const found = records.filter(([, value]) => value === `plain ${index}`);
    if (errorCode === UNKNOWN) expect(found.length).toBeLessThanOrEqual(1);
    else expect(found).toEqual(errorCode === NO_ERROR ? [[baseOffset, `plain ${index}`]] : []);
  }
}

for (const kind of SUBJECTS) {
  test(`${kind.name}: everybody finds what they were told, whatever fails`, async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        await using subject = await kind.open({}, plan.seed);
        const [partition] = await createPartitions(subject.broker, 1);
        const random = randomOf(plan.seed);
        const beforeAppend = () => {
          if (random() < 1 / plan.failEach) subject.failNext(partition!);
        };
        await check({ partitions: [partition!], beforeAppend }, plan);
      }),
      { numRuns: 80 },
    );
  });
}

describe("delayed commits", () => {
  test("the same with outcomes that nobody knows, and a second broker that writes too", async () => {
    const failures = { definite: 0.1, "unknown-stored": 0.1, "unknown-lost": 0.1, "unknown-late": 0.1 };
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        await using subject = await openShared({}, plan.seed, failures);
        const [here] = await createPartitions(subject.broker, 1);
        const there = (await subject.openAnother()).topics.get("t")!.partitions[0]!;
        await check({ partitions: [here!, there], beforeAppend: () => {} }, plan);
      }),
      { numRuns: 200 },
    );
  });
});
