/** Reads of one partition, whose responses the oracle judges. */

import { ObeliskError } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import type { Partition } from "../../src/broker/partition.ts";
import { bytesOf } from "../support/batches.ts";
import { logPartition } from "../support/partitions.ts";
import type { Life } from "./life.ts";
import type { PartitionOracle } from "./partition-oracle.ts";

/** One read from a random offset, now and then beyond the end. */
export function readSome(life: Life, partition: Partition, oracle: PartitionOracle): void {
  const offset = Math.floor(life.random() * (oracle.highWatermark + 1.1));
  const bytesMax = life.random() < 0.5 ? 1 : Math.floor(life.random() * 300 * KiB);
  life.begin(`read ${oracle.name}`, async () => {
    await readOnce(life, partition, oracle, offset, bytesMax);
  });
}

/** Everything up to the high watermark, as a consumer that starts from the beginning. Returns why not, or null. */
export async function readAll(
  life: Life,
  partition: Partition,
  oracle: PartitionOracle,
): Promise<string | null> {
  let offset = partition.startOffset;
  while (offset < partition.highWatermark) {
    const next = await readOnce(life, partition, oracle, offset, 64 * KiB);
    if (typeof next === "string") return next;
    if (next <= offset) break;
    offset = next;
  }
  oracle.readUpTo(offset);
  return null;
}

export function searchByTime(life: Life, partition: Partition, oracle: PartitionOracle): void {
  const timestampMs = life.clock.nowMs() - Math.floor(life.random() * 100_000);
  const limit = partition.highWatermark;
  life.begin(`search ${oracle.name}`, async () => {
    try {
      const found = await partition.offsetForTimestamp(timestampMs);
      if (!life.isOver && partition.refusal === null) oracle.foundByTime(timestampMs, limit, found);
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      if (!life.isOver) oracle.refusedRead(0, thrown.code);
    }
  });
}

/** The offset after what was read, or the code of a refusal. */
async function readOnce(
  life: Life,
  partition: Partition,
  oracle: PartitionOracle,
  offset: number,
  bytesMax: number,
): Promise<number | string> {
  const highWatermark = partition.highWatermark;
  try {
    const response = await bytesOf(partition.span(offset, bytesMax, true));
    if (life.isOver || logPartition(partition).isRetired) return offset;
    life.judge.record(`read ${oracle.name} from ${offset}: ${response.length} bytes`);
    const next = oracle.readResponse(response, offset, partition.highWatermark);
    if (response.length === 0) oracle.readNothing(offset, highWatermark);
    return next;
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    if (life.isOver) return thrown.code;
    life.judge.record(`read ${oracle.name} from ${offset}: ${thrown.message}`);
    oracle.refusedRead(offset, thrown.code);
    return thrown.code;
  }
}
