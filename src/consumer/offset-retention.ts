/**
 * Removes committed offsets that nobody uses any more, and groups that have nothing left, as Kafka does:
 *
 *     group                                      an offset is unused since
 *     empty, had members                         the group became empty
 *     never had members                          it was committed
 *     stable consumers, not subscribed to it     it was committed
 *     anything else                              it is in use
 *
 * An offset that is unused for the retention goes. An empty group goes with its last offset, or when it has none. All groups are looked
 * at from time to time, in slices of the loop's time; a group that changes meanwhile is asked again for each offset.
 *
 * What the store refuses to remove stays until the next time.
 */

import type { Clock, Timer } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { TurnShare } from "../base/loop/turn-share.ts";
import { MINUTE_MS } from "../base/units.ts";
import type { GroupView } from "./group-kinds.ts";
import type { Groups } from "./groups.ts";
import type { GroupOffsets } from "./offsets.ts";

/** As Kafka's offsets.retention.check.interval.ms: an offset may stay so much longer. */
export const RETENTION_CHECK_MS: number = 10 * MINUTE_MS;

export interface OffsetRetentionParts {
  readonly groups: Groups;
  readonly offsets: GroupOffsets;
  readonly clock: Clock;
  readonly log: Log;
}

export class OffsetRetention {
  readonly #parts: OffsetRetentionParts;
  readonly #retentionMs: number;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(retentionMs: number, parts: OffsetRetentionParts) {
    this.#parts = parts;
    this.#retentionMs = retentionMs;
  }

  start(): void {
    this.#timer = this.#parts.clock.after(RETENTION_CHECK_MS, () => void this.#checkAgain());
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  /** Looks at all groups once. */
  async check(): Promise<void> {
    const { groups, clock, log } = this.#parts;
    const share = new TurnShare(clock);
    await share.rest();
    for (const name of groups.names()) {
      if (this.#isClosed) return;
      if (share.isUsedUp) await share.rest();
      try {
        await this.#checkGroup(name, share);
      } catch (thrown) {
        if (!(thrown instanceof ObeliskError)) throw thrown;
        log.warn("offsets that nobody uses could not be removed, they stay", {
          group: name,
          error: thrown.message,
        });
        return;
      }
    }
  }

  async #checkAgain(): Promise<void> {
    await this.check();
    if (!this.#isClosed) this.start();
  }

  async #checkGroup(name: string, share: TurnShare): Promise<void> {
    const { groups, offsets } = this.#parts;
    if (groups.find(name) === undefined) return;
    if (await this.#hasUnused(name, share)) {
      await offsets.removeWhere(name, (topic, _partition, committedAtMs) =>
        this.#isUnused(groups.find(name), topic, committedAtMs),
      );
    }
    if (!offsets.has(name) && groups.find(name)?.isEmpty === true) await groups.remove(name);
  }

  /** Whether there is anything to remove: the removal itself makes commits wait. */
  async #hasUnused(name: string, share: TurnShare): Promise<boolean> {
    const { groups, offsets } = this.#parts;
    const listing = await offsets.listing(name);
    for (let next = listing.next(); next !== null; next = listing.next()) {
      if (share.isUsedUp) await share.rest();
      const group = groups.find(name);
      const { topic, partitions } = next;
      if (partitions.some(({ committed }) => this.#isUnused(group, topic, committed.committedAtMs)))
        return true;
    }
    return false;
  }

  #isUnused(group: GroupView | undefined, topic: string, committedAtMs: number): boolean {
    if (group === undefined || group.isSubscribedTo(topic)) return false;
    const sinceMs = group.unusedSinceMs(committedAtMs);
    return sinceMs !== null && this.#parts.clock.steadyMs() - sinceMs >= this.#retentionMs;
  }
}
