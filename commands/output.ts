/**
 * What commands print, and how they end.
 *
 *   standard output   results only: lines for people, or with --json one JSON object a line
 *   standard error    everything else: progress, warnings, the one line that says why a command failed
 *
 * Output gathers in a buffer and leaves in large writes. `line`, `json` and `write` never wait; a command that prints much
 * awaits `drain()` now and then, which waits while the reader is slow. `main` awaits `finish()` at the end.
 * A reader that goes away (`obelisk consume | head`) is a normal end: `drain` throws `OutputClosed` and `closed` is
 * aborted, so that a command can stop its work; `main` then exits with 0. What cannot be written for another reason (a full disk, a
 * descriptor that was closed from the start) is a failure.
 */

import { wasInherited } from "../src/base/descriptors/descriptor-limit.ts";
import { errnoOf, ObeliskError } from "../src/base/errors.ts";

export const EXIT = {
  /** Done; the result is yes. */
  yes: 0,
  /** Done; the result is no: damage was found, nothing is there. */
  no: 1,
  /** It could not be done. */
  failed: 2,
  /** The command line or the configuration is wrong. */
  usage: 64,
  /** A second Ctrl-C or SIGTERM, as shells count signals (128 + number). */
  interrupted: 130,
  terminated: 143,
} as const;

/** The reader of our standard output is gone. */
export class OutputClosed extends Error {
  override name = "OutputClosed";
}

/** Large enough that a write costs little per line, small enough to show life. */
const CHUNK_BYTES = 64 * 1024;
/** More than this unsent, and `drain` waits for the reader. */
const UNSENT_BYTES_MAX = 1024 * 1024;

/** What `Output` needs of a stream: the part of `process.stdout` that it uses. */
export interface OutputStream {
  write(chunk: Uint8Array, done: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export class Output {
  readonly #stream: OutputStream;
  readonly #isOpen: boolean;
  readonly #closing = new AbortController();
  #chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  #chunkBytes = 0;
  #unsentBytes = 0;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #isFlushPlanned = false;
  #isAbandoned = false;

  /** `isOpen`: false when there is nothing to write to; whatever is printed then fails. */
  constructor(stream: OutputStream, isOpen = true) {
    this.#stream = stream;
    this.#isOpen = isOpen;
    stream.on("error", (error) => this.#fail(error));
  }

  /** Aborted when the reader went away. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** One line of text. */
  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** One JSON object as a line. */
  json(value: object): void {
    this.write(`${JSON.stringify(value)}\n`);
  }

  /** Text or bytes as they are. Bytes are copied. */
  write(content: string | Uint8Array): void {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    if (this.#chunkBytes + bytes.length > CHUNK_BYTES) this.flush();
    if (bytes.length > CHUNK_BYTES) {
      this.#send(Buffer.from(bytes));
      return;
    }
    this.#chunk.set(bytes, this.#chunkBytes);
    this.#chunkBytes += bytes.length;
    this.#planFlush();
  }

  /** Hands what has gathered to the system. Happens by itself at the end of each turn. */
  flush(): void {
    if (this.#chunkBytes === 0) return;
    const chunk = this.#chunk.subarray(0, this.#chunkBytes);
    this.#chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    this.#chunkBytes = 0;
    this.#send(chunk);
  }

  /** Whether the reader is so far behind that a command should wait for it. */
  get isBehind(): boolean {
    return this.#unsentBytes > UNSENT_BYTES_MAX;
  }

  /** @throws ObeliskError OUTPUT_FAILED when standard output was closed from the start: for work whose result could not be printed */
  checkOpen(): void {
    if (this.#isOpen) return;
    this.#fail(new Error("it is closed"));
    throw this.#failure;
  }

  /** Waits while the reader is far behind. @throws OutputClosed when it went away; ObeliskError OUTPUT_FAILED */
  drain(): Promise<void> {
    return this.#waitUntilAtMost(UNSENT_BYTES_MAX);
  }

  /** Waits until everything has left the process. @throws OutputClosed when the reader went away; ObeliskError OUTPUT_FAILED */
  finish(): Promise<void> {
    this.flush();
    return this.#waitUntilAtMost(0);
  }

  /** Drops what has not left, and any failure: for a command whose exit code does not depend on it. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#chunkBytes = 0;
    this.#wakeUp();
  }

  async #waitUntilAtMost(bytesMax: number): Promise<void> {
    if (this.#isAbandoned) return;
    while (this.#failure === undefined && this.#unsentBytes > bytesMax) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      this.flush();
    });
  }

  #send(chunk: Uint8Array): void {
    if (this.#failure !== undefined || this.#isAbandoned) return;
    if (!this.#isOpen) {
      this.#fail(new Error("it is closed"));
      return;
    }
    this.#unsentBytes += chunk.length;
    this.#stream.write(chunk, (error) => {
      this.#unsentBytes -= chunk.length;
      if (error) this.#fail(error);
      this.#wakeUp();
    });
  }

  #fail(error: Error): void {
    this.#failure ??=
      errnoOf(error) === "EPIPE"
        ? new OutputClosed("the reader of standard output is gone")
        : new ObeliskError("OUTPUT_FAILED", {}, error);
    this.#closing.abort(this.#failure);
    this.#wakeUp();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Standard output. Where it was closed before the process began, what is printed must not seem to have gone anywhere. */
export const output = new Output(process.stdout, wasInherited(1));

/** One line on standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Whether a person looks at standard output, or at standard error. */
export function isTerminal(stream: "stdout" | "stderr"): boolean {
  return process[stream].isTTY === true && process.env["TERM"] !== "dumb";
}
