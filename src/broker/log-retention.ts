/**
 * What one log keeps by its topic's rules, and when its segments roll for it.
 *
 *   retention.ms      a segment leaves when its largest timestamp is older; timestamps are those of the records, as in Kafka
 *   retention.bytes   the oldest segment leaves as long as what remains is still the bound or more
 *   DeleteRecords     what lies wholly below the log start leaves
 *
 *     [ sealed ][ sealed ][ sealed ][ active ]
 *       -> leave from here               -> rolled first, when it is to leave too
 *
 *   - Only whole segments leave, so the segment's size decides how far a log outgrows its bound: a twelfth of it at most, and it is rolled
 *     after a twelfth of the time, also when nobody writes. Kafka does neither, and keeps a segment more.
 *   - A segment without timestamps leaves with the next one that has some.
 *   - Only what is committed leaves.
 *   - `isDue` is a few comparisons where nothing is to be done: ten thousand idle partitions are asked each second.
 */

import { fail } from "../base/assert.ts";
import { ObeliskError } from "../base/errors.ts";
import { KiB, MINUTE_MS, MiB, SECOND_MS } from "../base/units.ts";
import type { PartitionLog, SegmentLimits } from "../storage/contract.ts";
import type { PartitionRules } from "./owned-partition.ts";

/** A bound has room for so many segments. */
const SEGMENTS_OF_A_BOUND = 12;
/** Segments are not made smaller than this for it: each is a file to be made, synced and unlinked. */
export const RETAINED_SEGMENT_BYTES_MIN = 128 * KiB;
const RETAINED_SEGMENT_MS_MIN = SECOND_MS;
/** Segments that a bound makes no larger than this, or rolls within this time, are short-lived. */
const SHORT_LIVED_BYTES_MAX = MiB;
const SHORT_LIVED_MS_MAX = 10 * MINUTE_MS;
/** Time is looked at so often in the shortest time that counts; as Kafka at most each five minutes. */
const LOOKS_OF_A_TIME = 20;
const LOOK_MS_MIN = SECOND_MS;
export const LOOK_MS_MAX = 5 * MINUTE_MS;

export class LogRetention implements SegmentLimits {
  readonly #log: PartitionLog;
  readonly #rules: PartitionRules;
  #lookAtMs: number;
  /** The rules as they were looked at last: they change under way. */
  #seenMs = -2;
  #seenBytes = -2;
  #seenSegmentMs = -2;
  /** The next `startOf` gives up what is old as well: the last `isDue` said so. */
  #looksAtAges = false;

  constructor(log: PartitionLog, rules: PartitionRules, monotonicMs: number) {
    this.#log = log;
    this.#rules = rules;
    this.#see();
    this.#lookAtMs = monotonicMs + this.#periodMs;
    log.segmentLimits = this;
  }

  get segmentBytesMax(): number {
    const { isDeleted, retentionBytes, segmentBytes } = this.#rules;
    if (!isDeleted || retentionBytes < 0) return segmentBytes;
    const share = Math.floor(retentionBytes / SEGMENTS_OF_A_BOUND);
    return Math.min(segmentBytes, Math.max(share, RETAINED_SEGMENT_BYTES_MIN));
  }

  get segmentAgeMsMax(): number {
    const { isDeleted, retentionMs, segmentMs } = this.#rules;
    if (!isDeleted || retentionMs < 0) return segmentMs;
    return Math.min(segmentMs, Math.max(retentionMs / SEGMENTS_OF_A_BOUND, RETAINED_SEGMENT_MS_MIN));
  }

  get areShortLived(): boolean {
    if (!this.#rules.isDeleted) return false;
    const isSmall = this.#rules.retentionBytes >= 0 && this.segmentBytesMax <= SHORT_LIVED_BYTES_MAX;
    return isSmall || (this.#isTimed && this.segmentAgeMsMax <= SHORT_LIVED_MS_MAX);
  }

  /** Whether the time has come to look at ages, or the rules have changed. Rolls what is old then. */
  isTimeToLook(monotonicMs: number): boolean {
    const { retentionMs, retentionBytes, segmentMs } = this.#rules;
    const isAsSeen =
      retentionMs === this.#seenMs && retentionBytes === this.#seenBytes && segmentMs === this.#seenSegmentMs;
    if (isAsSeen && monotonicMs < this.#lookAtMs) return false;
    this.#see();
    this.#lookAtMs = monotonicMs + this.#periodMs;
    return true;
  }

  /** Whether something may be to leave; `withAges`: also because it is old. O(1) */
  isDue(nowMs: number, withAges: boolean): boolean {
    if (withAges) this.#looksAtAges = true;
    const oldest = this.#log.segmentAt(0);
    if (oldest === null || oldest.bytes === 0) return false;
    if (oldest.endOffset <= this.#log.startOffset && (withAges || this.#log.segmentAt(1) !== null))
      return true;
    if (this.#isOverBytes(this.#log.bytes - oldest.bytes)) return true;
    if (!withAges || !this.#isTimed) return false;
    const largestMs = this.#log.largestTimestampAt(0);
    return typeof largestMs !== "number" || largestMs < 0 || this.#isOld(largestMs, nowMs);
  }

  /**
   * Where the log is to start: not above `limitOffset`, and not below where it does. Rolls the active segment when all of it leaves.
   * @throws ObeliskError KAFKA_STORAGE_ERROR when a segment's times cannot be read
   */
  async startOf(limitOffset: number, nowMs: number): Promise<number> {
    const log = this.#log;
    const looksAtAges = this.#looksAtAges;
    this.#looksAtAges = false;
    let offset = log.startOffset;
    let bytes = log.bytes;
    for (let slot = 0, undated = 0; ; slot += 1) {
      const segment = log.segmentAt(slot);
      if (segment === null || segment.bytes === 0 || segment.endOffset > limitOffset) break;
      bytes -= segment.bytes;
      if (segment.endOffset > log.startOffset && !this.#isOverBytes(bytes)) {
        if (!this.#isTimed || !looksAtAges) break;
        const told = log.largestTimestampAt(slot);
        const largestMs = typeof told === "number" ? told : await told;
        if (log.segmentAt(slot)?.endOffset !== segment.endOffset) break; // the front has moved meanwhile: at the next look
        undated = largestMs < 0 ? undated + 1 : 0;
        if (undated > 0) continue;
        if (!this.#isOld(largestMs, nowMs)) break;
      }
      offset = Math.max(offset, segment.endOffset);
    }
    if (!(offset <= Math.max(limitOffset, log.startOffset))) fail("retention gives up what is not committed");
    if (offset === log.endOffset) this.#rollIfPossible();
    return offset;
  }

  /** What leaves when the log starts at `offset`. O(segments that leave) */
  bytesBelow(offset: number): number {
    let bytes = 0;
    for (let slot = 0; ; slot += 1) {
      const segment = this.#log.segmentAt(slot);
      if (segment === null || segment.endOffset > offset) return bytes;
      bytes += segment.bytes;
    }
  }

  /** On a full disk the last segment stays until there is room for the next; what lies before it goes. */
  #rollIfPossible(): void {
    try {
      this.#log.roll();
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
    }
  }

  get #isTimed(): boolean {
    return this.#rules.isDeleted && this.#rules.retentionMs >= 0;
  }

  #isOverBytes(remaining: number): boolean {
    const { isDeleted, retentionBytes } = this.#rules;
    return isDeleted && retentionBytes >= 0 && remaining >= retentionBytes;
  }

  #isOld(largestMs: number, nowMs: number): boolean {
    return nowMs - largestMs > this.#rules.retentionMs;
  }

  #see(): void {
    this.#seenMs = this.#rules.retentionMs;
    this.#seenBytes = this.#rules.retentionBytes;
    this.#seenSegmentMs = this.#rules.segmentMs;
  }

  get #periodMs(): number {
    const shortestMs = Math.min(
      this.segmentAgeMsMax,
      this.#isTimed ? this.#rules.retentionMs : LOOK_MS_MAX * LOOKS_OF_A_TIME,
    );
    return Math.min(Math.max(shortestMs / LOOKS_OF_A_TIME, LOOK_MS_MIN), LOOK_MS_MAX);
  }
}
