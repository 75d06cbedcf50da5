/**
 * Keeps fetches under way for the partitions of a consumer, one fetch ahead of what it has read.
 *
 *   assigned partitions ──by leader──> one Fetch at a time for each leader ──> arrived batches, in order ──> consumer
 *
 * Invariants
 *   - `fetchOffset` of a partition comes after all that was fetched for it. A seek raises its `round`; what arrives for an
 *     older round is dropped.
 *   - A leader gets the next fetch only when none of its partitions has `ARRIVED_MAX` fetches waiting to be read: that bounds the
 *     memory, and lets no partition fall behind another.
 *   - Retriable errors are retried after a wait; when nothing has succeeded for the total retry time, the error is
 *     handed to the consumer once, and the fetches go on when it polls again.
 */

import { NO_ERROR, ObeliskError, toObeliskError } from "../base/errors.ts";
import { groupByTopic } from "../protocol/group/consumer-protocol.ts";
import { type FetchRequestInput, type FetchResponse, fetchApi } from "../protocol/kafka/apis/fetch.ts";
import { brokerError, canRetry, needsNewMetadata } from "./broker-errors.ts";
import type { Cluster } from "./cluster.ts";
import type { Connection } from "./connection.ts";
import { FetchedBatches } from "./fetched-batches.ts";
import { retryWaitMs, wait } from "./retry.ts";

/** One that is being read, one ahead. */
const ARRIVED_MAX = 2;

export interface FetcherOptions {
  readonly cluster: Cluster;
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  readonly isCommittedOnly: boolean;
  /** Something arrived: batches, an error, or the end of a range. */
  readonly onArrival: () => void;
}

export class AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  /** The next record to hand out. */
  position: number;
  /** The next record to fetch. */
  fetchOffset: number;
  /** Raised by every seek. */
  round = 0;
  /** Fetches that arrived and are not read. */
  arrived = 0;
  leaderEpoch = -1;
  isOutOfRange = false;

  constructor(topic: string, partition: number, position: number) {
    this.topic = topic;
    this.partition = partition;
    this.position = position;
    this.fetchOffset = position;
  }

  /** Goes on at `offset`; what was fetched from elsewhere counts no more. */
  seek(offset: number): void {
    this.position = offset;
    this.fetchOffset = offset;
    this.round += 1;
    this.arrived = 0;
    this.isOutOfRange = false;
  }
}

export interface Arrival {
  readonly assigned: AssignedPartition;
  readonly round: number;
  readonly batches: FetchedBatches;
}

interface Requested {
  readonly topic: string;
  readonly partition: number;
  readonly assigned: AssignedPartition;
  readonly round: number;
}

export class ConsumerFetcher {
  readonly #options: FetcherOptions;
  readonly #cluster: Cluster;
  /** Leaders with a fetch under way. */
  readonly #fetching = new Set<number>();
  /** The connections that those fetches use. */
  readonly #connections = new Set<Connection>();
  /** Raised by every assignment: fetches of an older one count no more. */
  #assignment = 0;
  #partitions: readonly AssignedPartition[] = [];
  #arrivals: Arrival[] = [];
  #error: ObeliskError | null = null;
  #failures = 0;
  #failingSinceMs = -1;
  #isFilling = false;
  /** `fill` was called while filling: what changed since may have been overlooked. */
  #mustFillAgain = false;
  #isWaiting = false;
  #isClosed = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
  }

  /** Fetches under way for an earlier assignment may wait at the broker: they are cut off, so that the new ones need not. */
  assign(partitions: readonly AssignedPartition[]): void {
    this.#partitions = partitions;
    this.#arrivals = [];
    this.#assignment += 1;
    this.#fetching.clear();
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  close(): void {
    this.#isClosed = true;
  }

  /** The oldest arrival that still counts, left in place; undefined when there is none. */
  front(): Arrival | undefined {
    for (;;) {
      const front = this.#arrivals[0];
      if (front === undefined || (front.round === front.assigned.round && !front.batches.isEmpty))
        return front;
      this.#arrivals.shift();
      if (front.round === front.assigned.round) front.assigned.arrived -= 1;
    }
  }

  /** The error that stopped the fetches, once. */
  takeError(): ObeliskError | null {
    const error = this.#error;
    this.#error = null;
    return error;
  }

  /** Sends what fetches are due. */
  fill(): void {
    if (this.#isWaiting || this.#isClosed || this.#error !== null) return;
    if (this.#isFilling) {
      this.#mustFillAgain = true;
      return;
    }
    this.#isFilling = true;
    this.#mustFillAgain = false;
    this.#fill().then(
      () => {
        this.#isFilling = false;
        if (this.#mustFillAgain) this.fill();
      },
      (thrown) => {
        this.#isFilling = false;
        this.#failed(toObeliskError(thrown));
      },
    );
  }

  async #fill(): Promise<void> {
    const byLeader = new Map<number, AssignedPartition[]>();
    for (const assigned of this.#partitions) {
      const leader = await this.#cluster.leaderId(assigned.topic, assigned.partition);
      const list = byLeader.get(leader);
      if (list === undefined) byLeader.set(leader, [assigned]);
      else list.push(assigned);
    }
    for (const [leader, assigned] of byLeader) {
      if (this.#fetching.has(leader) || assigned.some((one) => one.arrived >= ARRIVED_MAX)) continue;
      const open = assigned.filter((one) => !one.isOutOfRange);
      if (open.length > 0) this.#fetchFrom(leader, open);
    }
  }

  async #fetchFrom(leader: number, partitions: readonly AssignedPartition[]): Promise<void> {
    this.#fetching.add(leader);
    const requested: Requested[] = partitions.map((assigned) => ({
      topic: assigned.topic,
      partition: assigned.partition,
      assigned,
      round: assigned.round,
    }));
    const assignment = this.#assignment;
    try {
      await this.#fetch(leader, requested);
      if (assignment !== this.#assignment) return;
      this.#fetching.delete(leader);
    } catch (thrown) {
      if (assignment !== this.#assignment) return;
      this.#fetching.delete(leader);
      this.#failed(toObeliskError(thrown));
      return;
    }
    this.#options.onArrival();
  }

  async #fetch(leader: number, requested: readonly Requested[]): Promise<void> {
    const assignment = this.#assignment;
    const connection = await this.#cluster.node(leader, "fetches");
    if (assignment !== this.#assignment) return;
    this.#connections.add(connection);
    let response: FetchResponse;
    try {
      response = await connection.request(fetchApi, this.#request(requested));
    } finally {
      this.#connections.delete(connection);
    }
    if (assignment !== this.#assignment) return;
    if (response.errorCode !== NO_ERROR) throw brokerError(response.errorCode);
    let firstError: ObeliskError | null = null;
    for (const { topic, partitions } of response.responses) {
      for (const entry of partitions) {
        const found = requested.find((one) => one.partition === entry.partitionIndex && one.topic === topic);
        if (found === undefined || found.round !== found.assigned.round) continue;
        const error = this.#arrived(found, entry);
        firstError ??= error;
      }
    }
    if (firstError !== null) throw firstError;
    this.#failures = 0;
    this.#failingSinceMs = -1;
  }

  #request(requested: readonly Requested[]): FetchRequestInput {
    return {
      maxWaitMs: this.#options.waitMsMax,
      minBytes: this.#options.bytesMin,
      maxBytes: this.#options.bytesMax,
      isolationLevel: this.#options.isCommittedOnly ? 1 : 0,
      topics: groupByTopic(requested).map(([topic, entries]) => ({
        topic,
        partitions: entries.map(({ assigned }) => ({
          partition: assigned.partition,
          fetchOffset: assigned.fetchOffset,
          partitionMaxBytes: this.#options.partitionBytesMax,
        })),
      })),
    };
  }

  #arrived(
    { assigned, round }: Requested,
    entry: FetchResponse["responses"][number]["partitions"][number],
  ): ObeliskError | null {
    const place = { topic: assigned.topic, partition: assigned.partition };
    if (entry.errorCode !== NO_ERROR) {
      const error = brokerError(entry.errorCode, { ...place, offset: assigned.fetchOffset });
      if (error.code !== "OFFSET_OUT_OF_RANGE") return error;
      assigned.isOutOfRange = true;
      return null;
    }
    if (entry.records === null || entry.records.length === 0) return null;
    const aborted = this.#options.isCommittedOnly ? (entry.abortedTransactions ?? []) : null;
    const batches = new FetchedBatches(assigned.topic, assigned.partition, entry.records, aborted);
    // Either would be fetched again for ever.
    if (!(batches.endOffset > assigned.fetchOffset)) {
      const isCut = batches.endOffset < 0;
      const detail = isCut
        ? "a fetch returned less than one record batch"
        : "a fetch returned only older records";
      return new ObeliskError("PROTOCOL_ERROR", { detail, ...place, offset: assigned.fetchOffset });
    }
    assigned.fetchOffset = batches.endOffset;
    assigned.arrived += 1;
    this.#arrivals.push({ assigned, round, batches });
    return null;
  }

  #failed(error: ObeliskError): void {
    if (this.#isClosed) return;
    const nowMs = this.#cluster.clock.monotonicMs();
    if (this.#failingSinceMs < 0) this.#failingSinceMs = nowMs;
    this.#failures += 1;
    const isOver = nowMs - this.#failingSinceMs > this.#cluster.retryOptions.totalMs;
    if (!canRetry(error) || isOver) {
      this.#failures = 0;
      this.#failingSinceMs = -1;
      this.#error = error;
      this.#options.onArrival();
      return;
    }
    if (needsNewMetadata(error)) for (const { topic } of this.#partitions) this.#cluster.evict(topic);
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const { random, onRetry, totalMs } = this.#cluster.retryOptions;
    onRetry?.(error, this.#failures, totalMs);
    wait(this.#cluster.clock, retryWaitMs(this.#failures, random)).then(() => {
      this.#isWaiting = false;
      this.fill();
    });
  }
}
