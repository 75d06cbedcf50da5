/**
 * What the members of a group are subscribed to: topic names, regular expressions and what these match, and the topics behind them as the
 * group's epoch has taken them into account.
 *
 * A regular expression matches nothing until it has been resolved; that is done outside (regex-resolver.ts), because it looks at every topic.
 */

import type { Member } from "./member.ts";
import type { TopicView } from "./topic-view.ts";

interface Regex {
  members: number;
  /** Sorted; null: not resolved yet. */
  topicNames: readonly string[] | null;
}

interface KnownTopic {
  readonly id: string;
  readonly partitions: number;
}

export class Subscriptions {
  /** UTF-8 bytes of what the members say, each for itself. */
  textBytes = 0;
  readonly #names = new Map<string, number>();
  readonly #regexes = new Map<string, Regex>();
  #known: ReadonlyMap<string, KnownTopic> = new Map();
  /** The view's version at the last look; -1: there must be another one. */
  #seenVersion = -1;
  /** The view's version when the regular expressions were resolved, and when that was. */
  #resolvedVersion = -1;
  #resolvedAtMs = Number.NEGATIVE_INFINITY;
  #hasChanged = false;
  /** The lists of names that members have, by content: those with equal ones share the array (`shared`). */
  readonly #lists = new Map<string, { readonly names: readonly string[]; members: number }>();
  /** Topic ids by list of names and regular expression. Valid for one version of the view. */
  readonly #idLists = new Map<readonly string[], Map<string, readonly string[]>>();
  #idListsVersion = -1;

  restore(regexes: ReadonlyMap<string, readonly string[]>, topics: ReadonlyMap<string, KnownTopic>): void {
    for (const [text, topicNames] of regexes) {
      const regex = this.#regexes.get(text);
      if (regex !== undefined) regex.topicNames = topicNames;
    }
    this.#known = topics;
  }

  /** The array for these names that a member is to have: equal ones are one, so that what follows from them is found by identity. */
  shared(names: readonly string[]): readonly string[] {
    return this.#lists.get(names.join("\n"))?.names ?? names;
  }

  /** Counts a member that was not there, is another one now, or is gone. */
  replace(before: Member | undefined, after: Member | undefined): void {
    if (before?.topicNames !== after?.topicNames || before?.topicRegex !== after?.topicRegex)
      this.textBytes += textBytesOf(after) - textBytesOf(before);
    if (before?.topicNames !== after?.topicNames) {
      for (const name of before?.topicNames ?? []) this.#leave(name);
      for (const name of after?.topicNames ?? []) this.#names.set(name, (this.#names.get(name) ?? 0) + 1);
      if (before !== undefined) this.#leaveList(before.topicNames);
      if (after !== undefined) this.#joinList(after.topicNames);
      this.#seenVersion = -1;
    }
    if ((before?.topicRegex ?? "") === (after?.topicRegex ?? "")) return;
    if (before !== undefined && before.topicRegex !== "") this.#leaveRegex(before.topicRegex);
    if (after !== undefined && after.topicRegex !== "") this.#joinRegex(after.topicRegex);
    this.#seenVersion = -1;
  }

  hasRegex(text: string): boolean {
    return this.#regexes.has(text);
  }

  isResolved(text: string): boolean {
    return (this.#regexes.get(text)?.topicNames ?? null) !== null;
  }

  get regexCount(): number {
    return this.#regexes.size;
  }

  regexTexts(): string[] {
    return [...this.#regexes.keys()];
  }

  /** What each has matched; those that are not resolved are not in it. */
  resolvedRegexes(): Map<string, readonly string[]> {
    const resolved = new Map<string, readonly string[]>();
    for (const [text, { topicNames }] of this.#regexes)
      if (topicNames !== null) resolved.set(text, topicNames);
    return resolved;
  }

  get knownTopics(): ReadonlyMap<string, KnownTopic> {
    return this.#known;
  }

  /** Whether they are to be resolved: one never was, or topics came or went; and not again within `intervalMs`. */
  needsResolving(version: number, nowMs: number, intervalMs: number): boolean {
    if (this.#regexes.size === 0 || nowMs < this.#resolvedAtMs + intervalMs) return false;
    if (this.#resolvedVersion !== version) return true;
    for (const { topicNames } of this.#regexes.values()) if (topicNames === null) return true;
    return false;
  }

  /** Takes over what was found at a version of the view; whether any of it is new. */
  resolved(found: ReadonlyMap<string, readonly string[]>, version: number, nowMs: number): boolean {
    this.#resolvedVersion = version;
    this.#resolvedAtMs = nowMs;
    let isNew = false;
    for (const [text, topicNames] of found) {
      const regex = this.#regexes.get(text);
      if (regex === undefined) continue; // nobody is subscribed to it any more
      const before = regex.topicNames;
      if (before !== null && isSameList(before, topicNames)) continue;
      regex.topicNames = topicNames;
      isNew = true;
      this.#hasChanged = true;
      this.#seenVersion = -1;
      this.#idListsVersion = -1;
    }
    return isNew;
  }

  /** Whether the subscribed topics are others than the group knows, or have other partitions; they are known then. */
  lookAt(view: TopicView): boolean {
    if (this.#seenVersion === view.version) return false;
    this.#seenVersion = view.version;
    const found = new Map<string, KnownTopic>();
    for (const name of this.#subscribedNames()) {
      const topic = view.get(name);
      if (topic !== undefined) found.set(name, { id: topic.id, partitions: topic.partitions });
    }
    if (isSameTopics(this.#known, found)) return false;
    this.#known = found;
    this.#hasChanged = true;
    return true;
  }

  /** Ids of the topics that a member is subscribed to, as far as they are there; the same array for equal subscriptions. */
  topicIdsOf(member: Member, view: TopicView): readonly string[] {
    if (this.#idListsVersion !== view.version) {
      this.#idLists.clear();
      this.#idListsVersion = view.version;
    }
    let byRegex = this.#idLists.get(member.topicNames);
    if (byRegex === undefined) {
      byRegex = new Map();
      this.#idLists.set(member.topicNames, byRegex);
    }
    const known = byRegex.get(member.topicRegex);
    if (known !== undefined) return known;
    const names = new Set(member.topicNames);
    for (const name of this.#regexes.get(member.topicRegex)?.topicNames ?? []) names.add(name);
    const ids: string[] = [];
    for (const name of [...names].sort()) {
      const topic = view.get(name);
      if (topic !== undefined) ids.push(topic.id);
    }
    byRegex.set(member.topicRegex, ids);
    return ids;
  }

  /** By topic id. */
  partitionCounts(view: TopicView): Map<string, number> {
    const counts = new Map<string, number>();
    for (const name of this.#subscribedNames()) {
      const topic = view.get(name);
      if (topic !== undefined) counts.set(topic.id, topic.partitions);
    }
    return counts;
  }

  /** Whether something has changed that is stored with the group. */
  takeChange(): boolean {
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  /** Whether some member is subscribed to the topic, by its name or by an expression. */
  includes(name: string): boolean {
    if (this.#names.has(name)) return true;
    for (const { topicNames } of this.#regexes.values()) if (topicNames?.includes(name)) return true;
    return false;
  }

  *#subscribedNames(): Generator<string> {
    yield* this.#names.keys();
    for (const { topicNames } of this.#regexes.values()) yield* topicNames ?? [];
  }

  #leave(name: string): void {
    const left = (this.#names.get(name) ?? 0) - 1;
    if (left > 0) this.#names.set(name, left);
    else this.#names.delete(name);
  }

  #joinList(names: readonly string[]): void {
    const key = names.join("\n");
    const known = this.#lists.get(key);
    if (known === undefined) this.#lists.set(key, { names, members: 1 });
    else known.members += 1;
  }

  #leaveList(names: readonly string[]): void {
    const key = names.join("\n");
    const list = this.#lists.get(key);
    if (list === undefined) return;
    list.members -= 1;
    if (list.members > 0) return;
    this.#lists.delete(key);
    this.#idLists.delete(list.names);
  }

  #joinRegex(text: string): void {
    const known = this.#regexes.get(text);
    if (known === undefined) this.#regexes.set(text, { members: 1, topicNames: null });
    else known.members += 1;
  }

  #leaveRegex(text: string): void {
    const regex = this.#regexes.get(text);
    if (regex === undefined) return;
    regex.members -= 1;
    if (regex.members > 0) return;
    this.#regexes.delete(text);
    for (const byRegex of this.#idLists.values()) byRegex.delete(text);
    this.#hasChanged = true;
  }
}

function textBytesOf(member: Member | undefined): number {
  if (member === undefined) return 0;
  let bytes = Buffer.byteLength(member.topicRegex);
  for (const name of member.topicNames) bytes += Buffer.byteLength(name);
  return bytes;
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, index) => name === right[index]);
}

function isSameTopics(
  left: ReadonlyMap<string, KnownTopic>,
  right: ReadonlyMap<string, KnownTopic>,
): boolean {
  if (left.size !== right.size) return false;
  for (const [name, { id, partitions }] of right) {
    const known = left.get(name);
    if (known?.id !== id || known.partitions !== partitions) return false;
  }
  return true;
}
