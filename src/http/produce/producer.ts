/**
 * `POST /topics/{topic}/messages`: messages in, places out, after they are committed.
 *
 *   one message        shares the partition's open batch with whoever else writes (store-one.ts)
 *   a list             a batch of its own for each partition, stored whole or not at all
 *   NDJSON             the same, group by group, as they come (message-stream.ts)
 *   Idempotency-Key    a batch of its own, which the partition knows again (idempotency-key.ts)
 *
 * A topic that does not exist is created as the native protocol does, unless topics are not created automatically. A list that cannot be
 * stored as a whole is refused with the first reason, and tells what became of each message.
 */

import { crc32c } from "../../base/crc32c.ts";
import { ObeliskError } from "../../base/errors.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Broker } from "../../broker/broker.ts";
import type { Topic } from "../../broker/topic.ts";
import { END, MESSAGE, MessageReader, PAUSED } from "../../protocol/record/message-json.ts";
import { checkUtf8, isJsonType, mediaTypeOf, readBody, SMALL_BYTES, toldBytes } from "../body.ts";
import type { HttpParts } from "../http-parts.ts";
import { problemResponse } from "../problem.ts";
import { RequestMemory } from "../request-memory.ts";
import { IdempotencyKey } from "./idempotency-key.ts";
import { MessageBatches } from "./message-batches.ts";
import { storeStream } from "./message-stream.ts";
import { storeOne } from "./store-one.ts";

/** Readers kept for reuse: each has a stack of a kilobyte. */
const READERS_KEPT = 64;
/** Messages between two looks at the clock. */
const MESSAGES_AT_ONCE = 256;
const JSON_HEADERS = { headers: { "content-type": "application/json" } };

export const NDJSON_TYPES: ReadonlySet<string> = new Set([
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/x-jsonlines",
]);

export class HttpProducer {
  readonly #parts: HttpParts;
  readonly #broker: Broker;
  readonly #readers: MessageReader[] = [];

  constructor(parts: HttpParts) {
    this.#parts = parts;
    this.#broker = parts.broker;
  }

  /** @throws ObeliskError */
  async produce(request: Request, topicName: string): Promise<Response> {
    const type = mediaTypeOf(request);
    const key = IdempotencyKey.of(request);
    if (NDJSON_TYPES.has(type)) return await this.#produceStream(request, topicName, key);
    if (!isJsonType(type)) throw unsupportedType(type);
    const told = toldBytes(request);
    if (told >= 0 && told <= SMALL_BYTES) return await this.#produceDocument(request, topicName, key, null);
    using memory = this.#memoryOf(request);
    return await this.#produceDocument(request, topicName, key, memory);
  }

  async #produceDocument(
    request: Request,
    topicName: string,
    key: IdempotencyKey | null,
    memory: RequestMemory | null,
  ): Promise<Response> {
    const body = await readBody(request, this.#parts.bodyBytesMax, () => memory!);
    if (memory !== null) await memory.reserve(body.length); // what is made of it
    checkUtf8(body);
    const topic = this.#broker.topics.get(topicName) ?? (await this.#broker.topics.ensure(topicName));
    const reader = this.#readers.pop() ?? new MessageReader();
    reader.reset(body, 0, body.length);
    let step = reader.step();
    if (step === MESSAGE && !reader.isList && key === null) {
      const stored = storeOne(this.#broker, this.#parts.clock, topic, reader);
      this.#keep(reader);
      const { partition, offset, timestamp } = await stored;
      // Names of topics need no escapes.
      const text = `{"topic":"${topic.name}","partition":${partition},"offset":${offset},"timestamp":${timestamp}}`;
      return new Response(text, JSON_HEADERS);
    }
    const batches = this.#batchesFor(topic, key);
    const share = new TurnShare(this.#parts.clock);
    for (; step !== END; step = reader.step()) {
      if (step === MESSAGE) batches.add(reader);
      const isLook = step === PAUSED || batches.count % MESSAGES_AT_ONCE === 0;
      if (isLook && share.isUsedUp) await share.rest();
    }
    const { isList } = reader;
    this.#keep(reader);
    await batches.store(key === null ? 0 : crc32c(body, 0, body.length));
    return answer(topic.name, batches, isList);
  }

  async #produceStream(request: Request, topicName: string, key: IdempotencyKey | null): Promise<Response> {
    const { bodyBytesMax, servers } = this.#parts;
    const memory = this.#memoryOf(request);
    return await storeStream({
      request,
      memory,
      key,
      lineBytesMax: bodyBytesMax,
      keepOpen: (seconds) => servers.of(request).timeout(request, seconds),
      batches: async (group) =>
        this.#batchesFor(
          this.#broker.topics.get(topicName) ?? (await this.#broker.topics.ensure(topicName)),
          key,
          group,
        ),
    });
  }

  #batchesFor(topic: Topic, key: IdempotencyKey | null, group = 0): MessageBatches {
    const { partitions } = topic;
    const keyless = key === null ? topic.nextPartition() : partitions[key.partitionOf(partitions.length)]!;
    return new MessageBatches({ topic, keyless, nowMs: this.#parts.clock.nowMs(), key, group });
  }

  #memoryOf(request: Request): RequestMemory {
    const host = this.#parts.servers.of(request).requestIP(request)?.address ?? "";
    return new RequestMemory(this.#parts.requestBudget, host);
  }

  #keep(reader: MessageReader): void {
    if (this.#readers.length < READERS_KEPT) this.#readers.push(reader);
  }
}

function unsupportedType(type: string): ObeliskError {
  const detail = `messages cannot be sent as ${type}`;
  return new ObeliskError("UNSUPPORTED_MEDIA_TYPE", {
    detail,
    remedy: "send application/json, or application/x-ndjson for a stream",
  });
}

function answer(topic: string, batches: MessageBatches, isList: boolean): Response {
  const { failure } = batches;
  const messages = batches.outcomes();
  if (failure !== null) return problemResponse(failure, isList ? { messages } : {});
  return Response.json(isList ? { topic, messages } : { topic, ...messages[0] });
}
