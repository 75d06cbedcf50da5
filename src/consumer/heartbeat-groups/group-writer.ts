/**
 * Makes what has changed in one group durable: one write at a time, and what changes meanwhile goes with the next. A thousand members that
 * join together so make few writes, and a heartbeat that changes nothing makes none.
 *
 * What the disk refuses counts as changed still, and goes with the next write, whoever causes it. So memory may be ahead of the store, and
 * no response goes out before the store has caught up: after a crash every member is where it was told to be, or is asked again.
 */

import { ObeliskError } from "../../base/errors.ts";
import type { StateChange, StateStore } from "../../storage/contract.ts";
import type { ConsumerGroup } from "./group.ts";
import { encodeGroup, encodeMember, groupKey, memberKey } from "./stored-group.ts";

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
    if (this.#isRetired)
      throw new ObeliskError("COORDINATOR_NOT_AVAILABLE", { detail: "the group was removed meanwhile" });
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
    for (const [id, member] of members) {
      const value = member === null ? null : encodeMember(member, group.target(id));
      changes.push({ key: memberKey(group.id, id), value });
    }
    if (changes.length === 0) return null;
    this.#written = { memberIds: [...members.keys()], more };
    this.#writing = this.#store(changes, this.#written);
    return this.#writing;
  }

  async #store(
    changes: readonly StateChange[],
    { memberIds, more }: { readonly memberIds: readonly string[]; readonly more: readonly StateChange[] },
  ): Promise<void> {
    try {
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

function ignore(): void {}
