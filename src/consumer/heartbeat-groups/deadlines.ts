/**
 * Until when the members of one group have to do what: be heard of, give up what they were told to, and (members of the classic protocol)
 * join again and ask for their assignment. Who is late is removed from the group.
 */

export type DeadlineKind = "session" | "revocation" | "join" | "sync";

interface Deadline {
  readonly atMs: number;
  /** The member epoch at which it counts; -1: at any. */
  readonly epoch: number;
}

export interface DueMember {
  readonly memberId: string;
  readonly kind: DeadlineKind;
  readonly epoch: number;
}

export class Deadlines {
  readonly #byMember = new Map<string, Map<DeadlineKind, Deadline>>();
  /** No deadline is before this; it may be that the first one is later. */
  earliestAtMs = Number.POSITIVE_INFINITY;

  /** Replaces a deadline of the same kind. */
  set(memberId: string, kind: DeadlineKind, atMs: number, epoch = -1): void {
    let own = this.#byMember.get(memberId);
    if (own === undefined) {
      own = new Map();
      this.#byMember.set(memberId, own);
    }
    own.set(kind, { atMs, epoch });
    this.earliestAtMs = Math.min(this.earliestAtMs, atMs);
  }

  has(memberId: string, kind: DeadlineKind): boolean {
    return this.#byMember.get(memberId)?.has(kind) === true;
  }

  clear(memberId: string, kind: DeadlineKind): void {
    this.#byMember.get(memberId)?.delete(kind);
  }

  /** The member is gone. */
  drop(memberId: string): void {
    this.#byMember.delete(memberId);
  }

  /** Deadlines that have passed. They are not there any more. O(members) */
  takeDue(nowMs: number): DueMember[] {
    if (nowMs < this.earliestAtMs) return [];
    const due: DueMember[] = [];
    let earliestAtMs = Number.POSITIVE_INFINITY;
    for (const [memberId, own] of this.#byMember) {
      for (const [kind, { atMs, epoch }] of own) {
        if (atMs <= nowMs) {
          own.delete(kind);
          due.push({ memberId, kind, epoch });
        } else earliestAtMs = Math.min(earliestAtMs, atMs);
      }
    }
    this.earliestAtMs = earliestAtMs;
    return due;
  }
}
