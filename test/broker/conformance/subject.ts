/**
 * What the conformance suite runs against: a broker for each way to keep partitions, whose commits the test can hold back and fail.
 * The suite asks only for what partition.ts promises.
 */

import { ObeliskError } from "../../../src/base/errors.ts";
import type { Broker, BrokerOptions } from "../../../src/broker/broker.ts";
import type { Partition } from "../../../src/broker/partition.ts";
import type { PartitionLog, StorageEngine } from "../../../src/storage/contract.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "../../storage/file/support.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { openBroker } from "../../support/broker.ts";
import type { CommitFailure } from "../../support/delayed-store.ts";
import { turns } from "../../support/gated-engine.ts";
import { delayedPartitions, partitionsOver } from "../../support/partition-kinds.ts";
import { logOf } from "../../support/partitions.ts";

export interface Subject extends AsyncDisposable {
  readonly broker: Broker;
  /** From now on nothing is committed. */
  hold(): void;
  release(): void;
  /** The next append to the partition is not stored, and is told so. */
  failNext(partition: Partition): void;
}

export interface SubjectKind {
  readonly name: string;
  open(options?: Partial<BrokerOptions>, seed?: number): Promise<Subject>;
}

/** One whose partitions other brokers write too, and whose commits fail in every way. */
export interface SharedSubject extends Subject {
  /** Another broker with the same topics, as they are now. */
  openAnother(): Promise<Broker>;
  /** So end the next commits, whatever they are; null: well. */
  failCommits(...failures: (CommitFailure | null)[]): void;
}

export const SUBJECTS: readonly SubjectKind[] = [
  { name: "local log in memory", open: (options) => openLocal(new MemoryEngine(), options) },
  { name: "local log in files", open: (options) => openFiles(options) },
  { name: "delayed commits", open: (options, seed) => openShared(options, seed) },
];

export async function openShared(
  options: Partial<BrokerOptions> = {},
  seed = 1,
  failures: Partial<Record<CommitFailure, number>> = {},
): Promise<SharedSubject> {
  const { store, partitions } = delayedPartitions({ seed, failures });
  const broker = await openBroker(options, partitions);
  return {
    broker,
    hold: () => {
      store.isHeld = true;
    },
    release: () => store.release(),
    failNext: () => store.failNext("definite"),
    failCommits: (...nextFailures) => store.failNext(...nextFailures),
    openAnother: () => openBroker(options, partitionsOver(store, partitions.engine)),
    [Symbol.asyncDispose]: async () => {
      store.release();
      await broker.close();
    },
  };
}

async function openLocal(engine: StorageEngine, options: Partial<BrokerOptions> = {}): Promise<Subject> {
  let opened = Promise.withResolvers<void>();
  opened.resolve();
  const sync = engine.sync.bind(engine);
  Object.assign(engine, {
    sync: async (logs: readonly PartitionLog[]) => {
      await opened.promise;
      return await sync(logs);
    },
  });
  const broker = await openBroker(options, { engine });
  const release = () => opened.resolve();
  return {
    broker,
    hold: () => {
      opened = Promise.withResolvers();
    },
    release,
    failNext: (partition) => refuseOnce(logOf(partition)),
    [Symbol.asyncDispose]: async () => {
      release();
      await broker.close();
      await engine.close();
    },
  };
}

async function openFiles(options: Partial<BrokerOptions> = {}): Promise<Subject> {
  const folder = temporaryDirectory();
  const subject = await openLocal(openEngine(new TestDirectory(folder.path)), options);
  return {
    ...subject,
    [Symbol.asyncDispose]: async () => {
      await subject[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** Logs that refuse their next append already: what the partition itself refuses does not come so far. */
const refusing = new WeakSet<PartitionLog>();

function refuseOnce(log: PartitionLog): void {
  if (refusing.has(log)) return;
  refusing.add(log);
  const append = log.append.bind(log);
  log.append = () => {
    refusing.delete(log);
    log.append = append;
    throw new ObeliskError("DISK_FULL");
  };
}

export interface ProducerState {
  readonly producerId: number;
  readonly producerEpoch?: number;
  readonly baseSequence: number;
}

/** A batch of an idempotent producer. */
export function batchFrom(
  { producerId, producerEpoch = 0, baseSequence }: ProducerState,
  ...values: string[]
): Buffer {
  return batchOf(values, { producerId, producerEpoch, baseSequence });
}

export async function createPartitions(broker: Broker, count: number): Promise<readonly Partition[]> {
  return (await broker.topics.create("t", { partitions: count, configs: {} })).partitions;
}

/** Every record, as `[offset, value]`. */
export async function readAll(partition: Partition): Promise<[number, string | null][]> {
  const records: [number, string | null][] = [];
  const end = await partition.latestOffset();
  while (records.length < end) {
    const found = recordsIn(await bytesOf(partition.span(records.length, 1_000_000, true)));
    if (found.length === 0) throw new Error(`nothing is there at ${records.length} of ${end}`);
    records.push(...found);
  }
  return records;
}

/** Lets what is under way go on for a while. */
export async function manyTurns(): Promise<void> {
  for (let count = 0; count < 10; count += 1) await turns();
}
