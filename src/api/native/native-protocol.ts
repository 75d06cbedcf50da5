/**
 * The native protocol: messages of the Go Obelisk's clients go to the broker, and a line comes back for each, in order.
 *
 *     frame -> MessageCursor -> TopicCache -> batcher.append -> ResponseQueue -(batch is durable)-> OK
 *
 * What gets which response is in protocol/native/responses.ts. `OK` is written only when the message is on disk.
 *
 * A message for a topic that does not exist waits until it is created, and with it everything after it on its connection:
 * the input is held, so nothing is reordered. Above `OUTSTANDING_MAX` messages the input is held too.
 *
 * A key that is not empty chooses the partition as Kafka's clients do; an empty key becomes no key, an empty value stays a value.
 * The message's timestamp becomes the record's, except that one before 1970 (the Go client's unset time is the year 1754) or more
 * than an hour ahead (Kafka's own limit) would make retention by time delete too early or never: these get the time of arrival.
 */

import type { Clock } from "../../base/clock.ts";
import { ObeliskError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { RateLimitedWarning } from "../../base/rate-limited-warning.ts";
import { HOUR_MS } from "../../base/units.ts";
import type { PendingBatchListener } from "../../broker/batcher.ts";
import type { FrameConnection, FrameHandler, FrameViolation } from "../../network/frame-handler.ts";
import { MessageCursor } from "../../protocol/native/message.ts";
import { NativeStatus, RESPONSE_LINES } from "../../protocol/native/responses.ts";
import { partitionForKey } from "../../protocol/record/partitioner.ts";
import type { Principal } from "../../security/principal.ts";
import { isTopicName } from "../../storage/names.ts";
import type { MessageBroker } from "./message-broker.ts";
import { ResponseQueue, type ResponseWriter } from "./response-queue.ts";
import { type CachedTopic, TopicCache } from "./topic-cache.ts";

/** Messages of one connection that wait for their response at most; beyond, its input is held until half are answered. */
export const OUTSTANDING_MAX = 65_536;
/** Kafka refuses what is further ahead. */
const TIMESTAMP_AHEAD_MS_MAX = HOUR_MS;
/** The same response many times, written from one block. */
const LINES_PER_BLOCK = 1024;
const BLOCKS = RESPONSE_LINES.map((line) => Buffer.from(line.repeat(LINES_PER_BLOCK)));

/** What was sent since the start, by `NativeStatus`. */
export class NativeCounters {
  readonly responses: number[] = RESPONSE_LINES.map(() => 0);
}

export interface NativeProtocolParts {
  clock: Clock;
  log: Log;
}

export class NativeProtocol<Place> implements FrameHandler<NativeSession<Place>> {
  readonly counters = new NativeCounters();
  readonly #broker: MessageBroker<Place>;
  readonly #clock: Clock;
  readonly #refusedWarning: RateLimitedWarning;
  readonly #topics: TopicCache<Place>;
  /** Used by one message at a time, never across an await. */
  readonly #cursor = new MessageCursor();
  /** Read once a turn, by the first message that needs it; -1 between turns. */
  #arrivedAtMs = -1;

  constructor(broker: MessageBroker<Place>, parts: NativeProtocolParts) {
    this.#broker = broker;
    this.#clock = parts.clock;
    this.#refusedWarning = new RateLimitedWarning(parts.log, parts.clock, "a message could not be stored");
    this.#topics = new TopicCache(broker.topics);
  }

  open(connection: FrameConnection<NativeSession<Place>>): NativeSession<Place> {
    return new NativeSession(connection, this.counters);
  }

  frame(
    connection: FrameConnection<NativeSession<Place>>,
    buffer: Buffer,
    position: number,
    end: number,
  ): void {
    const session = connection.state;
    loopTurns.rename("native");
    connection.expectResponses(1);
    if (!this.#cursor.read(buffer, position, end)) {
      session.respond(NativeStatus.INVALID_FORMAT);
      connection.releaseFrame(end - position);
      return;
    }
    const topic = this.#topics.find(buffer, this.#cursor.topicStart, this.#cursor.topicEnd);
    if (topic === null) this.#publishLater(session, buffer, position, end);
    else {
      this.#publish(session, topic, buffer);
      connection.releaseFrame(end - position);
    }
  }

  turnEnd(connection: FrameConnection<NativeSession<Place>>): void {
    this.#endTurn();
    connection.state.batchCompleted();
  }

  violation(connection: FrameConnection<NativeSession<Place>>, kind: FrameViolation): void {
    connection.expectResponses(1);
    connection.state.respond(kind === "empty" ? NativeStatus.CORRUPTED : NativeStatus.PROTOCOL_ERROR);
  }

  end(connection: FrameConnection<NativeSession<Place>>, incompleteBytes: number): void {
    if (incompleteBytes === 0) return;
    connection.expectResponses(1);
    connection.state.respond(NativeStatus.CORRUPTED);
    connection.state.batchCompleted();
  }

  isPeerWaiting(): boolean {
    return false;
  }

  /** What it writes is a few bytes, and counted by the response queue. */
  written(): void {}

  close(connection: FrameConnection<NativeSession<Place>>): void {
    // A turn that threw has no end of its own.
    this.#endTurn();
    connection.state.close();
  }

  /** Stores the message that the cursor stands on. */
  #publish(session: NativeSession<Place>, { topic, keyless }: CachedTopic<Place>, buffer: Buffer): void {
    const { keyStart, keyEnd, valueStart, valueEnd } = this.#cursor;
    const hasKey = keyEnd > keyStart;
    const partition = hasKey ? this.#partitionFor(topic.partitions, buffer) : keyless;
    const timestampMs = this.#timestamp(this.#cursor.timestampMs);
    try {
      session.pending(
        this.#broker.batcher.append(
          partition,
          timestampMs,
          hasKey ? buffer : null,
          keyStart,
          keyEnd,
          buffer,
          valueStart,
          valueEnd,
        ),
      );
    } catch (error) {
      this.#refuse(session, error, topic.name);
    }
  }

  /** Creates the topic first; meanwhile the connection's input is held. */
  #publishLater(session: NativeSession<Place>, buffer: Buffer, position: number, end: number): void {
    const name = buffer.toString("latin1", this.#cursor.topicStart, this.#cursor.topicEnd);
    if (!isTopicName(name)) {
      this.#failed(session);
      session.connection.releaseFrame(end - position);
      return;
    }
    const kept = Buffer.from(buffer.subarray(position, end));
    session.isCreating = true;
    session.connection.pauseInput();
    this.#broker.topics
      .ensure(name)
      .then(
        () => this.#publishNow(session, kept),
        (error: unknown) => this.#refuse(session, error, name),
      )
      .catch((error: unknown) => session.connection.failed(error))
      .finally(() => {
        session.isCreating = false;
        session.connection.releaseFrame(end - position);
        session.batchCompleted();
      });
  }

  /** A turn of its own: the connections' turns are neither before nor after it. */
  #publishNow(session: NativeSession<Place>, buffer: Buffer): void {
    this.#endTurn();
    this.#cursor.read(buffer, 0, buffer.length);
    const topic = this.#topics.find(buffer, this.#cursor.topicStart, this.#cursor.topicEnd);
    if (topic === null) this.#failed(session);
    else this.#publish(session, topic, buffer);
    this.#endTurn();
  }

  /** A message that never came as far as a partition, where the others are counted. */
  #failed(session: NativeSession<Place>): void {
    this.#broker.counters.messagesReceived += 1;
    this.#broker.counters.messagesFailed += 1;
    session.respond(NativeStatus.PUBLISH_FAILED);
  }

  /** The world's fault becomes a response; our own goes up. */
  #refuse(session: NativeSession<Place>, error: unknown, topic: string): void {
    if (!(error instanceof ObeliskError)) throw error;
    this.#failed(session);
    this.#refusedWarning.tell({ topic, address: session.connection.remoteAddress, reason: error.message });
  }

  #partitionFor(partitions: readonly Place[], buffer: Buffer): Place {
    if (partitions.length === 1) return partitions[0]!;
    return partitions[
      partitionForKey(buffer, this.#cursor.keyStart, this.#cursor.keyEnd, partitions.length)
    ]!;
  }

  #timestamp(timestampMs: number): number {
    if (this.#arrivedAtMs < 0) this.#arrivedAtMs = this.#clock.nowMs();
    const isCredible = timestampMs >= 0 && timestampMs <= this.#arrivedAtMs + TIMESTAMP_AHEAD_MS_MAX;
    return isCredible ? timestampMs : this.#arrivedAtMs;
  }

  /** What holds for one turn only is dropped, before the next message comes. */
  #endTurn(): void {
    this.#topics.startTurn();
    this.#arrivedAtMs = -1;
  }
}

/** One connection: what it is owed, and why its input is held. */
export class NativeSession<Place> implements PendingBatchListener, ResponseWriter {
  readonly connection: FrameConnection<NativeSession<Place>>;
  /** A message waits for its topic. */
  isCreating = false;
  readonly #counters: NativeCounters;
  readonly #queue = new ResponseQueue();
  #isFull = false;

  constructor(connection: FrameConnection<NativeSession<Place>>, counters: NativeCounters) {
    this.connection = connection;
    this.#counters = counters;
  }

  /** Who sends its messages. */
  get principal(): Principal {
    return this.connection.principal;
  }

  pending(batch: Parameters<ResponseQueue["pushPending"]>[0]): void {
    this.#queue.pushPending(batch);
    if (this.#queue.count >= OUTSTANDING_MAX) this.#hold();
  }

  /** Responds without the broker, when everything before has its response. */
  respond(response: NativeStatus): void {
    this.#queue.pushCompleted(response);
    if (this.#queue.count >= OUTSTANDING_MAX) this.#hold();
  }

  /** Writes every response that is due. */
  batchCompleted(): void {
    const responded = this.#queue.drain(this, this);
    if (responded > 0) this.connection.responded(responded);
    if (this.#isFull && this.#queue.count <= OUTSTANDING_MAX / 2) this.#isFull = false;
    if (!this.isCreating && !this.#isFull) this.connection.resumeInput();
  }

  writeResponses(response: NativeStatus, count: number): void {
    this.#counters.responses[response]! += count;
    const block = BLOCKS[response]!;
    const lineBytes = block.length / LINES_PER_BLOCK;
    for (let rest = count; rest > 0; rest -= LINES_PER_BLOCK) {
      this.connection.write(rest < LINES_PER_BLOCK ? block.subarray(0, rest * lineBytes) : block);
    }
  }

  /** Nobody is there to be answered. Batches under way are stored all the same. */
  close(): void {
    this.#queue.clear();
  }

  #hold(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.connection.pauseInput();
  }
}
