/**
 * `Idempotency-Key`: a request that is sent again with the same key is stored once, also after a restart, and however many come at once.
 *
 * Nothing of its own remembers keys. A batch of such a request is that of an idempotent producer, whose id is derived from the key and
 * whose sequence is derived from the content, so the partition itself knows it again (broker/producers.ts): what is in flight is
 * answered with its outcome, what is stored with its offset. It is remembered with the log and as durably, for
 * `producer-id-expiration-ms` (a day) and among the last 10,000 keys of each partition.
 *
 *     key, numbers of the batch -> 52 bits of SHA-256 -> producer id above all that are assigned
 *     key, CRC of the content   -> 31 bits            -> base sequence: another body under the same key does not fit, and is refused
 *
 * The content is what was sent, byte by byte. A message without a partition goes to one that the key chooses, so that it is the same
 * when it comes again (unless the topic got more partitions in between).
 */

import { createHash } from "node:crypto";
import { ObeliskError } from "../../base/errors.ts";
import { PRODUCER_ID_MAX } from "../../broker/producer-id-range.ts";

/** As long as people's keys are: a UUID has 36. */
export const KEY_LENGTH_MAX = 255;

export interface ProducerOfKey {
  readonly producerId: number;
  readonly producerEpoch: 0;
  readonly baseSequence: number;
}

export class IdempotencyKey {
  readonly #key: string;

  private constructor(key: string) {
    this.#key = key;
  }

  /** Null: the request has none. @throws ObeliskError INVALID_REQUEST */
  static of(request: Request): IdempotencyKey | null {
    const key = request.headers.get("idempotency-key");
    if (key === null) return null;
    if (key.length >= 1 && key.length <= KEY_LENGTH_MAX) return new IdempotencyKey(key);
    throw new ObeliskError("INVALID_REQUEST", {
      detail: `an Idempotency-Key has 1 to ${KEY_LENGTH_MAX} characters`,
    });
  }

  /**
   * The producer of the batch number `index` that a request makes for a partition in its group number `group`; `contentCrc` is that of
   * what was sent for the group.
   */
  producerOf(contentCrc: number, group: number, index: number): ProducerOfKey {
    const digest = createHash("sha256").update(`${group}.${index}:${this.#key}`).digest();
    const low = digest.readUInt32BE(0) * 2 ** 20 + (digest.readUInt32BE(4) >>> 12);
    return {
      producerId: PRODUCER_ID_MAX + Math.max(low, 1),
      producerEpoch: 0,
      baseSequence: (digest.readInt32BE(8) ^ contentCrc) & 0x7fffffff,
    };
  }

  /** Where messages without key and partition go, of so many partitions. */
  partitionOf(partitions: number): number {
    return createHash("sha256").update(`partition:${this.#key}`).digest().readUInt32BE(0) % partitions;
  }
}
