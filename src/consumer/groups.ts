/**
 * The coordinator: every classic group by its name (group.ts), and what their state machines want done. It also answers for groups of
 * the other kind where a request does not say which it means (group-kinds.ts), and for groups that have nothing but offsets.
 *
 *     request --> ClassicGroup --> effects:   join, sync    a waiting member gets its response
 *     timer  -->                              store         the state store, and the machine is told how it went
 *                                  wakeAtMs:  one timer for each group, set again only for an earlier time
 *
 * Promises
 *   - A member is told its assignment when that is durable. After a crash members go on in the generation that was stored last, each
 *     with a whole session before it.
 *   - What a group wants stored is stored in the order in which it asked.
 *   - A heartbeat makes no timer, no promise and no write.
 *   - A group whose members never came, and one that is empty and has no offsets left, is forgotten.
 *   - What is stored already is always loaded; what would go beyond a limit is refused before it is kept.
 *   - Many responses at once go out in slices of the loop's time.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { type ErrorCode, isStorageError, type ObeliskError, toObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { TurnShare } from "../base/loop/turn-share.ts";
import { RateLimitedWarning } from "../base/rate-limited-warning.ts";
import type { StateChange, StateStore } from "../storage/contract.ts";
import { GROUP_NAME_BYTES_MAX } from "./commit-room.ts";
import { ClassicGroup } from "./group.ts";
import type { ConsumerGroups, GroupView, TopicPartition } from "./group-kinds.ts";
import type { GroupRules } from "./group-phases.ts";
import {
  type Committer,
  type Effect,
  type JoinRequest,
  type JoinWaiter,
  type LeavingMember,
  type LeftMember,
  refusedJoin,
  refusedSync,
  type StoreTicket,
  type SyncRequest,
  type SyncWaiter,
} from "./group-requests.ts";
import { assignmentFault, type CountedGroup, GroupRoom, type RoomFault } from "./group-room.ts";
import type { GroupOffsets } from "./offsets.ts";
import { OwedChanges } from "./owed-changes.ts";
import { encodeGroup, GROUP_KEY_PREFIX, groupKey, readGroup, type StoredGroup } from "./stored-group.ts";
import { UNREADABLE_GROUPS, warnOfUnreadable } from "./unreadable-rows.ts";

/** Rows that are read together at the start: they may be large. */
const LOAD_ROWS = 100;
/** Responses that go out in the turn that caused them: about 1 ms. */
const ANSWERED_AT_ONCE = 32;
/** The longest that a timer can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface GroupsOptions {
  readonly initialRebalanceDelayMs: number;
  /** Members of one group. */
  readonly membersMax: number;
  readonly sessionTimeoutMsMin: number;
  readonly sessionTimeoutMsMax: number;
}

export interface GroupsParts {
  readonly state: StateStore;
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  readonly log: Log;
  readonly newId: () => string;
}

interface Entry extends CountedGroup {
  /** Minus infinity: none is set any more. */
  timerAtMs: number;
  timer: Timer | null;
}

export class Groups {
  readonly #parts: GroupsParts;
  readonly #options: GroupsOptions;
  readonly #rules: GroupRules;
  readonly #entries = new Map<string, Entry>();
  readonly #limitWarning: RateLimitedWarning;
  readonly #owed: OwedChanges;
  readonly #room = new GroupRoom();
  #consumerGroups: ConsumerGroups | null = null;
  #isClosed = false;
  /** Keys of entries that could not be read at start. They stay in the store until they are overwritten. */
  readonly unreadable: string[] = [];

  private constructor(options: GroupsOptions, parts: GroupsParts) {
    this.#options = options;
    this.#parts = parts;
    this.#owed = new OwedChanges(parts.state);
    this.#rules = { initialDelayMs: options.initialRebalanceDelayMs, membersMax: options.membersMax };
    this.#limitWarning = new RateLimitedWarning(parts.log, parts.clock, "a member of a group is refused");
  }

  static async open(options: GroupsOptions, parts: GroupsParts): Promise<Groups> {
    const groups = new Groups(options, parts);
    let after = "";
    for (;;) {
      const page = await parts.state.page(GROUP_KEY_PREFIX, after, LOAD_ROWS);
      for (const entry of page) {
        const read = readGroup(entry);
        if (read === null) groups.unreadable.push(entry.key);
        else groups.#restore(read.name, read.group);
      }
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.key;
    }
    warnOfUnreadable(parts.log, groups.unreadable, UNREADABLE_GROUPS);
    return groups;
  }

  /** How many classic groups have members, or had. */
  get count(): number {
    return this.#entries.size;
  }

  /** Of classic groups. */
  get memberCount(): number {
    return this.#room.memberCount;
  }

  /** What members of classic groups bring, and their assignments. */
  get bytes(): number {
    return this.#room.bytes;
  }

  /** The groups of the other kind. Once, before the first request. */
  attach(consumerGroups: ConsumerGroups): void {
    this.#consumerGroups = consumerGroups;
  }

  classic(name: string): ClassicGroup | undefined {
    return this.#entries.get(name)?.group;
  }

  /** A group of any kind; one that only has offsets is an empty classic one. */
  find(name: string): GroupView | undefined {
    const known = this.classic(name) ?? this.#consumerGroups?.find(name);
    if (known !== undefined) return known;
    return this.#parts.offsets.has(name) ? new ClassicGroup(name, this.#rules, 0) : undefined;
  }

  /** All groups, of any kind, each once, as they come. */
  names(): Set<string> {
    const names = new Set(this.#parts.offsets.names());
    for (const name of this.#entries.keys()) names.add(name);
    for (const name of this.#consumerGroups?.names() ?? []) names.add(name);
    return names;
  }

  join(name: string, request: Omit<JoinRequest, "newMemberId">, waiter: JoinWaiter): void {
    const { memberId, sessionTimeoutMs } = request;
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#options;
    const isNew = this.#entries.get(name) === undefined && memberId === "";
    if (name === "" || (isNew && Buffer.byteLength(name) > GROUP_NAME_BYTES_MAX))
      waiter.respond(refusedJoin("INVALID_GROUP_ID", memberId));
    else if (sessionTimeoutMs < sessionTimeoutMsMin || sessionTimeoutMs > sessionTimeoutMsMax)
      waiter.respond(refusedJoin("INVALID_SESSION_TIMEOUT", memberId));
    else this.#join(name, { ...request, newMemberId: this.#newMemberId(request) }, waiter);
  }

  sync(name: string, request: SyncRequest, waiter: SyncWaiter): void {
    const entry = this.#entries.get(name);
    if (name === "") waiter.respond(refusedSync("INVALID_GROUP_ID"));
    else if (entry !== undefined) this.#perform(entry, entry.group.sync(request, waiter));
    else {
      const other = this.#otherWithMembers(name);
      if (other === null) waiter.respond(refusedSync("UNKNOWN_MEMBER_ID"));
      else other.sync(name, request, waiter);
    }
  }

  /** Null: all is well. */
  heartbeat(
    name: string,
    memberId: string,
    instanceId: string | null,
    generationId: number,
  ): ErrorCode | null | Promise<ErrorCode | null> {
    if (name === "") return "INVALID_GROUP_ID";
    const entry = this.#entries.get(name);
    if (entry !== undefined)
      return entry.group.heartbeat(memberId, instanceId, generationId, this.#parts.clock.steadyMs());
    const other = this.#otherWithMembers(name);
    return other === null ? "UNKNOWN_MEMBER_ID" : other.heartbeat(name, memberId, instanceId, generationId);
  }

  leave(
    name: string,
    members: readonly LeavingMember[],
  ): readonly LeftMember[] | Promise<readonly LeftMember[]> {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const other = this.#otherWithMembers(name);
      return (
        other?.leave(name, members) ?? members.map((member) => ({ ...member, error: "UNKNOWN_MEMBER_ID" }))
      );
    }
    const { left, effects } = entry.group.leave(members, this.#parts.clock.steadyMs());
    this.#perform(entry, effects);
    return left;
  }

  /** Why these commits are refused; null: they are taken, and a member that commits is alive. */
  commitFault(name: string, committer: Committer, partitions: Iterable<TopicPartition>): ErrorCode | null {
    const group = this.find(name);
    if (group !== undefined) return group.commit(committer, partitions, this.#parts.clock.steadyMs());
    if (committer.generationId < 0) return null;
    return committer.version >= CONSUMER_VERSION ? "GROUP_ID_NOT_FOUND" : "ILLEGAL_GENERATION";
  }

  /** Removes a group and its offsets, durably. @throws ObeliskError of the store */
  async remove(name: string): Promise<ErrorCode | null> {
    const group = this.find(name);
    if (group === undefined || group.state === "Dead") return "GROUP_ID_NOT_FOUND";
    if (group.state !== "Empty") return "NON_EMPTY_GROUP";
    await this.#removeEmpty(name);
    return null;
  }

  /**
   * The classic group becomes one of another kind: whoever waits is told to come again, and it is not found here from this turn on.
   * What is returned belongs into the change that stores the other.
   */
  release(name: string): StateChange[] {
    const owed = this.#owed.take(name);
    const entry = this.#entries.get(name);
    if (entry === undefined) return [...owed];
    this.#perform(entry, entry.group.end("REBALANCE_IN_PROGRESS"));
    this.#forget(entry);
    return [...owed, { key: groupKey(name), value: null }];
  }

  /** A group of another kind becomes a classic one, and its members are called to a rebalance. @throws ObeliskError of the store */
  async adopt(name: string, group: StoredGroup, changes: readonly StateChange[]): Promise<ClassicGroup> {
    const entry = this.#restore(name, group);
    this.#owed.owe(name, changes);
    await this.#owed.change(name, [{ key: groupKey(name), value: encodeGroup(group) }]);
    return entry.group;
  }

  /** No timer calls any more, and nothing more is taken. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#entries.values()) timer?.cancel();
  }

  #join(name: string, request: JoinRequest, waiter: JoinWaiter): void {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      const other = this.#consumerGroups?.find(name);
      if (other !== undefined && !other.isEmpty) {
        this.#consumerGroups?.join(name, request, waiter);
        return;
      }
      if (request.memberId !== "") {
        waiter.respond(refusedJoin("UNKNOWN_MEMBER_ID", request.memberId));
        return;
      }
    }
    const fault = this.#room.faultOf(entry?.group, request, this.count);
    if (fault !== null) {
      waiter.respond(refusedJoin(this.#refused(name, fault), request.memberId));
      return;
    }
    if (entry === undefined) {
      if (this.#consumerGroups?.find(name) !== undefined) this.#takeOver(name, this.#consumerGroups);
      entry = this.#add(name);
    }
    this.#perform(entry, entry.group.join(request, waiter, this.#parts.clock.steadyMs()));
  }

  /** The name of an empty group of another kind becomes that of a classic one. What the store refuses goes with what that one stores. */
  #takeOver(name: string, others: ConsumerGroups): void {
    this.#owed.owe(name, others.release(name));
    this.#owed.settle(name)?.catch((thrown: unknown) => {
      const { message } = toObeliskError(thrown);
      this.#parts.log.warn(
        "an empty group could not be removed, it goes when the next of its name is stored",
        {
          group: name,
          error: message,
        },
      );
    });
  }

  #refused(group: string, { error, detail, limit }: RoomFault): ErrorCode {
    this.#limitWarning.tell({ group, detail, limit });
    return error;
  }

  #newMemberId({ clientId, instanceId }: Pick<JoinRequest, "clientId" | "instanceId">): string {
    return `${instanceId ?? clientId}-${this.#parts.newId()}`;
  }

  #otherWithMembers(name: string): ConsumerGroups | null {
    const other = this.#consumerGroups?.find(name);
    return other === undefined || other.isEmpty ? null : this.#consumerGroups;
  }

  #add(name: string): Entry {
    const group = new ClassicGroup(name, this.#rules, this.#parts.clock.steadyMs());
    const entry: Entry = {
      group,
      timerAtMs: Number.POSITIVE_INFINITY,
      timer: null,
      memberCount: 0,
      bytes: 0,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  #restore(name: string, stored: StoredGroup): Entry {
    const entry = this.#add(name);
    this.#perform(entry, entry.group.restore(stored, this.#parts.clock.steadyMs()));
    return entry;
  }

  /** Does what the group wants, after each call to it. */
  #perform(entry: Entry, effects: readonly Effect[]): void {
    this.#room.count(entry);
    if (effects.length <= ANSWERED_AT_ONCE) for (const effect of effects) this.#do(entry, effect);
    else void this.#performInTurns(entry, effects);
    const { group } = entry;
    if (group.isEmpty && group.generationId === 0) this.#forget(entry);
    else this.#setTimer(entry);
  }

  /** What is to be stored goes to the store at once, in order; nobody of the others waits for it. */
  async #performInTurns(entry: Entry, effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) if (effect.kind === "store") this.#do(entry, effect);
    const share = new TurnShare(this.#parts.clock);
    for (const effect of effects) {
      if (share.isUsedUp) await share.rest();
      if (effect.kind !== "store") this.#do(entry, effect);
    }
  }

  #do(entry: Entry, effect: Effect): void {
    if (effect.kind === "join") effect.waiter.respond(effect.response);
    else if (effect.kind === "sync") effect.waiter.respond(effect.response);
    else void this.#store(entry, effect.ticket);
  }

  async #store(entry: Entry, ticket: StoreTicket): Promise<void> {
    const { group } = entry;
    const error = await this.#write(group, ticket);
    this.#perform(entry, group.stored(ticket, error, this.#parts.clock.steadyMs()));
  }

  async #write(group: ClassicGroup, ticket: StoreTicket): Promise<ErrorCode | null> {
    const { name } = group;
    const assignments = ticket.kind === "assignment" ? ticket.assignments : null;
    const fault = assignmentFault(group, assignments);
    if (fault !== null) return this.#refused(name, fault);
    try {
      await this.#owed.change(name, [{ key: groupKey(name), value: encodeGroup(group.image(assignments)) }]);
      return null;
    } catch (thrown) {
      const error = toObeliskError(thrown);
      this.#parts.log.warn("a group could not be stored, its members try again", {
        group: name,
        error: error.message,
      });
      return storeFault(error);
    }
  }

  #setTimer(entry: Entry): void {
    const { wakeAtMs } = entry.group;
    if (this.#isClosed || wakeAtMs >= entry.timerAtMs) return;
    entry.timer?.cancel();
    entry.timerAtMs = wakeAtMs;
    const delayMs = Math.min(Math.max(wakeAtMs - this.#parts.clock.steadyMs(), 0), TIMER_MS_MAX);
    entry.timer = this.#parts.clock.after(delayMs, () => {
      entry.timerAtMs = Number.POSITIVE_INFINITY;
      this.#perform(entry, entry.group.wake(this.#parts.clock.steadyMs()));
    });
  }

  /** The name is free. */
  #forget(entry: Entry): void {
    entry.timer?.cancel();
    entry.timerAtMs = Number.NEGATIVE_INFINITY;
    this.#room.remove(entry);
    if (this.#entries.get(entry.group.name) === entry) this.#entries.delete(entry.group.name);
  }

  async #removeEmpty(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    const work: Promise<unknown>[] = [this.#parts.offsets.removeGroup(name)];
    if (entry !== undefined) {
      entry.group.end("COORDINATOR_NOT_AVAILABLE");
      this.#forget(entry);
      this.#owed.add(name, [{ key: groupKey(name), value: null }]);
    } else if (this.#consumerGroups?.find(name) !== undefined)
      this.#owed.owe(name, this.#consumerGroups.release(name));
    const settled = this.#owed.settle(name);
    if (settled !== null) work.push(settled);
    await Promise.all(work);
  }
}

/** Version of OffsetCommit from which a group that is not there is told as such. */
const CONSUMER_VERSION = 9;

/** What clients take for a coordinator that they are to find again. */
function storeFault(error: ObeliskError): ErrorCode {
  if (error.code === "STATE_UNUSABLE") return "COORDINATOR_NOT_AVAILABLE";
  return isStorageError(error) ? "NOT_COORDINATOR" : error.code;
}
