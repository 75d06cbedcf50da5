/** A coordinator over a state in memory and a clock that the test moves, with members that remember what they were told. */

import type { JoinRequest, JoinResponse, SyncResponse } from "../../src/consumer/group-requests.ts";
import { Groups, type GroupsOptions } from "../../src/consumer/groups.ts";
import { GroupOffsets } from "../../src/consumer/offsets.ts";
import type { StateStore } from "../../src/storage/contract.ts";
import { joinRequest } from "./group-scene.ts";
import { ManualClock } from "./manual-clock.ts";
import { RefusingState } from "./refusing-state.ts";

const OPTIONS: GroupsOptions = {
  initialRebalanceDelayMs: 0,
  membersMax: 100_000,
  sessionTimeoutMsMin: 100,
  sessionTimeoutMsMax: 60_000,
};

export class TestGroups<State extends StateStore = RefusingState> {
  readonly clock: ManualClock;
  readonly state: State;
  readonly offsets: GroupOffsets;
  readonly groups: Groups;
  readonly warnings: string[];

  private constructor(
    clock: ManualClock,
    state: State,
    offsets: GroupOffsets,
    groups: Groups,
    warnings: string[],
  ) {
    this.clock = clock;
    this.state = state;
    this.offsets = offsets;
    this.groups = groups;
    this.warnings = warnings;
  }

  static async open(options: Partial<GroupsOptions> = {}): Promise<TestGroups> {
    return TestGroups.over(new RefusingState(), new ManualClock(), options);
  }

  static async over<State extends StateStore>(
    state: State,
    clock: ManualClock,
    options: Partial<GroupsOptions> = {},
  ): Promise<TestGroups<State>> {
    const offsets = await GroupOffsets.open(state, clock);
    const warnings: string[] = [];
    const nothing = () => {};
    const log = {
      debug: nothing,
      info: nothing,
      warn: (text: string) => void warnings.push(text),
      error: nothing,
    };
    let ids = 0;
    const newId = () => `id-${++ids}`;
    const parts = { state, offsets, clock, log, newId };
    const groups = await Groups.open({ ...OPTIONS, ...options }, parts);
    return new TestGroups(clock, state, offsets, groups, warnings);
  }

  /** The same state after a crash: nothing of what was in memory is left. */
  async reopen(options: Partial<GroupsOptions> = {}): Promise<TestGroups<State>> {
    this.groups.close();
    return TestGroups.over(this.state, this.clock, options);
  }

  join(name: string, request: Partial<JoinRequest> = {}): Promise<JoinResponse> {
    const whole = joinRequest(request);
    return new Promise((resolve) => {
      this.groups.join(name, whole, { respond: resolve });
    });
  }

  sync(
    name: string,
    memberId: string,
    generationId: number,
    assignments: readonly string[] = [],
  ): Promise<SyncResponse> {
    const request = {
      memberId,
      instanceId: null,
      generationId,
      protocolType: null,
      protocolName: null,
      assignments: new Map(assignments.map((id) => [id, Buffer.from(`a of ${id}`)])),
    };
    return new Promise((resolve) => {
      this.groups.sync(name, request, { respond: resolve });
    });
  }

  /** A group of one member with its assignment. */
  async settle(name: string, request: Partial<JoinRequest> = {}): Promise<JoinResponse> {
    const joining = this.join(name, request);
    this.clock.advance(0);
    const response = await joining;
    await this.sync(name, response.memberId, response.generationId, [response.memberId]);
    return response;
  }

  commitFault(name: string, memberId: string, generationId: number, version = 8): string | null {
    return this.groups.commitFault(name, { memberId, instanceId: null, generationId, version }, []);
  }
}
