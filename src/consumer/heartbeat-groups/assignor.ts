/**
 * What an assignor is: from the members of a group and the partitions of its topics to what each member is to have. Pure: no clock, no
 * chance, no other state; the same input gives the same answer.
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

/** What each member is to have: in the order of the members, and `previous` itself where that does not change. */
export type Assignor = (input: AssignorInput) => Partitions[];
