/**
 * What members of a classic group ask, what they are told, and what the state machine wants done (`Effect`). Plain data: the
 * machine (group.ts) neither sends nor stores.
 *
 * A waiter is who waits for a response. The machine only keeps it, hands it back in exactly one effect, and never calls it.
 */

import type { ErrorCode } from "../base/errors.ts";

export interface Waiter<Response> {
  respond(response: Response): void;
}

/** One way to assign that a member knows, by name, and what it tells the leader for it. */
export interface GroupProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

export interface JoinRequest {
  /** Empty: a new member. */
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  /** In the member's order of preference. Kept: they must not be views of a frame. */
  readonly protocols: readonly GroupProtocol[];
  /** The id that a new member is given. */
  readonly newMemberId: string;
  /** Whether a new member has to join a second time, with its id (version 4 on). */
  readonly isTwoStep: boolean;
  /** Whether a leader can be told that the assignment stands (version 9 on). */
  readonly canSkipAssignment: boolean;
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

export interface JoinResponse {
  readonly error: ErrorCode | null;
  readonly memberId: string;
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly JoinedMember[];
}

export interface SyncRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generationId: number;
  /** Null: the member does not say. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Kept: no views of a frame. */
  readonly assignments: ReadonlyMap<string, Buffer>;
}

export interface SyncResponse {
  readonly error: ErrorCode | null;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Buffer;
}

export interface LeavingMember {
  /** Empty: the member that has the instance id. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface LeftMember extends LeavingMember {
  readonly error: ErrorCode | null;
}

/** Who commits offsets: generation -1 and no member id is somebody without membership. */
export interface Committer {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generationId: number;
  /** Of the request. */
  readonly version: number;
}

/** Somebody without membership, who may commit as long as the group has no members. */
export const NO_MEMBER: Committer = { memberId: "", instanceId: null, generationId: -1, version: 9 };

export type JoinWaiter = Waiter<JoinResponse>;
export type SyncWaiter = Waiter<SyncResponse>;

/** What is to be done when a store has ended; the machine made it, and `ClassicGroup.stored` takes it back. */
export type StoreTicket =
  | {
      readonly kind: "assignment";
      readonly generationId: number;
      readonly assignments: ReadonlyMap<string, Buffer>;
    }
  | { readonly kind: "replacement"; readonly replacement: Replacement }
  | { readonly kind: "empty" };

/** A static member that took the place of the one with its instance id. */
export interface Replacement {
  readonly instanceId: string;
  readonly oldMemberId: string;
  readonly newMemberId: string;
  readonly oldProtocols: readonly GroupProtocol[];
  readonly oldSessionTimeoutMs: number;
  readonly oldRebalanceTimeoutMs: number;
  readonly oldLeader: string;
  readonly waiter: JoinWaiter;
  readonly canSkipAssignment: boolean;
}

export type Effect =
  | { readonly kind: "join"; readonly waiter: JoinWaiter; readonly response: JoinResponse }
  | { readonly kind: "sync"; readonly waiter: SyncWaiter; readonly response: SyncResponse }
  | { readonly kind: "store"; readonly ticket: StoreTicket };

export const NO_BYTES: Buffer = Buffer.alloc(0);

export function refusedJoin(error: ErrorCode, memberId: string): JoinResponse {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: "",
    skipAssignment: false,
    members: [],
  };
}

export function refusedSync(error: ErrorCode): SyncResponse {
  return { error, protocolType: null, protocolName: null, assignment: NO_BYTES };
}
