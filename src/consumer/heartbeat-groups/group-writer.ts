/**
 * Makes what has changed in one group durable: one write at a time, and what changes meanwhile goes with the next. A thousand members that
 * join together so make few writes, and a heartbeat that changes nothing makes none. Many rows are encoded in slices of the loop's time.
 *
 * What the disk refuses counts as changed still, and goes with the next write, whoever causes it. So memory may be ahead of the store, and
 * no response goes out before the store has caught up: after a crash every member is where it was told to be, or is asked again.
 */

import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { StateChange, StateStore } from "../../storage/contract.ts";
import type { Partitions } from "./assignment.ts";
import type { ConsumerGroup } from "./group.ts";
import type { Member } from "./member.ts";
import { encodeGroup, encodeMember, groupKey, memberKey } from "./stored-group.ts";

/** Rows that are encoded in the turn that wants them stored: about 1 ms. */
const ROWS_AT_ONCE = 256;
const ROWS_PER_LOOK = 32;

/** A member as it was when its row was to be written, however long that takes; null: it is gone. */
interface MemberRow {
  readonly id: string;
  readonly member: Member | null;
  readonly target: Partitions;
}

export class GroupWriter {
  readonly #group: ConsumerGroup;
  readonly #state: StateStore;
  #isStored: boolean;
  #isRetired = false;
  /** What is to go with the next write, and before it. */
  #more: readonly StateChange[] = [];
  /** The write under way: it may yet be refused. */
  #written: { readonly memberIds: readonly string[]; readonly more: readonly StateChange[] } | null = null;
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(group: ConsumerGroup, state: StateStore, isStored: boolean) {
    this.#group = group;
    this.#state = state;
    this.#isStored = isStored;
  }

  /** Resolves when all that has changed up to this call is durable; null when it is already. @throws ObeliskError of the store */
  flush(): Promise<void> | null {
    if (this.#writing === null) return this.#write();
    this.#next ??= this.#writing.then(ignore, ignore).then(() => {
      this.#next = null;
      return this.#write() ?? undefined;
    });
    return this.#next;
  }

  /** What belongs to the next write: all of it or nothing. `flush` is to follow. */
  add(changes: readonly StateChange[]): void {
    this.#more = [...this.#more, ...changes];
  }

  /**
   * Nothing is written from now on. What is returned takes away every row that the store may have of the group, whatever becomes of the
   * write under way: those of members that were removed too, and were not forgotten durably.
   */
  retire(): StateChange[] {
    this.#isRetired = true;
    const { id, members } = this.#group;
    const memberIds = new Set(this.#group.takeChanges().members.keys());
    for (const memberId of this.#written?.memberIds ?? []) memberIds.add(memberId);
    for (const member of members) memberIds.add(member.id);
    return [
      ...(this.#written?.more ?? []),
      ...this.#more,
      { key: groupKey(id), value: null },
      ...Array.from(memberIds, (memberId) => ({ key: memberKey(id, memberId), value: null })),
    ];
  }

  #write(): Promise<void> | null {
    if (this.#isRetired) throw removed();
    const group = this.#group;
    const { isGroupChanged, members } = group.takeChanges();
    const more = this.#more;
    this.#more = [];
    const changes: StateChange[] = [...more];
    if (isGroupChanged || !this.#isStored) {
      const { epoch, assignmentEpoch, subscriptions } = group;
      const regexes = subscriptions.resolvedRegexes();
      const value = encodeGroup({ epoch, assignmentEpoch, regexes, topics: subscriptions.knownTopics });
      changes.push({ key: groupKey(group.id), value });
    }
    const rows = Array.from(members, ([id, member]) => ({ id, member, target: group.target(id) }));
    if (changes.length + rows.length === 0) return null;
    this.#written = { memberIds: [...members.keys()], more };
    this.#writing = this.#store(changes, rows, this.#written);
    return this.#writing;
  }

  async #encodeInTurns(changes: StateChange[], rows: readonly MemberRow[]): Promise<void> {
    const share = new TurnShare();
    await share.rest();
    for (const [index, row] of rows.entries()) {
      changes.push(this.#encode(row));
      if (index % ROWS_PER_LOOK === 0 && share.isUsedUp) await share.rest();
    }
  }

  #encode({ id, member, target }: MemberRow): StateChange {
    return {
      key: memberKey(this.#group.id, id),
      value: member === null ? null : encodeMember(member, target),
    };
  }

  /** `changes` and what the rows are, in one change. */
  async #store(
    changes: StateChange[],
    rows: readonly MemberRow[],
    { memberIds, more }: { readonly memberIds: readonly string[]; readonly more: readonly StateChange[] },
  ): Promise<void> {
    try {
      if (rows.length <= ROWS_AT_ONCE) for (const row of rows) changes.push(this.#encode(row));
      else await this.#encodeInTurns(changes, rows);
      if (this.#isRetired) throw removed();
      await this.#state.change(changes);
      this.#isStored = true;
    } catch (thrown) {
      this.#group.markChanged(memberIds);
      this.#more = [...more, ...this.#more];
      throw thrown;
    } finally {
      this.#writing = null;
      this.#written = null;
    }
  }
}

function removed(): ObeliskError {
  return new ObeliskError("COORDINATOR_NOT_AVAILABLE", { detail: "the group was removed meanwhile" });
}

function ignore(): void {}
