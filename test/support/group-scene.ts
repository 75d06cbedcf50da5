/** One classic group on a clock of its own, and what its members were told, in words that are short to compare. */

import type { ErrorCode } from "../../src/base/errors.ts";
import { ClassicGroup } from "../../src/consumer/group.ts";
import type { GroupRules } from "../../src/consumer/group-phases.ts";
import type {
  Effect,
  JoinRequest,
  JoinResponse,
  StoreTicket,
  SyncRequest,
  SyncResponse,
} from "../../src/consumer/group-requests.ts";

export const RULES: GroupRules = { initialDelayMs: 100, membersMax: 10 };

export interface Told<Response> {
  response: Response | null;
  readonly waiter: { respond(response: Response): void };
}

function told<Response>(): Told<Response> {
  const record: Told<Response> = {
    response: null,
    waiter: {
      respond(response) {
        if (record.response !== null) throw new Error("a waiter is answered twice");
        record.response = response;
      },
    },
  };
  return record;
}

export class GroupScene {
  readonly group: ClassicGroup;
  nowMs = 1000;
  /** Stores that were asked for and have not ended. */
  readonly stores: StoreTicket[] = [];
  /** Ends each store at once, with this error. */
  storeError: ErrorCode | "later" | null = null;
  #ids = 0;

  constructor(rules: Partial<GroupRules> = {}) {
    this.group = new ClassicGroup("g", { ...RULES, ...rules }, this.nowMs);
  }

  join(request: Partial<JoinRequest> = {}): Told<JoinResponse> {
    const record = told<JoinResponse>();
    this.perform(
      this.group.join(joinRequest({ newMemberId: `m${++this.#ids}`, ...request }), record.waiter, this.nowMs),
    );
    return record;
  }

  sync(request: Partial<SyncRequest> & { memberId: string }): Told<SyncResponse> {
    const record = told<SyncResponse>();
    const { generationId } = this.group;
    const whole = {
      instanceId: null,
      generationId,
      protocolType: null,
      protocolName: null,
      assignments: new Map(),
      ...request,
    };
    this.perform(this.group.sync(whole, record.waiter));
    return record;
  }

  heartbeat(memberId: string, generationId = this.group.generationId, instanceId: string | null = null) {
    return this.group.heartbeat(memberId, instanceId, generationId, this.nowMs);
  }

  leave(...members: { memberId: string; groupInstanceId?: string }[]) {
    const leaving = members.map((member) => ({ groupInstanceId: null, ...member }));
    const { left, effects } = this.group.leave(leaving, this.nowMs);
    this.perform(effects);
    return left.map(({ error }) => error);
  }

  commit(memberId: string, generationId: number, instanceId: string | null = null) {
    return this.group.commit({ memberId, instanceId, generationId, version: 8 }, [], this.nowMs);
  }

  /** Lets time pass, as a timer for `wakeAtMs` does. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.group.wakeAtMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.group.wakeAtMs);
      this.perform(this.group.wake(this.nowMs));
    }
    this.nowMs = untilMs;
  }

  /** Ends the oldest store. */
  stored(error: ErrorCode | null = null): void {
    const ticket = this.stores.shift();
    if (ticket !== undefined) this.perform(this.group.stored(ticket, error, this.nowMs));
  }

  perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "join") effect.waiter.respond(effect.response);
      else if (effect.kind === "sync") effect.waiter.respond(effect.response);
      else {
        this.stores.push(effect.ticket);
        if (this.storeError !== "later") this.stored(this.storeError);
      }
    }
  }

  /** Brings the group to a stable generation of members `m1` (the leader), `m2`, ... with assignments `a1`, `a2`, ... */
  settle(count: number, request: Partial<JoinRequest> = {}): void {
    for (let member = 0; member < count; member += 1) this.join(request);
    this.pass(1000);
    this.syncAll();
  }

  syncAll(): void {
    const members = [...this.group.members.all()].map(({ id }) => id);
    const leader = this.group.leaderId;
    for (const id of members) if (id !== leader) this.sync({ memberId: id });
    this.sync({ memberId: leader, assignments: assignmentsOf(members) });
  }
}

export function assignmentsOf(members: readonly string[]): Map<string, Buffer> {
  return new Map(members.map((id) => [id, Buffer.from(`a of ${id}`)]));
}

export function joinRequest(request: Partial<JoinRequest>): JoinRequest {
  return {
    memberId: "",
    instanceId: null,
    clientId: "client",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: Buffer.from("topics") }],
    newMemberId: "m",
    isTwoStep: false,
    canSkipAssignment: false,
    ...request,
  };
}

/** A subscription as consumers write it. */
export function subscription(...topics: string[]): Buffer {
  const parts = [Buffer.from([0, 1, 0, 0, 0, topics.length])];
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic));
  parts.push(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  return Buffer.concat(parts);
}
