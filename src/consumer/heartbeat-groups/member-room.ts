/**
 * The room that members of all groups of the consumer protocol may take together: how many they are, and what they say of themselves. Who
 * joins beyond a limit is refused; who is a member already goes on.
 */

import { ObeliskError } from "../../base/errors.ts";
import { KiB, MiB } from "../../base/units.ts";
import { GROUP_NAME_BYTES_MAX } from "../commit-room.ts";
import type { ConsumerGroup } from "./group.ts";
import type { HeartbeatRequest, Peer } from "./heartbeat.ts";

/** Members of all groups together: one with a few partitions takes some 3 KiB. */
export const CONSUMER_MEMBERS_MAX = 100_000;
/** Text that one member may bring: its subscription above all. 1,000 topics with names of 60 bytes. */
export const MEMBER_TEXT_BYTES_MAX: number = 64 * KiB;
/** The same of all members together. */
export const MEMBERS_TEXT_BYTES_MAX: number = 64 * MiB;
/** Ids that a client makes up are keys in memory and in the store; real ones are below a hundred. */
export const MEMBER_NAME_BYTES_MAX: number = 1 * KiB;

export class MemberRoom {
  memberCount = 0;
  #textBytes = 0;

  /** All members of a group that there was none of before. */
  add({ memberCount, subscriptions }: ConsumerGroup): void {
    this.memberCount += memberCount;
    this.#textBytes += subscriptions.textBytes;
  }

  /** The group is none any more. */
  remove({ memberCount, subscriptions }: ConsumerGroup): void {
    this.memberCount -= memberCount;
    this.#textBytes -= subscriptions.textBytes;
  }

  /** Keeps the sums right over something that changes a group. */
  counting<T>(group: ConsumerGroup, change: () => T): T {
    this.remove(group);
    try {
      return change();
    } finally {
      this.add(group);
    }
  }

  /** Whether there is room for the member and what it says. @throws ObeliskError GROUP_MAX_SIZE_REACHED, INVALID_REQUEST */
  check(group: ConsumerGroup, memberId: string, { subscribedTopicNames: names }: HeartbeatRequest): void {
    if (group.member(memberId) === undefined && this.memberCount >= CONSUMER_MEMBERS_MAX)
      throw new ObeliskError("GROUP_MAX_SIZE_REACHED", {
        detail: "all consumer groups together have too many members",
        limit: CONSUMER_MEMBERS_MAX,
      });
    if (names === null) return;
    let bytes = 0;
    for (const name of names) bytes += Buffer.byteLength(name);
    if (bytes > MEMBER_TEXT_BYTES_MAX)
      throw new ObeliskError("INVALID_REQUEST", {
        detail: "a member is subscribed to too many topics: use a regular expression",
        bytes,
        limit: MEMBER_TEXT_BYTES_MAX,
      });
    if (bytes > MEMBERS_TEXT_BYTES_MAX - this.#textBytes)
      throw new ObeliskError("GROUP_MAX_SIZE_REACHED", {
        detail: "the subscriptions of all members take too many bytes",
        limit: MEMBERS_TEXT_BYTES_MAX,
      });
  }
}

/** @throws ObeliskError INVALID_GROUP_ID, INVALID_REQUEST */
export function checkNames(
  { groupId, memberId, instanceId, rackId }: HeartbeatRequest,
  { clientId }: Peer,
): void {
  if (Buffer.byteLength(groupId) > GROUP_NAME_BYTES_MAX)
    throw new ObeliskError("INVALID_GROUP_ID", { limit: GROUP_NAME_BYTES_MAX });
  for (const name of [memberId, instanceId ?? "", rackId ?? "", clientId]) {
    if (Buffer.byteLength(name) > MEMBER_NAME_BYTES_MAX)
      throw new ObeliskError("INVALID_REQUEST", {
        detail: "an id of the member is too long",
        limit: MEMBER_NAME_BYTES_MAX,
      });
  }
}
