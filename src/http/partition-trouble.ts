/** What is wrong with partitions and the disk under them, for the report of the server's health. */

import { OUTCOME_AGE_MS_MAX } from "../base/outcome-window.ts";
import { formatBytes, KiB } from "../base/units.ts";
import type { Broker } from "../broker/broker.ts";
import type { Partition } from "../broker/partition.ts";

/** Beside the batch itself: a block for its end, entries of its index. */
const ROOM_BYTES = 64 * KiB;

/** What is wrong, and what to do about it; each in one line. */
export interface Cause {
  readonly reason: string;
  readonly remedy: string;
}

export interface Trouble {
  partitions: number;
  offline: number;
  /** Online, but their last append has lately failed on the disk. */
  refusing: number;
  isFull: boolean;
  /** The worst that is wrong; null when all is in order. */
  cause: Cause | null;
  /** Whether there is a partition that takes records, as far as can be known; true while there is none at all. */
  canServe: boolean;
  space: ReturnType<Broker["engine"]["space"]>;
}

/** O(partitions). */
export function lookAtPartitions(broker: Broker, monotonicMs: number): Trouble {
  const space = broker.engine.space();
  const lastSuccessMs = broker.counters.appendOutcomes.lastSuccessMonotonicMs;
  let [partitions, offline, refusing] = [0, 0, 0];
  let isFull = false;
  let firstFaulty: Partition | null = null;
  let firstOffline: Partition | null = null;
  let firstRefusing: Partition | null = null;
  for (const topic of broker.topics.each()) {
    for (const partition of topic.partitions) {
      const { isUnavailable, diskRefusal, ownFault } = partition;
      partitions += 1;
      if (ownFault !== null) firstFaulty ??= partition;
      if (isUnavailable) {
        offline += 1;
        firstOffline ??= partition;
      }
      if (isUnavailable || diskRefusal === null) continue;
      const hasRoom = space === undefined || space.freeBytes >= diskRefusal.bytes + ROOM_BYTES;
      if (diskRefusal.isFull && hasRoom) continue;
      if (diskRefusal.isFull && diskRefusal.monotonicMs >= lastSuccessMs) isFull = true;
      if (monotonicMs - diskRefusal.monotonicMs > OUTCOME_AGE_MS_MAX) continue;
      refusing += 1;
      firstRefusing ??= partition;
    }
  }
  const { loss } = broker.engine;
  const canServe = loss === null && (partitions === 0 || (!isFull && offline + refusing < partitions));
  const cause =
    lossOf(broker) ??
    faultOf(firstFaulty) ??
    (isFull ? fullOf(space) : null) ??
    offlineOf(firstOffline, offline) ??
    refusalOf(firstRefusing, refusing);
  return { partitions, offline, refusing, isFull, cause, canServe, space };
}

function lossOf({ engine, state }: Broker): Cause | null {
  if (engine.loss !== null)
    return {
      reason: engine.loss,
      remedy: "bring the data directory back as it was, then restart the server",
    };
  if (state.refusal === null) return null;
  return { reason: state.refusal, remedy: "see to the disk, then restart the server" };
}

function faultOf(partition: Partition | null): Cause | null {
  if (partition === null) return null;
  return {
    reason: `a fault of Obelisk itself in partition ${nameOf(partition)}: ${partition.ownFault}`,
    remedy: "report it with the lines of the log; a restart brings the partition back",
  };
}

function fullOf(space: Trouble["space"]): Cause {
  const free = space === undefined ? "" : `: ${formatBytes(space.freeBytes)} are free`;
  return {
    reason: `the disk is full${free}`,
    remedy: "make room: delete topics, or other files on this file system; nothing needs a restart",
  };
}

function offlineOf(partition: Partition | null, count: number): Cause | null {
  if (partition === null) return null;
  return {
    reason: `${nameOf(partition)}: ${partition.unavailableReason}${andMore(count)}`,
    remedy: "see to the disk (the log has the error), run `obelisk verify`, then restart the server",
  };
}

function refusalOf(partition: Partition | null, count: number): Cause | null {
  if (partition === null) return null;
  return {
    reason: `${nameOf(partition)}: the disk did not take the last append${andMore(count)}`,
    remedy: "see to the disk (the log has the error); nothing needs a restart once it takes records again",
  };
}

function nameOf({ topic, index }: Partition): string {
  return `${topic}-${index}`;
}

function andMore(count: number): string {
  return count > 1 ? `, and ${count - 1} more` : "";
}
