/** What a producer learns of its batches, and what an acknowledgement means. */

import type { ObeliskError } from "../base/errors.ts";

/** -1: committed, on all replicas in sync; 1: written by the leader, with Obelisk the same as -1; 0: no response at all. */
export type Acks = -1 | 0 | 1;

export interface DeliveredBatch {
  readonly topic: string;
  readonly partition: number;
  /** -1 with acks 0. */
  readonly baseOffset: number;
  readonly count: number;
  /** On the wire, after compression. */
  readonly bytes: number;
}

export interface DeliveryListener {
  delivered(batch: DeliveredBatch): void;
  /** These records were given up; with acks other than -1 and after timeouts some may lie in the partition. */
  failed(error: ObeliskError, topic: string, partition: number, count: number): void;
}
