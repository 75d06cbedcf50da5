/**
 * A response that goes on for long, made piece by piece, as fast as its reader takes them.
 *
 *     source ---> a piece ---> Bun ---> the reader takes it ---> the next piece
 *                                `-- takes nothing for `slowMs`, or others wait for its memory: cut, with SLOW_READER as last words
 *
 * A piece is made when Bun wants one, which is when the socket has taken the one before. So a reader that stops reading stops the reading of
 * the log for it; what it holds is one piece, and what was read for it (tail-memory.ts). Whatever ends a stream early is said in its last words;
 * a reader that was cut has some seconds to take them.
 */

import type { Timer } from "../../base/clock.ts";
import { ObeliskError, toObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import type { HttpParts } from "../http-parts.ts";
import type { LiveReader } from "./live-tails.ts";
import { TailMemory } from "./tail-memory.ts";

/** How long a reader that was cut has to take the reason. */
const LEAVE_SECONDS = 5;

/** What a stream consists of. */
export interface StreamSource {
  /** What was read of the log and is not given yet. */
  readonly heldBytes: number;
  /** The next piece; null: that was all. What it returns is thrown away when the stream is over. @throws ObeliskError */
  next(stream: PacedStream): Promise<string | null>;
  /** Lets go of what was read and is not given yet: it can be read again. */
  drop(): void;
  /** Why it ends, as its reader expects it. */
  lastWords(error: ObeliskError): string;
  close(): void;
}

export class PacedStream implements LiveReader {
  /** A source asks for room (`begin`) before it reads, and gives back what it holds (`release`) before it waits. */
  readonly memory: TailMemory;
  readonly #source: StreamSource;
  readonly #parts: HttpParts;
  /** Sets after how many seconds without a byte Bun closes the connection; 0: never. */
  readonly #timeout: (seconds: number) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Since when a piece waits for its reader; -1: none does. */
  #waitingSinceMs = -1;
  #timer: Timer | null = null;
  #isOver = false;

  constructor(parts: HttpParts, request: Request, source: StreamSource) {
    const server = parts.servers.of(request);
    this.#parts = parts;
    this.#source = source;
    this.#timeout = (seconds) => server.timeout(request, seconds);
    const host = server.requestIP(request)?.address ?? "";
    this.memory = new TailMemory(parts.responseBudget, host, () => this.#cut());
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** `stays`: it may go on for ever, and takes a place among those that do. @throws ObeliskError as `LiveTails.enter` */
  respond({ signal }: Request, headers: Readonly<Record<string, string>>, stays: boolean): Response {
    if (stays) this.#parts.live.enter(this);
    this.#timeout(0);
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
    return new Response(body, { headers });
  }

  end(error: ObeliskError): void {
    this.#finish(this.#source.lastWords(error));
  }

  /** The reader has taken everything. Resolves when there is a further piece for it, or the end. */
  async #pull(): Promise<void> {
    loopTurns.enter("http");
    this.#waitingSinceMs = -1;
    try {
      const text = await this.#source.next(this);
      if (this.#isOver) return;
      if (text === null) this.#finish("");
      else this.#send(text);
    } catch (thrown) {
      if (this.#isOver) return;
      const error = toObeliskError(thrown);
      if (error.code === "UNKNOWN_SERVER_ERROR")
        this.#parts.log.error("a stream over HTTP failed by a fault of Obelisk itself", {
          reason: String(thrown),
        });
      this.end(error);
    }
  }

  #send(text: string): void {
    const chunk = Buffer.from(text);
    this.memory.hold(chunk.length + this.#source.heldBytes, chunk.length);
    this.#waitingSinceMs = this.#parts.clock.monotonicMs();
    this.#controller!.enqueue(chunk);
  }

  /** Looks now and then whether the reader takes what there is. */
  #watch(): void {
    if (this.#isOver) return;
    const { clock, live } = this.#parts;
    const { slowMs } = live.times;
    this.#timer = clock.after(slowMs / 4, () => {
      const waitedMs = this.#waitingSinceMs < 0 ? 0 : clock.monotonicMs() - this.#waitingSinceMs;
      if (waitedMs >= slowMs) this.#cut();
      else if (waitedMs >= slowMs / 4) this.#source.drop();
      this.#watch();
    });
  }

  #cut(): void {
    if (this.#isOver) return;
    this.#parts.live.cutSlow += 1;
    this.end(new ObeliskError("SLOW_READER"));
  }

  #finish(text: string): void {
    if (this.#isOver) return;
    this.#timeout(LEAVE_SECONDS);
    if (text !== "") this.#controller?.enqueue(Buffer.from(text));
    this.#controller?.close();
    this.#close();
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#source.close();
    this.memory.close();
    this.#parts.live.leave(this);
  }
}
