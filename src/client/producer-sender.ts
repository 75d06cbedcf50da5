/**
 * Moves batches from the producer's lanes to the brokers that lead them, and completes them.
 *
 * Once a turn it looks at the lanes with work: closes what need not wait, finds missing leaders, and packs for each broker
 * one batch of each ready lane into a request, up to five requests in flight for each broker.
 *
 * What an error code means for a batch
 *   none, 46 (known already)        delivered
 *   45, 47, 59 with older batches   the older one failed first: again, after it
 *   in flight
 *   45, 59 as the oldest            the broker lost track of the sequence and did not append it: new identity, again
 *   retriable, time left            again, after a wait; with new metadata when that may help
 *   retriable, interrupted          failed: what is under way is waited for, nothing is sent a second time
 *   anything else                   failed; with idempotence the lane then starts a new sequence
 */

import { ERRORS, ObeliskError, toObeliskError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { initProducerIdApi } from "../protocol/kafka/apis/init-producer-id.ts";
import { type ProduceResponse, produceApi } from "../protocol/kafka/apis/produce.ts";
import { canRetry, checkResponse, needsNewMetadata } from "./broker-errors.ts";
import type { Cluster } from "./cluster.ts";
import type { Acks, DeliveryListener } from "./delivery.ts";
import { type LaneBatch, produceRequest, responseFor } from "./produce-request.ts";
import type { OutgoingBatch, ProducerIdentity, ProducerLane } from "./producer-lane.ts";
import { RetryInterrupted, retryWaitMs, wait } from "./retry.ts";

/** Far below the 100 MiB that brokers take, above any single batch that they would. */
const REQUEST_BYTES_MAX = 8 * MiB;
/** As many as one connection keeps in flight. */
const REQUESTS_IN_FLIGHT_MAX = 5;
const SEQUENCE_ERRORS = new Set([
  ERRORS.OUT_OF_ORDER_SEQUENCE_NUMBER.wire,
  ERRORS.INVALID_PRODUCER_EPOCH.wire,
  ERRORS.UNKNOWN_PRODUCER_ID.wire,
] as number[]);

export interface SenderOptions {
  readonly cluster: Cluster;
  readonly acks: Acks;
  readonly isIdempotent: boolean;
  readonly deliveryTimeoutMs: number;
  readonly lingerMs: number;
  readonly random: () => number;
  readonly listener: DeliveryListener | undefined;
}

interface Waiter {
  readonly isDone: () => boolean;
  readonly resolve: () => void;
}

/** A producer id of its own. */
export async function requestIdentity(cluster: Cluster): Promise<ProducerIdentity> {
  const connection = await cluster.any();
  const response = await connection.request(initProducerIdApi, {
    transactionalId: null,
    transactionTimeoutMs: 60_000,
  });
  checkResponse(response.errorCode);
  return { id: response.producerId, epoch: response.producerEpoch };
}

export class ProducerSender {
  readonly #options: SenderOptions;
  readonly #cluster: Cluster;
  readonly #signal: AbortSignal | undefined;
  readonly #lanes = new Set<ProducerLane>();
  readonly #requests = new Map<number, number>();
  #waiters: Waiter[] = [];
  #bufferedBytes = 0;
  #isScheduled = false;
  /** Flushes under way. */
  #flushes = 0;
  #firstFailure: ObeliskError | null = null;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#cluster = options.cluster;
    this.#signal = options.cluster.retryOptions.signal;
    this.#signal?.addEventListener("abort", () => this.#schedule(), { once: true });
  }

  /** Bytes in batches that are not completed. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** A lane has work, `bytes` more than before. */
  grew(lane: ProducerLane, bytes: number): void {
    this.#bufferedBytes += bytes;
    if (!this.#lanes.has(lane)) this.#lanes.add(lane);
    this.#schedule();
  }

  /** Closes a lane's open batch: it is full. */
  close(lane: ProducerLane): void {
    this.#bufferedBytes += lane.closeOpen();
    this.#schedule();
  }

  /** Resolves when fewer than `limit` bytes are buffered. */
  async room(limit: number): Promise<void> {
    await this.#until(() => this.#bufferedBytes < limit);
  }

  /** Resolves when nothing is left. @throws the first failure since the last flush */
  async flush(): Promise<void> {
    this.#flushes += 1;
    this.#schedule();
    await this.#until(() => this.#lanes.size === 0);
    this.#flushes -= 1;
    const failure = this.#firstFailure;
    this.#firstFailure = null;
    if (failure !== null) throw failure;
  }

  async #until(isDone: () => boolean): Promise<void> {
    if (isDone()) return;
    await new Promise<void>((resolve) => this.#waiters.push({ isDone, resolve }));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const nowMs = this.#cluster.clock.monotonicMs();
    const ready = new Map<number, ProducerLane[]>();
    for (const lane of this.#lanes) {
      if (lane.isEmpty) {
        this.#lanes.delete(lane);
        continue;
      }
      if (this.#signal?.aborted === true && lane.notBeforeMs > nowMs) {
        this.#interrupt(lane);
        this.#schedule();
        continue;
      }
      this.#closeWhatNeedNotWait(lane, nowMs);
      if (lane.canRenumber) this.#renumber(lane);
      if (!lane.hasSendable || lane.notBeforeMs > nowMs) continue;
      if (lane.leader < 0) this.#findLeader(lane);
      else if (ready.get(lane.leader)?.push(lane) === undefined) ready.set(lane.leader, [lane]);
    }
    for (const [node, lanes] of ready) this.#sendTo(node, lanes);
    this.#wakeWaiters();
  }

  /** Fails what waits for a further attempt, and what waits after it. */
  #interrupt(lane: ProducerLane): void {
    this.#bufferedBytes += lane.closeOpen();
    const waiting = lane.takeAll();
    const last = waiting.find(({ lastError }) => lastError !== null)?.lastError;
    const error = new RetryInterrupted(last ?? new ObeliskError("REQUEST_TIMED_OUT"));
    for (const batch of waiting) this.#failed(lane, batch, error);
  }

  #closeWhatNeedNotWait(lane: ProducerLane, nowMs: number): void {
    const open = lane.open;
    if (open === null) return;
    const isDue = this.#options.lingerMs === 0 ? lane.mayCloseEarly : this.#isLingerOver(lane, open, nowMs);
    if (isDue || this.#flushes > 0) this.#bufferedBytes += lane.closeOpen();
  }

  #isLingerOver(lane: ProducerLane, open: OutgoingBatch, nowMs: number): boolean {
    const restMs = open.openedAtMs + this.#options.lingerMs - nowMs;
    if (open.isDue || restMs <= 0) return true;
    if (!open.hasLingerTimer) {
      open.hasLingerTimer = true;
      this.#cluster.clock.after(restMs, () => {
        open.isDue = true;
        if (lane.open === open) this.#schedule();
      });
    }
    return false;
  }

  #sendTo(node: number, lanes: ProducerLane[]): void {
    for (let open = this.#requests.get(node) ?? 0; open < REQUESTS_IN_FLIGHT_MAX; open += 1) {
      const entries: LaneBatch[] = [];
      let bytes = 0;
      for (const lane of lanes) {
        if (!lane.hasSendable || bytes >= REQUEST_BYTES_MAX) continue;
        const batch = lane.take();
        bytes += batch.bytes;
        entries.push({ lane, batch });
      }
      if (entries.length === 0) return;
      this.#requests.set(node, open + 1);
      this.#send(node, entries);
    }
  }

  async #send(node: number, entries: LaneBatch[]): Promise<void> {
    try {
      const connection = await this.#cluster.node(node);
      const request = produceRequest(entries, this.#options.acks);
      if (this.#options.acks === 0) {
        connection.post(produceApi, request);
        await connection.drained(); // Nothing but the kernel holds this producer back, and takes its bytes over.
        for (const { lane, batch } of entries) this.#delivered(lane, batch, -1);
      } else {
        const response = await connection.request(produceApi, request);
        this.#complete(entries, response);
      }
    } catch (thrown) {
      const error = toObeliskError(thrown);
      for (const { lane, batch } of entries) this.#unsuccessful(lane, batch, error);
    } finally {
      this.#requests.set(node, this.#requests.get(node)! - 1);
      this.#schedule();
    }
  }

  #complete(entries: readonly LaneBatch[], response: ProduceResponse): void {
    for (const { lane, batch } of entries) {
      const { baseOffset, error } = responseFor(lane, response);
      if (error === null) this.#delivered(lane, batch, baseOffset);
      else this.#unsuccessful(lane, batch, error);
    }
  }

  #delivered(lane: ProducerLane, batch: OutgoingBatch, baseOffset: number): void {
    this.#release(lane, batch);
    for (const outcome of batch.outcomes) outcome.delivered(baseOffset);
    this.#options.listener?.delivered({
      topic: lane.topic,
      partition: lane.partition,
      baseOffset,
      count: batch.count,
      bytes: batch.bytes,
    });
  }

  #unsuccessful(lane: ProducerLane, batch: OutgoingBatch, error: ObeliskError): void {
    const nowMs = this.#cluster.clock.monotonicMs();
    const isSequenceError = this.#options.isIdempotent && SEQUENCE_ERRORS.has(error.wire);
    const isOldest = lane.isOldest(batch);
    const canResend = canRetry(error) || (isSequenceError && (!isOldest || !batch.hasNewIdentity));
    if (!canResend || nowMs - batch.openedAtMs > this.#options.deliveryTimeoutMs) {
      this.#failed(lane, batch, canResend ? timedOut(lane, error, this.#options.deliveryTimeoutMs) : error);
      return;
    }
    if (this.#signal?.aborted === true) {
      this.#failed(lane, batch, new RetryInterrupted(error));
      return;
    }
    if (isSequenceError && isOldest) {
      batch.hasNewIdentity = true;
      lane.needsIdentity = true;
    }
    const waitMs = isSequenceError ? 0 : retryWaitMs(batch.attempts, this.#options.random);
    if (!isSequenceError && needsNewMetadata(error)) {
      this.#cluster.evict(lane.topic);
      lane.leader = -1;
    }
    this.#cluster.retryOptions.onRetry?.(error, batch.attempts, this.#options.deliveryTimeoutMs);
    const notBeforeMs = nowMs + waitMs;
    lane.requeue(batch, error, notBeforeMs);
    if (waitMs > 0) wait(this.#cluster.clock, waitMs).then(() => this.#endWait(lane, notBeforeMs));
  }

  /** The timer decides that the wait is over, not the clock: the two may differ by a fraction. */
  #endWait(lane: ProducerLane, notBeforeMs: number): void {
    if (lane.notBeforeMs <= notBeforeMs) lane.notBeforeMs = 0;
    this.#schedule();
  }

  #failed(lane: ProducerLane, batch: OutgoingBatch, error: ObeliskError): void {
    if (this.#options.isIdempotent) lane.needsIdentity = true;
    this.#firstFailure ??= error;
    this.#release(lane, batch);
    for (const outcome of batch.outcomes) outcome.failed(error);
    this.#options.listener?.failed(error, lane.topic, lane.partition, batch.count);
  }

  #release(lane: ProducerLane, batch: OutgoingBatch): void {
    this.#bufferedBytes -= batch.bytes;
    lane.complete(batch);
  }

  #findLeader(lane: ProducerLane): void {
    if (lane.isFindingLeader) return;
    lane.isFindingLeader = true;
    this.#cluster
      .leaderId(lane.topic, lane.partition)
      .then(
        (leader) => {
          lane.leader = leader;
        },
        (thrown) => {
          if (lane.hasSendable) this.#unsuccessful(lane, lane.take(), toObeliskError(thrown));
        },
      )
      .then(() => {
        lane.isFindingLeader = false;
        this.#schedule();
      });
  }

  /** A new producer id for a lane whose sequence has a hole. */
  #renumber(lane: ProducerLane): void {
    if (lane.isRenumbering) return;
    lane.isRenumbering = true;
    this.#cluster
      .attempt(() => requestIdentity(this.#cluster))
      .then(
        (identity) => lane.renumber(identity),
        (thrown) => {
          const error = toObeliskError(thrown);
          const left = lane.takeAll();
          for (const batch of left) this.#failed(lane, batch, error);
        },
      )
      .then(() => {
        lane.isRenumbering = false;
        this.#schedule();
      });
  }

  #wakeWaiters(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.isDone()) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }
}

function timedOut(lane: ProducerLane, error: ObeliskError, limitMs: number): ObeliskError {
  const detail = `records were not acknowledged within ${limitMs} ms; the last error: ${error.message}`;
  return new ObeliskError(
    "REQUEST_TIMED_OUT",
    { detail, topic: lane.topic, partition: lane.partition },
    error,
  );
}
