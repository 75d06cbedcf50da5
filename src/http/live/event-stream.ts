/**
 * A live tail as server-sent events (HTML standard, 9.2), one record an event:
 *
 *   event: message                            kinds   message      a record (record-json.ts)
 *   id: 5f3a9c01/0:121,1:45                           position     {"0":121,"1":45}: where it stands, at the beginning and when it
 *   data: {"topic":"t","partition":0,...}                          has passed over much that did not match
 *                                                     unreadable   a batch that was passed over, and why
 *   retry: 1000     :  (a heartbeat)                  end          {"reason":"limit"}
 *                                                     problem      why it ends: a problem document
 *
 * The id is the position after the event, in all partitions: a client that sends it back as `Last-Event-ID` goes on with the next record,
 * and misses none and sees none twice. There is one from the very beginning, so that a tail of what comes from now on can be resumed
 * before anything came.
 *
 * How a reader that does not keep up is treated says paced-stream.ts; it may come back.
 */

import type { ObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { SECOND_MS } from "../../base/units.ts";
import type { Topic } from "../../broker/topic.ts";
import { recordJson } from "../../protocol/record/record-json.ts";
import type { HttpParts } from "../http-parts.ts";
import { problemOf } from "../problem.ts";
import { PacedStream, type StreamSource } from "./paced-stream.ts";
import { STEP_BYTES, Tail } from "./tail.ts";
import { type TailQuery, tailPlan } from "./tail-plan.ts";
import { positionText, topicMark } from "./tail-position.ts";

/** How long a client waits before it comes back. */
const RETRY_MS = SECOND_MS;
/** Of an event, beside its id and its record. */
const EVENT_BYTES = 128;

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Proxies of nginx's kind would gather events.
  "x-accel-buffering": "no",
};

/** Whether the client asks for server-sent events, as every EventSource does. */
export function acceptsEvents(request: Request): boolean {
  return /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(request.headers.get("accept") ?? "");
}

/** @throws ObeliskError for what is known before the first event */
export async function openEventStream(
  parts: HttpParts,
  request: Request,
  topic: Topic,
  query: TailQuery,
): Promise<Response> {
  const { clock, live } = parts;
  const { signal } = request;
  live.checkRoom();
  const lastId = request.headers.get("last-event-id") ?? "";
  const plan = await tailPlan(topic, query, lastId === "" ? null : lastId, () => !signal.aborted);
  live.checkRoom(); // others may have come meanwhile
  const events = new TailEvents(new Tail({ topic, clock, ...plan }), plan.limit, parts);
  return new PacedStream(parts, request, events).respond(request, HEADERS, true);
}

class TailEvents implements StreamSource {
  readonly #tail: Tail;
  readonly #parts: HttpParts;
  readonly #mark: string;
  #left: number;
  /** The position that the reader knows. */
  #toldPosition = "";

  /** `limit`: records after which it ends; may be Infinity. */
  constructor(tail: Tail, limit: number, parts: HttpParts) {
    this.#tail = tail;
    this.#left = limit;
    this.#parts = parts;
    this.#mark = topicMark(tail.topic.id);
  }

  get heldBytes(): number {
    return this.#tail.heldBytes;
  }

  async next(stream: PacedStream): Promise<string | null> {
    if (this.#left === 0) return null;
    const text = this.#toldPosition === "" ? this.#beginning() : await this.#nextText(stream);
    return this.#left === 0 ? text + eventText("end", null, `{"reason":"limit"}`) : text;
  }

  drop(): void {
    this.#tail.drop();
  }

  lastWords(error: ObeliskError): string {
    return eventText("problem", null, JSON.stringify(problemOf(error)));
  }

  close(): void {
    this.#tail.close();
  }

  #beginning(): string {
    return `retry: ${RETRY_MS}\n${this.#positionEvent()}`;
  }

  async #nextText(stream: PacedStream): Promise<string> {
    const tail = this.#tail;
    const { clock, live } = this.#parts;
    const heartbeatAtMs = clock.monotonicMs() + live.times.heartbeatMs;
    while (!stream.isOver) {
      await stream.memory.begin();
      const records = await tail.step(Math.min(this.#left, this.#stepRecords()));
      let text = "";
      for (const record of records) {
        const position = this.#positionAt(record.partition, record.offset + 1);
        text += eventText("message", position, JSON.stringify(recordJson(record)));
      }
      this.#left -= records.length;
      for (const batch of tail.unreadable)
        text += eventText("unreadable", this.#positionNow(), JSON.stringify(batch));
      if (text !== "") return text;
      const leftMs = heartbeatAtMs - clock.monotonicMs();
      if (leftMs <= 0) return this.#heartbeat();
      if (tail.isBehind) continue;
      stream.memory.release();
      await tail.wait(leftMs);
      loopTurns.enter("http");
    }
    return "";
  }

  /** So many that what surrounds them is not larger than the records themselves: with many partitions the ids are long. */
  #stepRecords(): number {
    return Math.ceil(STEP_BYTES / (EVENT_BYTES + this.#toldPosition.length));
  }

  /** A comment; or the position, when it has moved without a word. No empty line follows the comment: some clients take that for an event. */
  #heartbeat(): string {
    const told = this.#toldPosition;
    return this.#positionNow() === told ? ":\n" : this.#positionEvent();
  }

  #positionEvent(): string {
    return eventText("position", this.#positionNow(), JSON.stringify(Object.fromEntries(this.#tail.offsets)));
  }

  #positionNow(): string {
    this.#toldPosition = positionText(this.#mark, this.#tail.offsets);
    return this.#toldPosition;
  }

  /** Where the tail stands after this record, while it has read on. */
  #positionAt(partition: number, offset: number): string {
    const { offsets } = this.#tail;
    const read = offsets.get(partition)!;
    offsets.set(partition, offset);
    const position = this.#positionNow();
    offsets.set(partition, read);
    return position;
  }
}

/** `data` has no line end. */
function eventText(kind: string, id: string | null, data: string): string {
  return id === null ? `event: ${kind}\ndata: ${data}\n\n` : `event: ${kind}\nid: ${id}\ndata: ${data}\n\n`;
}
