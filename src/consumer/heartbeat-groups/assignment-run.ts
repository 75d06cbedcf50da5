/**
 * One computation of the targets of a group: for the members and the epoch that it began with, however long it takes. The group goes on
 * meanwhile, and what comes out is for those who are still there.
 */

import type { Partitions } from "./assignment.ts";
import type { AssignorSteps } from "./assignor.ts";
import type { Member } from "./member.ts";

export class AssignmentRun {
  readonly epoch: number;
  readonly members: readonly Member[];
  readonly #steps: AssignorSteps;

  constructor(epoch: number, members: readonly Member[], steps: AssignorSteps) {
    this.epoch = epoch;
    this.members = members;
    this.#steps = steps;
  }

  /** Takes so many steps at most. The targets of the members, in their order; null: there is more to do. */
  advance(stepsMax: number): readonly Partitions[] | null {
    for (let step = 0; step < stepsMax; step += 1) {
      const { done, value } = this.#steps.next();
      if (done === true) return value;
    }
    return null;
  }
}
