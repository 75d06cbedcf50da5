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
 * A chunk is made when Bun wants one, which is when the socket has taken the one before. So a reader that stops reading stops the reading of
 * the log for it; what it holds is one chunk (tail-memory.ts). After `slowMs` it is cut: SLOW_READER, and it may come back.
 */

import type { Timer } from "../../base/clock.ts";
import { ObeliskError, toObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { SECOND_MS } from "../../base/units.ts";
import type { Topic } from "../../broker/topic.ts";
import { recordJson } from "../../protocol/record/record-json.ts";
import type { HttpParts } from "../http-parts.ts";
import { problemOf } from "../problem.ts";
import type { LiveReader } from "./live-tails.ts";
import { STEP_BYTES, Tail } from "./tail.ts";
import { TailMemory } from "./tail-memory.ts";
import { type TailQuery, tailPlan } from "./tail-plan.ts";
import { positionText, topicMark } from "./tail-position.ts";

/** How long a client waits before it comes back. */
const RETRY_MS = SECOND_MS;
/** How long a reader that was cut has to take the reason. */
const LEAVE_SECONDS = 5;

/** Of an event, beside its id and its record. */
const EVENT_BYTES = 128;

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Proxies of nginx's kind would gather events.
  "x-accel-buffering": "no",
};

interface EventStreamOptions {
  readonly tail: Tail;
  /** Records after which it ends; may be Infinity. */
  readonly limit: number;
  readonly parts: HttpParts;
  readonly host: string;
  /** Sets after how many seconds without a byte Bun closes the connection; 0: never. */
  readonly timeout: (seconds: number) => void;
}

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
  const { clock, live, servers } = parts;
  const { signal } = request;
  live.checkRoom();
  const lastId = request.headers.get("last-event-id") ?? "";
  const plan = await tailPlan(topic, query, lastId === "" ? null : lastId, () => !signal.aborted);
  live.checkRoom(); // others may have come meanwhile
  const server = servers.of(request);
  const stream = new EventStream({
    tail: new Tail({ topic, clock, ...plan }),
    limit: plan.limit,
    parts,
    host: server.requestIP(request)?.address ?? "",
    timeout: (seconds) => server.timeout(request, seconds),
  });
  return stream.respond(signal);
}

class EventStream implements LiveReader {
  readonly #options: EventStreamOptions;
  readonly #tail: Tail;
  readonly #memory: TailMemory;
  readonly #mark: string;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #left: number;
  /** The position that the reader knows. */
  #toldPosition = "";
  /** Since when a chunk waits for its reader; -1: none does. */
  #waitingSinceMs = -1;
  #timer: Timer | null = null;
  #isOver = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#tail = options.tail;
    this.#left = options.limit;
    this.#mark = topicMark(options.tail.topic.id);
    this.#memory = new TailMemory(options.parts.responseBudget, options.host, () => this.#cut());
  }

  respond(signal: AbortSignal): Response {
    const { parts, timeout } = this.#options;
    parts.live.enter(this);
    timeout(0);
    signal.addEventListener("abort", () => this.#close());
    if (signal.aborted) this.#close();
    this.#watch();
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#pull(),
        cancel: () => this.#close(),
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: HEADERS });
  }

  end(error: ObeliskError): void {
    this.#finish(eventText("problem", null, JSON.stringify(problemOf(error))));
  }

  /** The reader has taken everything. Resolves when there is a further chunk for it, or the end. */
  async #pull(): Promise<void> {
    loopTurns.enter("http");
    this.#waitingSinceMs = -1;
    try {
      const text = this.#toldPosition === "" ? this.#beginning() : await this.#nextText();
      if (this.#isOver) return;
      this.#send(text);
      if (this.#left === 0) this.#finish(eventText("end", null, `{"reason":"limit"}`));
    } catch (thrown) {
      if (this.#isOver) return;
      const error = toObeliskError(thrown);
      if (error.code === "UNKNOWN_SERVER_ERROR")
        this.#options.parts.log.error("a live tail failed by a fault of Obelisk itself", {
          reason: String(thrown),
        });
      this.end(error);
    }
  }

  #beginning(): string {
    return `retry: ${RETRY_MS}\n${this.#positionEvent()}`;
  }

  async #nextText(): Promise<string> {
    const tail = this.#tail;
    const { clock, live } = this.#options.parts;
    const heartbeatAtMs = clock.monotonicMs() + live.times.heartbeatMs;
    while (!this.#isOver) {
      await this.#memory.begin();
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
      this.#memory.release();
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

  #send(text: string): void {
    const chunk = Buffer.from(text);
    this.#memory.hold(chunk.length + this.#tail.heldBytes, chunk.length);
    this.#waitingSinceMs = this.#options.parts.clock.monotonicMs();
    this.#controller!.enqueue(chunk);
  }

  /** Looks now and then whether the reader takes what there is. */
  #watch(): void {
    const { clock, live } = this.#options.parts;
    const { slowMs } = live.times;
    this.#timer = clock.after(slowMs / 4, () => {
      if (this.#waitingSinceMs >= 0) {
        const waitedMs = clock.monotonicMs() - this.#waitingSinceMs;
        if (waitedMs >= slowMs) return this.#cut();
        if (waitedMs >= slowMs / 4) this.#tail.drop();
      }
      this.#watch();
    });
  }

  #cut(): void {
    if (this.#isOver) return;
    this.#options.parts.live.cutSlow += 1;
    this.end(new ObeliskError("SLOW_READER"));
  }

  #finish(text: string): void {
    if (this.#isOver) return;
    this.#options.timeout(LEAVE_SECONDS);
    this.#controller?.enqueue(Buffer.from(text));
    this.#controller?.close();
    this.#close();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#tail.close();
    this.#memory.close();
    this.#options.parts.live.leave(this);
  }
}

/** `data` has no line end. */
function eventText(kind: string, id: string | null, data: string): string {
  return id === null ? `event: ${kind}\ndata: ${data}\n\n` : `event: ${kind}\nid: ${id}\ndata: ${data}\n\n`;
}
