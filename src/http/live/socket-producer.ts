/**
 * Stores what comes over one WebSocket: a message shares its partition's open batch with whoever else writes (produce/store-one.ts), a
 * list has batches of its own (produce/message-batches.ts).
 *
 * Messages are stored in the order in which they come. So many at most are under way (`isFull`): further ones wait in the socket.
 */

import { ObeliskError } from "../../base/errors.ts";
import { MiB } from "../../base/units.ts";
import type { Topic } from "../../broker/topic.ts";
import { END, MESSAGE, MessageReader, PAUSED } from "../../protocol/record/message-json.ts";
import type { HttpParts } from "../http-parts.ts";
import { MessageBatches } from "../produce/message-batches.ts";
import { storeOne } from "../produce/store-one.ts";
import type { RequestMemory } from "../request-memory.ts";

/** Requests that are not answered yet: what a fast disk commits in some syncs. */
const UNDER_WAY_MAX = 1_000;
/** Their bytes: as long as it takes to sync them, more than a gigabit a second. */
const UNDER_WAY_BYTES_MAX = MiB;
/** Of one list: it is read at once, within some 3 ms. */
const LIST_MAX = 1_000;
/** Of a request, beside what it stores. */
const REQUEST_BYTES = 512;

const reader = new MessageReader();

export interface StoreResult {
  /** Why some of a list is not stored. */
  readonly failure: ObeliskError | null;
  /** Where the message is; or what became of each of the list. */
  readonly told: object;
}

export class SocketProducer {
  readonly #parts: HttpParts;
  readonly #topic: Topic;
  readonly #memory: RequestMemory;
  #underWay = 0;
  #bytes = 0;

  constructor(parts: HttpParts, topic: Topic, memory: RequestMemory) {
    this.#parts = parts;
    this.#topic = topic;
    this.#memory = memory;
  }

  get isFull(): boolean {
    return this.#underWay >= UNDER_WAY_MAX || this.#bytes >= UNDER_WAY_BYTES_MAX;
  }

  /** Resolves when it is committed. What lies in the frame is copied before this returns. @throws ObeliskError */
  async store(frame: Buffer, start: number, end: number): Promise<StoreResult> {
    const bytes = REQUEST_BYTES + end - start;
    this.#underWay += 1;
    this.#bytes += bytes;
    this.#memory.charge(bytes);
    try {
      return await this.#store(frame, start, end);
    } finally {
      this.#underWay -= 1;
      this.#bytes -= bytes;
      this.#memory.release(bytes);
    }
  }

  async #store(frame: Buffer, start: number, end: number): Promise<StoreResult> {
    const { broker, clock } = this.#parts;
    const topic = this.#topic;
    reader.reset(frame, start, end);
    let step = reader.step();
    while (step === PAUSED) step = reader.step(); // a frame is small
    if (step === MESSAGE && !reader.isList)
      return { failure: null, told: await storeOne(broker, clock, topic, reader) };
    const keyless = topic.nextPartition();
    const batches = new MessageBatches({ topic, keyless, nowMs: clock.nowMs(), key: null, group: 0 });
    for (; step !== END; step = reader.step()) {
      if (step !== MESSAGE) continue;
      if (batches.count === LIST_MAX) throw listTooLong();
      batches.add(reader);
    }
    await batches.store(0);
    return { failure: batches.failure, told: { messages: batches.outcomes() } };
  }
}

function listTooLong(): ObeliskError {
  return new ObeliskError("INVALID_REQUEST", {
    detail: "the list is too long",
    limit: LIST_MAX,
    remedy: "send several, without waiting for answers",
  });
}
