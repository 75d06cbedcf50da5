/**
 * The consumers over HTTP: who has a lease, its heartbeats, and its end.
 *
 *     poll, commit --> find --> the member, its lease begun anew
 *     timer        --> heartbeats that are due; members whose lease has ended leave
 *
 * A member is known again after a restart of the server, because the group is: it goes on with the name that it had. A lease does not
 * end while a poll is under way.
 */

import type { Clock, Timer } from "../../base/clock.ts";
import { type ErrorCode, ObeliskError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { SECOND_MS } from "../../base/units.ts";
import type { HeartbeatGroups } from "../../consumer/heartbeat-groups/heartbeat-groups.ts";
import { HTTP_CLIENT_ID, LeasedMember, REVOCATION_SLACK_MS } from "./leased-member.ts";

/** Members that are kept alive from here: each is a heartbeat every few seconds, some 20 us. */
export const LEASED_MEMBERS_MAX = 2000;
/** How soon a member that waits for a partition hears of it, and a lease that has ended is seen. */
const TICK_MS = SECOND_MS;
/** What a group says of who is not in it any more. */
const GONE: readonly ErrorCode[] = [
  "UNKNOWN_MEMBER_ID",
  "FENCED_MEMBER_EPOCH",
  "GROUP_ID_NOT_FOUND",
  "STALE_MEMBER_EPOCH",
];

export interface LeasedMembersParts {
  readonly heartbeatGroups: HeartbeatGroups;
  readonly clock: Clock;
  readonly log: Log;
}

export class LeasedMembers {
  readonly #parts: LeasedMembersParts;
  /** By group and id. */
  readonly #members = new Map<string, LeasedMember>();
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(parts: LeasedMembersParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#members.size;
  }

  /** No heartbeat is sent any more. Members stay in their groups, and go on after a restart. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const member of this.#members.values()) member.poll?.abort(new ObeliskError("NOT_READY"));
  }

  /**
   * The member of this name, if it has a lease, or had one that its group remembers; its lease begins anew.
   * @throws ObeliskError UNKNOWN_MEMBER_ID when it is another client's
   */
  async find(group: string, id: string, leaseMs: number | null): Promise<LeasedMember | null> {
    const known = this.#members.get(keyOf(group, id));
    if (known !== undefined) {
      this.#prolong(known, leaseMs);
      return known;
    }
    const stored = this.#parts.heartbeatGroups.get(group)?.member(id);
    if (stored === undefined) return null;
    if (stored.clientId !== HTTP_CLIENT_ID)
      throw new ObeliskError("UNKNOWN_MEMBER_ID", { detail: `the member ${id} is not one over HTTP` });
    const { topicNames: topics, clientHost, rebalanceTimeoutMs } = stored;
    return await this.join({
      group,
      id,
      topics,
      leaseMs: leaseMs ?? rebalanceTimeoutMs - REVOCATION_SLACK_MS,
      clientHost,
    });
  }

  /** @throws ObeliskError as `HeartbeatGroups.heartbeat`, INCONSISTENT_GROUP_PROTOCOL, TOO_MANY_REQUESTS */
  async join(options: {
    group: string;
    id: string;
    topics: readonly string[];
    leaseMs: number;
    clientHost: string;
  }): Promise<LeasedMember> {
    if (this.#members.size >= LEASED_MEMBERS_MAX)
      throw new ObeliskError("TOO_MANY_REQUESTS", {
        detail: "there are too many consumers over HTTP",
        limit: LEASED_MEMBERS_MAX,
      });
    const member = new LeasedMember(this.#parts.heartbeatGroups, options);
    const key = keyOf(options.group, options.id);
    this.#members.set(key, member);
    this.#prolong(member, null);
    try {
      await member.beat(this.#nowMs);
    } catch (thrown) {
      this.#members.delete(key);
      throw refusedJoin(thrown);
    }
    this.#tickLater();
    return member;
  }

  /** @throws ObeliskError UNKNOWN_MEMBER_ID when the group has taken it for dead meanwhile */
  async beat(member: LeasedMember): Promise<void> {
    try {
      await member.beat(this.#nowMs);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      throw this.#forgetIfGone(member, thrown) ? leaseEnded(member.group, member.id) : thrown;
    }
  }

  /** Whether the group is not where the member was told it is, or the member not where it was told to be. */
  hasNews(member: LeasedMember): boolean {
    return member.isMoving || this.#parts.heartbeatGroups.get(member.group)?.epoch !== member.epoch;
  }

  /** Ends its lease; true when it had one. */
  async leave(group: string, id: string): Promise<boolean> {
    const member = await this.find(group, id, null);
    if (member === null) return false;
    this.#members.delete(keyOf(group, id));
    await member.leave();
    return true;
  }

  /** A poll or commit has ended: the lease begins now. */
  prolong(member: LeasedMember): void {
    this.#prolong(member, null);
  }

  get #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  #prolong(member: LeasedMember, leaseMs: number | null): void {
    if (leaseMs !== null) member.leaseMs = leaseMs;
    member.leaseEndsAtMs = this.#nowMs + member.leaseMs;
  }

  #tickLater(): void {
    if (this.#isClosed || this.#timer !== null || this.#members.size === 0) return;
    this.#timer = this.#parts.clock.after(TICK_MS, () => {
      loopTurns.enter("http");
      void this.#tick().finally(() => {
        this.#timer = null;
        this.#tickLater();
      });
    });
  }

  async #tick(): Promise<void> {
    const share = new TurnShare(this.#parts.clock);
    for (const member of [...this.#members.values()]) {
      if (share.isUsedUp) await share.rest();
      if (this.#isClosed) return;
      const nowMs = this.#nowMs;
      const hasEnded = member.poll === null && nowMs >= member.leaseEndsAtMs;
      if (hasEnded) void this.#end(member);
      else if (this.hasNews(member) || member.poll !== null || nowMs >= member.nextBeatAtMs)
        void this.#beatAlone(member);
    }
  }

  async #end(member: LeasedMember): Promise<void> {
    this.#members.delete(keyOf(member.group, member.id));
    this.#parts.log.debug("the lease of a consumer over HTTP has ended", {
      group: member.group,
      member: member.id,
    });
    try {
      await member.leave();
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown; // it is gone already, or will be taken for dead
    }
  }

  async #beatAlone(member: LeasedMember): Promise<void> {
    try {
      await member.beat(this.#nowMs);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      this.#forgetIfGone(member, thrown); // or the disk refuses, and the next one tries again
    }
  }

  #forgetIfGone(member: LeasedMember, { code }: ObeliskError): boolean {
    if (!GONE.includes(code)) return false;
    const key = keyOf(member.group, member.id);
    if (this.#members.get(key) === member) this.#members.delete(key);
    member.poll?.abort(leaseEnded(member.group, member.id));
    return true;
  }
}

export function leaseEnded(group: string, id: string): ObeliskError {
  return new ObeliskError("UNKNOWN_MEMBER_ID", {
    detail: `the group ${JSON.stringify(group)} has no member ${JSON.stringify(id)} with a lease`,
    remedy: "poll again; what was not committed comes again",
  });
}

/** Whoever joins may only find out that the group is of another kind. */
function refusedJoin(thrown: unknown): unknown {
  if (!(thrown instanceof ObeliskError) || thrown.code !== "GROUP_ID_NOT_FOUND") return thrown;
  return new ObeliskError(
    "INCONSISTENT_GROUP_PROTOCOL",
    {
      detail: "the members of the group assign among themselves in a way that this server cannot take over",
      remedy: "use another group, or come back when they have left",
    },
    thrown,
  );
}

function keyOf(group: string, id: string): string {
  return `${id.length}:${id}${group}`;
}
