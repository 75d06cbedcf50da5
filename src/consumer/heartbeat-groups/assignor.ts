/**
 * What an assignor is: from the members of a group and the partitions of its topics to what each member is to have. Pure: no clock, no
 * chance, no other state; the same input gives the same answer.
 *
 * A thousand members with subscriptions of their own and thousands of partitions take tens of milliseconds, so it works in steps of some
 * 0.1 ms: whoever runs it decides how many it takes at once (assignment-run.ts).
 */

import type { Partitions } from "./assignment.ts";

export interface AssignorMember {
  readonly id: string;
  readonly instanceId: string | null;
  /** Ids of the topics that it is subscribed to. Members with equal subscriptions share the array. */
  readonly topics: readonly string[];
  /** What it was to have before. */
  readonly previous: Partitions;
}

export interface AssignorInput {
  readonly members: readonly AssignorMember[];
  /** How many partitions each topic has. A topic that is missing has none. */
  readonly partitionCounts: ReadonlyMap<string, number>;
}

export type AssignorSteps<Result = Partitions[]> = Generator<undefined, Result, undefined>;

/** Returns what each member is to have: in the order of the members, and `previous` itself where that does not change. */
export type Assignor = (input: AssignorInput) => AssignorSteps;

/** Looks at a partition, a member or a subscription: 5 to 100 ns each. */
const STEP_WORK = 2000;

/** Counts the work of one run, so that a step is about as long as any other. */
export class Pace {
  #left = STEP_WORK;

  /** Whether a step is full with so much more work. */
  isFull(work: number): boolean {
    this.#left -= work;
    if (this.#left > 0) return false;
    this.#left = STEP_WORK;
    return true;
  }
}
