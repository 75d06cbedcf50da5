/**
 * One WebSocket on a topic: its client reads and writes over it, in messages of JSON (client-message.ts, subscription.ts).
 *
 *     frames in ---> subscribe, unsubscribe, pause, resume ---> subscription.ts ---> records out
 *               `--> produce ---> stored; when it is committed ---> {"type":"produced","id":2,"partition":0,"offset":7,...}
 *
 * What cannot be done is answered {"type":"error","id":2,"problem":{...}} and the socket stays, unless nothing can follow. Then it is
 * closed with a code and a reason:
 *
 *     1001 the server stops            1008 the peer takes nothing, or answers no ping        4404 the topic is deleted
 *     1003 a binary message            1009 a message above its limit (Bun; no reason)        1011 a fault of ours
 *
 * Neither side runs away from the other: records are read when those before have left, and the socket is read when what came before
 * is on its way (socket-input.ts).
 */

import type { Timer } from "../../base/clock.ts";
import { ObeliskError, toObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import type { Topic } from "../../broker/topic.ts";
import type { HttpParts } from "../http-parts.ts";
import { problemOf } from "../problem.ts";
import { RequestMemory } from "../request-memory.ts";
import {
  type ClientId,
  type ClientMessage,
  InvalidClientMessage,
  readClientMessage,
} from "./client-message.ts";
import type { LiveReader } from "./live-tails.ts";
import { SocketInput } from "./socket-input.ts";
import { type Socket, SocketOutput } from "./socket-output.ts";
import { SocketProducer } from "./socket-producer.ts";
import { Subscription } from "./subscription.ts";
import { Tail } from "./tail.ts";
import { TailMemory } from "./tail-memory.ts";
import { tailPlan } from "./tail-plan.ts";

/** How often `slowMs` an answer to a ping may take: it comes after all that the systems have taken before it. */
const PATIENCE = 2;

export class LiveSocket implements LiveReader {
  readonly #parts: HttpParts;
  readonly #topic: Topic;
  readonly #host: string;
  readonly #requestMemory: RequestMemory;
  readonly #input: SocketInput;
  readonly #output: SocketOutput;
  readonly #producer: SocketProducer;
  #subscription: Subscription | null = null;
  /** The subscription that is being made, or is there; a symbol for each, so that a late one knows that it is. */
  #subscribed: symbol | null = null;
  #isPaused = false;
  /** When its peer was heard of last. */
  #heardAtMs: number;
  /** Since when a ping waits for its answer; -1: none does. */
  #pingedAtMs = -1;
  #timer: Timer | null = null;
  #isOver = false;

  /** @throws ObeliskError as `LiveTails.enter` */
  constructor(parts: HttpParts, topic: Topic, socket: Socket) {
    const { clock } = parts;
    this.#parts = parts;
    this.#topic = topic;
    this.#host = socket.remoteAddress;
    this.#requestMemory = new RequestMemory(parts.requestBudget, this.#host);
    this.#producer = new SocketProducer(parts, topic, this.#requestMemory);
    this.#output = new SocketOutput(socket, clock);
    this.#input = new SocketInput({
      socket,
      clock,
      memory: this.#requestMemory,
      mayTake: () => !this.#producer.isFull && !this.#output.isBlocked,
      take: (frame) => this.#take(frame),
    });
    this.#heardAtMs = clock.monotonicMs();
    parts.live.enter(this);
    this.#watch();
  }

  received(frame: string | Buffer): void {
    loopTurns.enter("http");
    this.heard();
    if (typeof frame === "string") this.#input.received(Buffer.from(frame));
    else this.#close(1003, "UNSUPPORTED_MEDIA_TYPE: messages are text");
  }

  /** Anything that only a peer can do who is there: also a ping, or the answer to one of ours. */
  heard(): void {
    this.#heardAtMs = this.#parts.clock.monotonicMs();
    this.#pingedAtMs = -1;
  }

  drained(): void {
    loopTurns.enter("http");
    this.heard(); // it has taken something
    this.#output.drained();
    this.#input.changed();
  }

  closed(): void {
    this.#output.closed();
    this.#leave();
  }

  end(error: ObeliskError): void {
    this.#refuse(null, error);
    this.#close(closeCodeOf(error), `${error.code}: ${error.message}`);
  }

  #take(frame: Buffer): void {
    try {
      this.#obey(readClientMessage(frame), frame);
    } catch (thrown) {
      if (!(thrown instanceof InvalidClientMessage)) throw thrown;
      this.#refuse(thrown.id, thrown.error);
    }
  }

  #obey(message: ClientMessage, frame: Buffer): void {
    const { type, id } = message;
    switch (type) {
      case "subscribe":
        void this.#subscribe(message);
        return;
      case "produce":
        void this.#produce(id, frame, message.start, message.end);
        return;
      case "unsubscribe":
        this.#unsubscribe();
        break;
      case "pause":
        this.#isPaused = true;
        this.#subscription?.pause();
        break;
      case "resume":
        this.#isPaused = false;
        this.#subscription?.resume();
        break;
    }
    this.#output.send({ type: `${type}d`, ...idField(id) });
  }

  async #subscribe({ id, query, position }: ClientMessage & { type: "subscribe" }): Promise<void> {
    if (this.#subscribed !== null) {
      const detail = "there is a subscription already";
      return this.#refuse(id, new ObeliskError("INVALID_REQUEST", { detail, remedy: "unsubscribe first" }));
    }
    const mine = Symbol();
    this.#subscribed = mine;
    const isMine = () => this.#subscribed === mine;
    const { clock, live, responseBudget } = this.#parts;
    const memory = new TailMemory(responseBudget, this.#host, () => this.#cut());
    try {
      const plan = await tailPlan(this.#topic, query, position, isMine);
      if (!isMine()) return;
      const tail = new Tail({ topic: this.#topic, clock, ...plan });
      const output = this.#output;
      const { times } = live;
      const subscription = new Subscription({ tail, limit: plan.limit, output, memory, clock, times });
      this.#subscription = subscription;
      if (this.#isPaused) subscription.pause();
      output.send({ type: "subscribed", ...idField(id), ...subscription.place });
      await subscription.run();
    } catch (thrown) {
      if (isMine()) this.#fail(id, thrown);
    } finally {
      memory.close();
      if (isMine()) this.#unsubscribe();
    }
  }

  #unsubscribe(): void {
    this.#subscribed = null;
    this.#subscription?.close();
    this.#subscription = null;
  }

  async #produce(id: ClientId, frame: Buffer, start: number, end: number): Promise<void> {
    try {
      const { failure, told } = await this.#producer.store(frame, start, end);
      if (failure === null) this.#output.send({ type: "produced", ...idField(id), ...told });
      else this.#refuse(id, failure, told);
    } catch (thrown) {
      this.#fail(id, thrown);
    }
    this.#input.changed();
  }

  /** What happened to a request; the socket goes, if its topic has gone or the fault is ours. */
  #fail(id: ClientId, thrown: unknown): void {
    if (this.#isOver) return;
    const error = toObeliskError(thrown);
    this.#refuse(id, error);
    const isGone = this.#parts.broker.topics.get(this.#topic.name) !== this.#topic;
    if (isGone) this.#close(4404, "UNKNOWN_TOPIC_OR_PARTITION: the topic is deleted");
    if (error.code !== "UNKNOWN_SERVER_ERROR") return;
    this.#parts.log.error("a WebSocket failed by a fault of Obelisk itself", { reason: String(thrown) });
    this.#close(1011, error.code);
  }

  #refuse(id: ClientId, error: ObeliskError, members: object = {}): void {
    this.#output.send({ type: "error", ...idField(id), problem: problemOf(error, { ...members }) });
  }

  #cut(detail?: string): void {
    if (this.#isOver) return;
    this.#parts.live.cutSlow += 1;
    this.end(new ObeliskError("SLOW_READER", detail === undefined ? {} : { detail }));
  }

  #watch(): void {
    const { clock, live } = this.#parts;
    const { slowMs, heartbeatMs } = live.times;
    this.#timer = clock.after(Math.min(slowMs / 4, heartbeatMs), () => {
      loopTurns.enter("http");
      this.#look(clock.monotonicMs());
      if (!this.#isOver) this.#watch();
    });
  }

  /** Whether its peer takes what there is, and is there at all. */
  #look(nowMs: number): void {
    const { slowMs, heartbeatMs } = this.#parts.live.times;
    const { blockedMs } = this.#output;
    if (this.#input.isPaused) this.heard(); // it could not be
    if (blockedMs >= slowMs) this.#cut();
    else if (blockedMs >= slowMs / 4) this.#subscription?.tail.drop();
    if (this.#pingedAtMs >= 0) {
      if (nowMs - this.#pingedAtMs >= PATIENCE * slowMs) this.#cut("no ping is answered");
    } else if (!this.#output.isBlocked && nowMs - this.#heardAtMs >= heartbeatMs) {
      this.#pingedAtMs = nowMs;
      this.#output.ping();
    }
  }

  #close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#leave();
    this.#output.close(code, reason);
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#input.close();
    this.#unsubscribe();
    this.#parts.live.leave(this);
    this.#requestMemory[Symbol.dispose]();
  }
}

function closeCodeOf({ code }: ObeliskError): number {
  if (code === "NOT_READY") return 1001;
  return code === "UNKNOWN_SERVER_ERROR" ? 1011 : 1008;
}

function idField(id: ClientId): { id?: ClientId } {
  return id === null ? {} : { id };
}
