/**
 * The room that classic groups may take: how many they are, their members, and what those bring. What would go beyond a limit is refused
 * before it is kept; what is stored already is always loaded.
 */

import type { ErrorCode } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import type { ClassicGroup } from "./group.ts";
import { bytesOfRequest } from "./group-members.ts";
import type { JoinRequest } from "./group-requests.ts";

/** Groups that have members, or had: one takes some 2 KiB. Groups with offsets alone are not among them. */
export const GROUPS_MAX = 100_000;
/** Members of all groups together: one takes some KiB, as its metadata is. */
export const GROUP_MEMBERS_MAX = 100_000;
/** What members of one group bring, and their assignments: it is stored in one piece, some 20 ms of a thread for so much. */
export const GROUP_BYTES_MAX: number = 8 * MiB;
/** The same of all groups together. */
export const GROUPS_BYTES_MAX: number = 128 * MiB;

/** What a group was counted with. */
export interface CountedGroup {
  readonly group: ClassicGroup;
  memberCount: number;
  bytes: number;
}

/** Why there is no room. */
export interface RoomFault {
  readonly error: ErrorCode;
  readonly detail: string;
  readonly limit: number;
}

export class GroupRoom {
  memberCount = 0;
  /** What members bring, and their assignments. */
  bytes = 0;

  /** Brings the sums up to date after a change of the group. */
  count(counted: CountedGroup): void {
    const { count, bytes } = counted.group.members;
    this.memberCount += count - counted.memberCount;
    this.bytes += bytes - counted.bytes;
    counted.memberCount = count;
    counted.bytes = bytes;
  }

  /** The group is none any more. */
  remove(counted: CountedGroup): void {
    this.memberCount -= counted.memberCount;
    this.bytes -= counted.bytes;
    counted.memberCount = 0;
    counted.bytes = 0;
  }

  /** Why there is none for who joins; `groupCount`: of groups that there are. */
  faultOf(group: ClassicGroup | undefined, request: JoinRequest, groupCount: number): RoomFault | null {
    const bytes = bytesOfRequest(request);
    if ((group?.members.bytes ?? 0) + bytes > GROUP_BYTES_MAX)
      return {
        error: "GROUP_MAX_SIZE_REACHED",
        detail: "the group's metadata takes too many bytes",
        limit: GROUP_BYTES_MAX,
      };
    if (this.bytes + bytes > GROUPS_BYTES_MAX)
      return refused("the metadata of all groups takes too many bytes", GROUPS_BYTES_MAX);
    if (group === undefined && groupCount >= GROUPS_MAX)
      return refused("there are too many groups", GROUPS_MAX);
    if (group?.members.get(request.memberId) === undefined && this.memberCount >= GROUP_MEMBERS_MAX)
      return refused("all groups together have too many members", GROUP_MEMBERS_MAX);
    return null;
  }
}

/** Why the assignments of a group cannot be stored; null: they can. */
export function assignmentFault(
  group: ClassicGroup,
  assignments: ReadonlyMap<string, Buffer> | null,
): RoomFault | null {
  let bytes = group.members.bytes;
  for (const assignment of assignments?.values() ?? []) bytes += assignment.length;
  if (bytes <= 2 * GROUP_BYTES_MAX) return null;
  const detail = "the assignments of the group take too many bytes";
  return { error: "UNKNOWN_SERVER_ERROR", detail, limit: GROUP_BYTES_MAX };
}

function refused(detail: string, limit: number): RoomFault {
  return { error: "POLICY_VIOLATION", detail, limit };
}
