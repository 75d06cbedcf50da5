/**
 * What a filter sees of one record. Nothing is decoded before it is asked for, and everything at most once for each record: the text of
 * the key and the value, their JSON, the headers' names.
 *
 *   bytes ── UTF-8, at most TEXT_BYTES_MAX ──> text ── JSON, at most JSON_BYTES_MAX ──> parsed
 *     null: null          else UNREADABLE               else nothing is inside
 */

import { ObeliskError } from "../base/errors.ts";
import { JsonScanner } from "../base/json-scanner.ts";
import { KiB, MiB } from "../base/units.ts";
import type { Step } from "./syntax.ts";

/** The largest message unless a topic allows more; decoded in half a millisecond. */
export const TEXT_BYTES_MAX = 1 * MiB;
/** What is parsed within some 3 ms, even when it is made to take long. */
export const JSON_BYTES_MAX = 256 * KiB;

/** Above it the nesting is looked at first, which the parser takes five times as long for as for anything else. */
const SCANNED_BYTES_MIN = 32 * KiB;

/** What is asked of a record; src/protocol/record has it. Buffers are only looked at. */
export interface FilterRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[];
}

/** Undefined: it is not there. An object (UNREADABLE is one too) equals nothing. */
export type FieldValue = string | number | boolean | null | undefined | object;

/** Bytes that are no text, or too many: they are there, and equal nothing. */
export const UNREADABLE: object = Object.freeze({});

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const scanner = new JsonScanner();
const NOT_READ = Symbol();

export class RecordView {
  record: FilterRecord | null = null;
  readonly key = new BytesView();
  readonly value = new BytesView();
  #headers: Map<string, BytesView> | null = null;

  reset(record: FilterRecord | null): void {
    this.record = record;
    this.key.reset(record === null ? null : record.key);
    this.value.reset(record === null ? null : record.value);
    this.#headers = null;
  }

  /** The last header of this name, as Kafka's lastHeader; undefined when there is none. */
  header(name: string): FieldValue {
    this.#headers ??= new Map(
      this.record!.headers.map(({ key, value }) => {
        const view = new BytesView();
        view.reset(value);
        return [key, view];
      }),
    );
    return this.#headers.get(name)?.text;
  }
}

export class BytesView {
  #bytes: Buffer | null = null;
  #text: FieldValue | typeof NOT_READ = NOT_READ;
  #parsed: FieldValue | typeof NOT_READ = NOT_READ;

  reset(bytes: Buffer | null): void {
    this.#bytes = bytes;
    this.#text = NOT_READ;
    this.#parsed = NOT_READ;
  }

  get isNull(): boolean {
    return this.#bytes === null;
  }

  get text(): FieldValue {
    if (this.#text === NOT_READ) this.#text = textOf(this.#bytes);
    return this.#text as FieldValue;
  }

  /** What lies at the end of the steps, in the bytes read as JSON; undefined when they do not lead anywhere. */
  at(steps: readonly Step[]): FieldValue {
    if (this.#parsed === NOT_READ) this.#parsed = this.#parse();
    let value = this.#parsed as FieldValue;
    for (const step of steps) {
      if (typeof value !== "object" || value === null) return undefined;
      const isList = Array.isArray(value);
      if (isList !== (typeof step === "number") || !Object.hasOwn(value, step)) return undefined;
      value = (value as Record<Step, FieldValue>)[step];
    }
    return value;
  }

  #parse(): FieldValue {
    if (this.#bytes === null || this.#bytes.length > JSON_BYTES_MAX) return undefined;
    const { text } = this;
    if (typeof text !== "string") return undefined;
    if (this.#bytes.length > SCANNED_BYTES_MIN && !isJson(this.#bytes)) return undefined;
    try {
      return JSON.parse(text) as FieldValue;
    } catch (thrown) {
      // It is no JSON, or nested too deep for the parser.
      if (thrown instanceof SyntaxError || thrown instanceof RangeError) return undefined;
      throw thrown;
    }
  }
}

/** Also false for what is nested deeper than anything that people write (base/json-scanner.ts). */
function isJson(bytes: Buffer): boolean {
  try {
    scanner.reset(bytes, 0, bytes.length);
    scanner.value(Number.POSITIVE_INFINITY);
    scanner.finish();
    return true;
  } catch (thrown) {
    if (!(thrown instanceof ObeliskError)) throw thrown;
    return false;
  }
}

function textOf(bytes: Buffer | null): FieldValue {
  if (bytes === null) return null;
  if (bytes.length > TEXT_BYTES_MAX) return UNREADABLE;
  try {
    return utf8.decode(bytes);
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    return UNREADABLE;
  }
}
