/**
 * NDJSON in, NDJSON out: a stream of messages, one a line, stored in groups while it comes.
 *
 *     chunk -> lines -> group -> batches -> committed -> {"lines": 1500, "partitions": [{"partition": 0, "offset": 40, "count": 1500}]}
 *
 *   - A line of the answer says that all lines up to `lines` are committed, and where those of its group are. It comes as soon as
 *     that is so.
 *   - A group is what has come so far, bounded. With an Idempotency-Key it is always as many lines, so that groups are the same when
 *     the stream comes again.
 *   - `GROUPS_MAX` groups wait for their commit, or for their answer to be taken; then the body is not read on. An answer is some 100
 *     bytes, so a peer that reads none before it has sent all may send some GB.
 *   - What is wrong ends the stream: the last line is {"lines": N, "error": problem document}; N lines are stored, and none of the group
 *     that has a line that is wrong. When nothing is stored yet, the response itself is the problem.
 *   - A last line without its end counts, unless the peer went away in the middle of it.
 */

import { crc32c } from "../../base/crc32c.ts";
import { ObeliskError } from "../../base/errors.ts";
import { LineCutter } from "../../base/line-cutter.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import { KiB } from "../../base/units.ts";
import { END, MESSAGE, MessageReader } from "../../protocol/record/message-json.ts";
import { checkUtf8, chunksOf } from "../body.ts";
import { problemOf } from "../problem.ts";
import type { RequestMemory } from "../request-memory.ts";
import type { IdempotencyKey } from "./idempotency-key.ts";
import type { MessageBatches } from "./message-batches.ts";

/** Lines of one group, and bytes after which it is closed. */
const GROUP_LINES_MAX = 1000;
const GROUP_BYTES_MAX = 128 * KiB;
/** Groups under way: so many that the disk is never idle, and no more memory than `STREAM_BYTES`. */
const GROUPS_MAX = 4;
/** What a stream holds of the memory for requests. */
const STREAM_BYTES = (GROUPS_MAX + 2) * GROUP_BYTES_MAX;
/** A stream that is silent for so long is closed. */
const IDLE_SECONDS = 120;

export interface StreamOptions {
  readonly request: Request;
  readonly memory: RequestMemory;
  readonly key: IdempotencyKey | null;
  /** Of one line. */
  readonly lineBytesMax: number;
  /** How long the connection may be silent. */
  readonly keepOpen: (seconds: number) => void;
  /** For the group of that number. @throws ObeliskError when the topic does not exist, any more or at all */
  readonly batches: (group: number) => Promise<MessageBatches>;
}

/** Resolves when the first group is committed. @throws ObeliskError when it is refused */
export async function storeStream(options: StreamOptions): Promise<Response> {
  const { memory, keepOpen, request } = options;
  const answers = new MessageStream(options).answers();
  try {
    keepOpen(IDLE_SECONDS);
    if (request.body !== null) await memory.reserve(STREAM_BYTES);
    memory.isPeerAwaited = true;
    const first = await answers.next();
    if (first.done !== true && first.value instanceof ObeliskError) throw first.value;
    return new Response(streamOf(first, answers, memory), {
      headers: { "content-type": "application/x-ndjson" },
    });
  } catch (thrown) {
    await answers.return();
    memory[Symbol.dispose]();
    throw thrown;
  }
}

function streamOf(
  first: IteratorResult<Answer, void>,
  answers: AsyncGenerator<Answer, void>,
  memory: RequestMemory,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next: Promise<IteratorResult<Answer, void>> | IteratorResult<Answer, void> = first;
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const result = await next;
      if (result.done === true) {
        memory[Symbol.dispose]();
        controller.close();
        return;
      }
      const { value } = result;
      const line = value instanceof ObeliskError ? { lines: 0, error: problemOf(value) } : value;
      controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      next = answers.next();
    },
    cancel: async () => {
      memory[Symbol.dispose]();
      await answers.return();
    },
  });
}

interface Committed {
  readonly lines: number;
  readonly partitions: readonly object[];
}

interface Failed {
  readonly lines: number;
  readonly error: object;
}

/** An error: nothing at all is stored. */
type Answer = Committed | Failed | ObeliskError;

interface Group {
  readonly batches: MessageBatches;
  /** Lines up to its end. */
  readonly lines: number;
  readonly stored: Promise<void>;
}

class MessageStream {
  readonly #options: StreamOptions;
  readonly #cutter: LineCutter;
  readonly #reader = new MessageReader();
  /** Taken, and not answered yet. */
  readonly #groups: Group[] = [];
  #batches: MessageBatches | null = null;
  #contentCrc = 0;
  #lines = 0;
  #committedLines = 0;
  #groupsBegun = 0;
  /** What the line that has begun is counted for. */
  #chargedBytes = 0;
  /** Nobody wants an answer any more. */
  #isStopped = false;
  #isTaken = false;
  #fault: unknown = null;
  /** Of whoever waits: for a group, or for room for one. */
  #wakeAnswers: () => void = () => {};
  #wakeIntake: () => void = () => {};

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#cutter = new LineCutter(options.lineBytesMax, "the body");
  }

  async *answers(): AsyncGenerator<Answer, void> {
    void this.#takeAll();
    try {
      for (;;) {
        const group = this.#groups[0];
        if (group !== undefined) {
          await group.stored;
          const { failure } = group.batches;
          if (failure !== null) {
            yield this.#failed(failure);
            return;
          }
          this.#committedLines = group.lines;
          this.#groups.shift();
          this.#wakeIntake();
          yield { lines: group.lines, partitions: group.batches.ranges() };
        } else if (this.#isTaken) {
          if (this.#fault === null) return;
          if (!(this.#fault instanceof ObeliskError)) throw this.#fault;
          yield this.#failed(this.#fault);
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeAnswers = resolve;
          });
        }
      }
    } finally {
      this.#isStopped = true;
      this.#wakeIntake();
    }
  }

  /** Never rejects: what is wrong is answered after the groups before it. */
  async #takeAll(): Promise<void> {
    try {
      await this.#take();
    } catch (thrown) {
      this.#fault = thrown;
    }
    this.#isTaken = true;
    this.#wakeAnswers();
  }

  async #take(): Promise<void> {
    const { request, memory, key } = this.#options;
    if (request.body === null) return;
    for await (const chunk of chunksOf(request, memory)) {
      loopTurns.enter("http");
      for (const line of this.#cutter.push(chunk)) await this.#add(line);
      this.#count();
      if (key === null) await this.#close();
      if (this.#isStopped) return;
    }
    // With a key, a group that is not complete would be another one when the stream comes again.
    if (request.signal.aborted) return;
    const last = this.#cutter.finish();
    if (last !== undefined) await this.#add(last);
    await this.#close();
  }

  async #add(line: Buffer): Promise<void> {
    this.#lines += 1;
    if (isBlank(line)) return;
    this.#batches ??= await this.#options.batches(this.#groupsBegun++);
    await this.#read(line, this.#batches);
    if (this.#options.key !== null) this.#contentCrc = crc32c(line, 0, line.length, this.#contentCrc);
    const { count, bytes } = this.#batches;
    if (count >= GROUP_LINES_MAX || bytes >= GROUP_BYTES_MAX) await this.#close();
  }

  /** @throws ObeliskError with the line's number */
  async #read(line: Buffer, batches: MessageBatches): Promise<void> {
    const reader = this.#reader;
    try {
      checkUtf8(line);
      reader.reset(line, 0, line.length);
      const share = new TurnShare();
      for (let step = reader.step(); step !== END; step = reader.step()) {
        if (reader.isList) throw new ObeliskError("INVALID_RECORD", { detail: "a line has one message" });
        if (step === MESSAGE) batches.add(reader);
        else if (share.isUsedUp) await share.rest();
      }
    } catch (thrown) {
      if (!(thrown instanceof ObeliskError)) throw thrown;
      const { code, facts, message } = thrown;
      throw new ObeliskError(code, { ...facts, detail: `line ${this.#lines}: ${facts.detail ?? message}` });
    }
  }

  /** The group is complete: it is stored. Resolves when there is room for another one. */
  async #close(): Promise<void> {
    const batches = this.#batches;
    if (batches === null || this.#isStopped) return;
    this.#groups.push({ batches, lines: this.#lines, stored: batches.store(this.#contentCrc) });
    this.#batches = null;
    this.#contentCrc = 0;
    this.#wakeAnswers();
    while (this.#groups.length >= GROUPS_MAX && !this.#isStopped) {
      await new Promise<void>((resolve) => {
        this.#wakeIntake = resolve;
      });
    }
  }

  #failed(error: ObeliskError): Answer {
    return this.#committedLines === 0 ? error : { lines: this.#committedLines, error: problemOf(error) };
  }

  /** A long line that has begun is held, and counted. */
  #count(): void {
    const { memory } = this.#options;
    const held = Math.max(0, this.#cutter.pendingBytes - GROUP_BYTES_MAX);
    if (held > this.#chargedBytes) memory.charge(held - this.#chargedBytes);
    else memory.release(this.#chargedBytes - held);
    this.#chargedBytes = held;
  }
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x0d && byte !== 0x09) return false;
  return true;
}
