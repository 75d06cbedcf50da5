/**
 * `obelisk consume --group`: reading as a member of the group. The group says which partitions, and when they change:
 *
 *   joined ──read, print, commit──> rebalance: commit, give all up ──> join again ──> other partitions ──> ...
 *
 *   - Each change is a line on standard error; in mode poll only those after the first.
 *   - What was printed is committed before the partitions are given up. When the group has gone on without us that is too late:
 *     whoever reads those partitions now prints some records again, and a line says so.
 *   - `--from` holds for partitions that this process has not had before; the others go on where the group has committed.
 *   - A broker without group membership is read as by a group without members, in which nobody else may be.
 */

import { ObeliskError } from "../src/base/errors.ts";
import type { Consumer } from "../src/client/consumer.ts";
import type { GroupMember } from "../src/client/group/group-member.ts";
import { groupByTopic, type TopicPartition } from "../src/protocol/group/consumer-protocol.ts";
import type { ConsumeOptions } from "./consume-options.ts";
import { note } from "./output.ts";

/** What a join brought. */
export interface Joined {
  readonly partitions: readonly TopicPartition[];
  /** The first ones of this process. */
  readonly isFirst: boolean;
}

export class Membership {
  readonly #consumer: Consumer;
  readonly #member: GroupMember;
  readonly #options: ConsumeOptions;
  readonly #had = new Set<string>();
  #joins = 0;

  private constructor(consumer: Consumer, member: GroupMember, options: ConsumeOptions) {
    this.#consumer = consumer;
    this.#member = member;
    this.#options = options;
  }

  /** Undefined: the broker has no group membership. @throws ObeliskError when --instance needs it */
  static async of(consumer: Consumer, options: ConsumeOptions): Promise<Membership | undefined> {
    const member = consumer.member(options.topics, options.instance);
    if (await member.isSupported()) return new Membership(consumer, member, options);
    consumer.forgetMember();
    if (options.instance !== undefined) {
      throw new ObeliskError("UNSUPPORTED_VERSION", {
        detail: "the broker has no group membership (JoinGroup)",
        remedy: "leave out --instance",
      });
    }
    if (options.mode === "continuous") {
      note(
        `obelisk: the broker has no group membership: reading all partitions, and committing for the group ${options.group} as for one without members`,
      );
    }
    return undefined;
  }

  get mustJoin(): boolean {
    return this.#member.mustJoin;
  }

  /** A commit was refused because the group has gone on without us. */
  lose(): void {
    this.#member.lose();
    note(
      `obelisk: group ${this.#options.group}: it has gone on before the last records were committed; they are printed again by whoever reads them now`,
    );
  }

  /** Joins, and assigns what the group gives. Undefined: interrupted. */
  async join(signal: AbortSignal): Promise<Joined | undefined> {
    const { group, mode, from } = this.#options;
    if (this.#joins > 0) note(`obelisk: group ${group}: rebalancing`);
    await this.#consumer.assign([]);
    const given = await unlessAborted(this.#member.join(), signal);
    if (given === undefined) return undefined;
    const { partitions, memberId, generation } = given;
    await this.#consumer.assign(partitions, "committed");
    const fresh = partitions.filter(({ topic, partition }) => !this.#had.has(`${topic}/${partition}`));
    if (from !== "committed" && fresh.length > 0) {
      const places = await this.#consumer.placesOf(fresh, from);
      for (const [index, { topic, partition }] of fresh.entries())
        this.#consumer.seek(topic, partition, places[index]!);
    }
    for (const { topic, partition } of fresh) this.#had.add(`${topic}/${partition}`);
    this.#joins += 1;
    if (mode === "continuous" || this.#joins > 1) {
      const who = this.#joins === 1 ? ` as ${memberId}` : "";
      note(`obelisk: group ${group}: generation ${generation}${who}, reading ${partitionWords(partitions)}`);
    }
    return { partitions, isFirst: this.#joins === 1 };
  }

  /** Best effort: where the broker is gone, the session times out. */
  async leave(): Promise<void> {
    try {
      await this.#member.leave();
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      note(`obelisk: group ${this.#options.group}: could not leave: ${thrown.message}`);
    }
  }
}

/** `orders 0-2 5, payments 1`; `no partition` when there is none. */
export function partitionWords(partitions: readonly TopicPartition[]): string {
  if (partitions.length === 0) return "no partition: other members read them all";
  return groupByTopic(partitions)
    .map(([topic, entries]) => `${topic} ${rangesOf(entries.map(({ partition }) => partition)).join(" ")}`)
    .join(", ");
}

function rangesOf(numbers: readonly number[]): string[] {
  const ranges: { from: number; to: number }[] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.to + 1 === number) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
}

async function unlessAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = () => resolve(undefined);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    const result = await Promise.race([work, promise]);
    if (result === undefined) work.catch(() => {}); // Nobody waits for it any more.
    return result;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
