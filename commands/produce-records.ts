/**
 * Where records come from: arguments, or the lines of files and of standard input, a chunk's worth at a time, so that an
 * endless input needs no more memory than a chunk and one line.
 */

import { ObeliskError } from "../src/base/errors.ts";
import { systemReason } from "../src/base/system-error.ts";
import { note } from "./output.ts";
import { readLines } from "./produce-lines.ts";
import type { ProduceOptions } from "./produce-options.ts";

export interface InputRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface RecordInput {
  /** Bytes in all; 0 when nobody knows. */
  readonly bytesTotal: number;
  /** Bytes read so far. */
  readonly bytesRead: number;
  records(): AsyncGenerator<InputRecord[]>;
}

/** `lineBytesMax` bounds one record. Aborting `signal` ends the input; a line that is then incomplete is left out. */
export async function openInput(
  options: ProduceOptions,
  lineBytesMax: number,
  signal: AbortSignal,
): Promise<RecordInput> {
  if (options.messages.length > 0) return new MessageInput(options);
  let bytesTotal = 0;
  for (const file of options.files) {
    if (file === "-") bytesTotal = Number.NaN;
    else bytesTotal += await fileBytes(file);
  }
  if (options.files.includes("-") && process.stdin.isTTY === true) {
    note("reading records from the terminal, one per line; Ctrl-D ends");
  }
  return new LineInput(options, lineBytesMax, signal, Number.isNaN(bytesTotal) ? 0 : bytesTotal);
}

/** One line or argument as a record: split at the first separator; without one there is no key. */
export function toRecord(options: ProduceOptions, bytes: Buffer): InputRecord {
  const { keySeparator } = options;
  const place = keySeparator === null ? -1 : bytes.indexOf(keySeparator);
  const hasKey = keySeparator !== null && place >= 0;
  const key = hasKey ? bytes.subarray(0, place) : options.key === null ? null : Buffer.from(options.key);
  const value = hasKey ? bytes.subarray(place + keySeparator.length) : bytes;
  return { key, value: value.length === 0 && options.emptyIsNull ? null : value };
}

class MessageInput implements RecordInput {
  readonly bytesTotal = 0;
  readonly bytesRead = 0;
  readonly #options: ProduceOptions;

  constructor(options: ProduceOptions) {
    this.#options = options;
  }

  async *records(): AsyncGenerator<InputRecord[]> {
    yield this.#options.messages.map((message) => toRecord(this.#options, Buffer.from(message)));
  }
}

class LineInput implements RecordInput {
  readonly bytesTotal: number;
  bytesRead = 0;
  readonly #options: ProduceOptions;
  readonly #lineBytesMax: number;
  readonly #signal: AbortSignal;

  constructor(options: ProduceOptions, lineBytesMax: number, signal: AbortSignal, bytesTotal: number) {
    this.#options = options;
    this.#lineBytesMax = lineBytesMax;
    this.#signal = signal;
    this.bytesTotal = bytesTotal;
  }

  async *records(): AsyncGenerator<InputRecord[]> {
    for (const file of this.#options.files) {
      if (this.#signal.aborted) return;
      const name = file === "-" ? "standard input" : file;
      const stream = file === "-" ? Bun.stdin.stream() : Bun.file(file).stream();
      for await (const lines of readLines(this.#chunks(stream), this.#lineBytesMax, name, this.#signal)) {
        const kept = this.#options.skipsEmpty ? lines.filter((line) => line.length > 0) : lines;
        yield kept.map((line) => toRecord(this.#options, line));
      }
    }
  }

  async *#chunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = stream.getReader();
    const aborted = Promise.withResolvers<{ done: true; value?: undefined }>();
    const onAbort = () => aborted.resolve({ done: true });
    this.#signal.addEventListener("abort", onAbort);
    try {
      for (;;) {
        const { done, value } = await Promise.race([reader.read(), aborted.promise]);
        if (done || value === undefined || this.#signal.aborted) return;
        this.bytesRead += value.length;
        yield value;
      }
    } finally {
      this.#signal.removeEventListener("abort", onAbort);
      reader.releaseLock();
    }
  }
}

async function fileBytes(file: string): Promise<number> {
  try {
    const found = await Bun.file(file).stat();
    if (!found.isDirectory()) return found.size;
  } catch (thrown) {
    const why = thrown instanceof Error ? `: ${systemReason(thrown)}` : "";
    throw new ObeliskError("INVALID_USAGE", { detail: `${file} cannot be read${why}` }, thrown);
  }
  throw new ObeliskError("INVALID_USAGE", { detail: `${file} is a directory` });
}
