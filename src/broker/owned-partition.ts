/**
 * What the topics ask of a partition and of the place that partitions come from, beside what everybody sees (partition.ts). One
 * `PartitionOpener` for each way to keep partitions; the broker is given it.
 */

import type { ErrorCode } from "../base/errors.ts";
import type { Codec } from "../protocol/record/compression.ts";
import type { Partition } from "./partition.ts";
import type { Retained } from "./retention.ts";

/** What a partition obeys of its topic's settings (topic-rules.ts); the object may change under way. */
export interface PartitionRules {
  /** Largest record batch, bytes, as it comes in. */
  bytesMax: number;
  isLogAppendTime: boolean;
  /** How far timestamps may lie behind the clock, and ahead of it, where producers set them. */
  timestampBeforeMaxMs: number;
  timestampAfterMaxMs: number;
  /** What batches are stored with; null: as they come. */
  codec: Codec | null;
  /** Whether old records are deleted, and whether the latest record of each key is to stay. */
  isDeleted: boolean;
  isCompacted: boolean;
  /** Of each partition; -1: no limit. */
  retentionMs: number;
  retentionBytes: number;
  segmentBytes: number;
  segmentMs: number;
}

/** null: there is a first record, and it is committed; else why there never will be. */
export type UseListener = (error: ErrorCode | null) => void;

export interface OwnedPartition extends Partition, Retained {
  /** The largest producer id that ever stored here, as far as is known; -1 when there is none. */
  readonly producerIdMax: number;
  /** Calls back when its first record is committed, or never will be; at once if so now. */
  whenUsed(listener: UseListener): void;
  /** The topic is being removed: nobody may wait here any longer. */
  retire(): void;
  /** The topic is not removed after all, and offline. */
  restore(): void;
  /** A graceful shutdown: everything is committed, and what helps the next start is to be stored. */
  close(): void;
}

export interface PartitionOpener {
  /** One that was there before; `ready` follows, and before that nobody sees it. `mustExist`: it is a loss when nothing is there. */
  openStored(
    topic: string,
    index: number,
    rules: PartitionRules,
    mustExist: boolean,
  ): Promise<OwnedPartition>;
  /** Resolves when all that were stored can be shown. */
  ready(): Promise<void>;
  /** One of a topic that is being made. */
  openNew(topic: string, index: number, rules: PartitionRules): Promise<OwnedPartition>;
  /** A graceful shutdown: resolves when every append to any of them has been told its outcome. */
  drain(): Promise<void>;
}
