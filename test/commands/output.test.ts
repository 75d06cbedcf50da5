import { describe, expect, test } from "bun:test";
import { Output, OutputClosed, type OutputStream } from "../../commands/output.ts";
import { ProgressLine, progressText } from "../../commands/output-progress.ts";
import { tableLines } from "../../commands/output-table.ts";

/** A stream that keeps what it gets and says "done" when told. */
class HeldStream implements OutputStream {
  readonly chunks: Buffer[] = [];
  readonly #waiting: ((error?: Error) => void)[] = [];
  #onError: (error: Error) => void = () => {};

  write(chunk: Uint8Array, done: (error?: Error) => void): boolean {
    this.chunks.push(Buffer.from(chunk));
    this.#waiting.push(done);
    return true;
  }

  on(_event: "error", listener: (error: Error) => void): void {
    this.#onError = listener;
  }

  release(): void {
    while (this.#waiting.length > 0) this.#waiting.shift()?.();
  }

  break(code: string): void {
    this.#onError(Object.assign(new Error(code), { code }));
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const mark = {};
  return (await Promise.race([promise, Promise.resolve(mark)])) === mark;
}

describe("standard output", () => {
  test("lines leave together, in order", async () => {
    const stream = new HeldStream();
    const output = new Output(stream);
    output.line("one");
    output.json({ two: 2 });
    output.write(Buffer.from("three"));
    expect(stream.text).toBe("");
    const finished = output.finish();
    expect(stream.chunks.length).toBe(1);
    expect(stream.text).toBe('one\n{"two":2}\nthree');
    expect(await isPending(finished)).toBe(true);
    stream.release();
    await finished;
  });

  test("a chunk larger than the buffer keeps its place and its bytes", async () => {
    const stream = new HeldStream();
    const output = new Output(stream);
    const large = Buffer.alloc(100_000, "x");
    output.line("before");
    output.write(large);
    large.fill("y");
    output.line("after");
    output.flush();
    expect(stream.text).toBe(`before\n${"x".repeat(100_000)}after\n`);
  });

  test("drain waits only while the reader is far behind", async () => {
    const stream = new HeldStream();
    const output = new Output(stream);
    output.write(Buffer.alloc(500_000));
    await output.drain();
    output.write(Buffer.alloc(700_000));
    const drained = output.drain();
    expect(await isPending(drained)).toBe(true);
    stream.release();
    await drained;
  });

  test("a closed pipe ends the waiting with OutputClosed, any other error with itself", async () => {
    const closed = new HeldStream();
    const output = new Output(closed);
    output.line("lost");
    const finished = output.finish();
    closed.break("EPIPE");
    await expect(finished).rejects.toThrow(OutputClosed);
    expect(output.closed.aborted).toBe(true);

    const full = new HeldStream();
    const other = new Output(full);
    full.break("ENOSPC");
    await expect(other.drain()).rejects.toThrow("ENOSPC");
  });
});

describe("progress", () => {
  test("shows the part, the amount and the rate", () => {
    expect(progressText({ label: "checking", unit: "bytes", total: 4096 }, 1024, 500)).toBe(
      "checking  [######------------------]  25%  1 KiB of 4 KiB  2 KiB/s",
    );
    expect(progressText({ label: "sent", unit: "records" }, 30, 1500)).toBe("sent  30 records  20 records/s");
  });

  test("is redrawn at most ten times a second and removed at the end", () => {
    let nowMs = 0;
    const written: string[] = [];
    const clock = {
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      steadyMs: () => nowMs,
      after: () => ({ cancel: () => {} }),
    };
    const line = new ProgressLine({ label: "x", unit: "records" }, clock, (text) => written.push(text));
    for (nowMs = 0; nowMs < 1000; nowMs += 10) line.update(nowMs);
    line.finish();
    expect(written.length).toBe(11);
    expect(written.at(-1)).toBe("\r\u001b[K");
  });
});

test("a table has columns as wide as their cells, numbers to the right", () => {
  const rows = [
    { name: "a", count: 5 },
    { name: "longer", count: 1234 },
  ];
  const columns = [
    { title: "count", isNumber: true, cell: (row: { count: number }) => String(row.count) },
    { title: "name", cell: (row: { name: string }) => row.name },
  ];
  expect(tableLines<{ name: string; count: number }>(columns, rows)).toEqual([
    "count  name",
    "    5  a",
    " 1234  longer",
  ]);
});
