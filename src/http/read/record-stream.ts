/**
 * Records as a stream of NDJSON: a message on each line, as fast as the peer takes them (live/paced-stream.ts), to the end of the log as
 * it is then; with `wait`, until nothing has come for so long. What ends it early is its last line, {"error": {...}}.
 */

import type { ObeliskError } from "../../base/errors.ts";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { KiB } from "../../base/units.ts";
import type { HttpParts } from "../http-parts.ts";
import { PacedStream, type StreamSource } from "../live/paced-stream.ts";
import { problemOf } from "../problem.ts";
import type { ForwardRead } from "./forward-read.ts";
import type { ReadPlan } from "./read-query.ts";
import { recordTexts } from "./record-texts.ts";
import { waitForRecords } from "./wait.ts";

/** Keys and values of one piece, and its records. */
const PIECE_BYTES = 64 * KiB;
const PIECE_RECORDS = 1000;

const HEADERS = { "content-type": "application/x-ndjson", "cache-control": "no-store" };

/** @throws ObeliskError TOO_MANY_REQUESTS, when it waits and too many do */
export function streamRecords(
  parts: HttpParts,
  request: Request,
  plan: ReadPlan,
  read: ForwardRead,
): Response {
  const stream = new PacedStream(parts, request, new RecordLines(parts, plan, read));
  return stream.respond(request, HEADERS, plan.waitMs > 0);
}

class RecordLines implements StreamSource {
  readonly #parts: HttpParts;
  readonly #plan: ReadPlan;
  readonly #read: ForwardRead;
  readonly #over = new AbortController();
  #left: number;

  constructor(parts: HttpParts, plan: ReadPlan, read: ForwardRead) {
    this.#parts = parts;
    this.#plan = plan;
    this.#read = read;
    this.#left = plan.limit;
  }

  get heldBytes(): number {
    return this.#read.heldBytes;
  }

  async next({ memory }: PacedStream): Promise<string | null> {
    const { clock } = this.#parts;
    const { partitions, waitMs } = this.#plan;
    const { signal } = this.#over;
    const read = this.#read;
    while (this.#left > 0 && !signal.aborted) {
      await memory.begin();
      const limits = { records: Math.min(this.#left, PIECE_RECORDS), bytes: PIECE_BYTES };
      const records = await read.read(limits, () => signal.aborted);
      this.#left -= records.length;
      const lines = await recordTexts(records, clock);
      for (const batch of read.unreadable) lines.push(JSON.stringify({ unreadable: batch }));
      if (lines.length > 0) return `${lines.join("\n")}\n`;
      if (read.isBehind) continue;
      memory.release();
      await waitForRecords(partitions, () => read.isBehind, waitMs, clock, signal);
      loopTurns.enter("http");
      if (!read.isBehind) return null;
    }
    return null;
  }

  drop(): void {} // what was read merges with what the others have: it is let go when it is given

  lastWords(error: ObeliskError): string {
    return `${JSON.stringify({ error: problemOf(error) })}\n`;
  }

  close(): void {
    this.#over.abort();
  }
}
