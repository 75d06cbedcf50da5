/**
 * Which records somebody wants: an expression over the parts of a record (docs/filter.md).
 *
 *   value.user.id == 42 and headers.source != "test"
 *
 * The same for `obelisk consume --filter`, the reads of the HTTP API and its live tails. A filter that is not understood is refused with
 * its place. What a filter is, and what one record may cost, is bounded (syntax.ts, record-view.ts): a few microseconds for a small
 * record, some milliseconds for the largest. Who tests many records rests between them (base/loop/turn-share.ts).
 */

import { ObeliskError } from "../base/errors.ts";
import { compile, type Test } from "./compile.ts";
import { parseExpression } from "./parser.ts";
import { type FilterRecord, RecordView } from "./record-view.ts";

export interface Filter {
  /** Keeps nothing of the record. Never throws, whatever the record holds. */
  matches(record: FilterRecord): boolean;
}

/** @throws ObeliskError INVALID_FILTER with the position, counted in characters from 0 */
export function parseFilter(text: string): Filter {
  return new CompiledFilter(compile(parseExpression(text)));
}

/** Two lines that point at the place of an error, for terminals; none when the error has no place. */
export function filterErrorLines(text: string, error: unknown): string[] {
  if (!(error instanceof ObeliskError) || error.code !== "INVALID_FILTER") return [];
  const { position } = error.facts;
  if (position === undefined) return [];
  // A window around the place, so that the line fits; control characters would break it.
  const start = Math.max(0, position - LINE_LENGTH / 2);
  const line = text.slice(start, start + LINE_LENGTH).replace(/\p{C}/gu, " ");
  return [line, `${" ".repeat(Bun.stringWidth(line.slice(0, position - start)))}^`];
}

const LINE_LENGTH = 72;

class CompiledFilter implements Filter {
  readonly #test: Test;
  readonly #view = new RecordView();

  constructor(test: Test) {
    this.#test = test;
  }

  matches(record: FilterRecord): boolean {
    const view = this.#view;
    view.reset(record);
    try {
      return this.#test(view);
    } finally {
      view.reset(null);
    }
  }
}
