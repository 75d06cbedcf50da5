/**
 * Messages as JSON, on their way in: the shape that record-json.ts writes, with as much left out as one likes.
 *
 *   {"key": "a", "value": "text", "headers": [{"key": "h", "value": "x"}], "partition": 0, "timestamp": 1700000000000}
 *
 *   value        required. A string is stored as its UTF-8 bytes; null is a tombstone; anything else is stored as its JSON text, as it
 *                was sent, so that no number is rounded. With "valueIsBase64": true the string is base64 of the bytes.
 *   key          the same rules, and "keyIsBase64"; left out or null: none
 *   headers      a list of {"key", "value"}, or an object of names and values; values are strings or null, and may be base64 in a list
 *   partition    left out: by the key, or any
 *   timestamp    milliseconds since 1970; left out or -1: now
 *   topic, offset   what was read may be sent again: they are ignored. Any other member is refused.
 *
 * A document is one message or a list of them; `MessageReader` walks over its bytes. Strings without escapes and JSON values are not
 * copied: key and value are places in the document. Long documents are read in pieces of a turn's time (`step` pauses).
 */

import { ObeliskError } from "../../base/errors.ts";
import { JsonScanner } from "../../base/json-scanner.ts";
import { KiB } from "../../base/units.ts";
import type { RecordHeader } from "./builder.ts";

/** What is scanned before the reader pauses: less than 1 ms. */
const PAUSE_BYTES = 128 * KiB;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const LETTER_N = 0x6e;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const NO_HEADERS: readonly RecordHeader[] = [];

export const MESSAGE = 1;
export const PAUSED = 0;
export const END = -1;

/** Before the document, before a message, within one, and after the last. */
type Place = "start" | "between" | "within" | "end";

/** A JSON value as it stands in the document. */
interface Extent {
  start: number;
  end: number;
  isString: boolean;
  hasEscapes: boolean;
}

export class MessageReader {
  /** Where key and value point into, each by itself. */
  keyBuffer: Buffer | null = null;
  keyStart = 0;
  keyEnd = 0;
  valueBuffer: Buffer | null = null;
  valueStart = 0;
  valueEnd = 0;
  headers: readonly RecordHeader[] = NO_HEADERS;
  /** -1: left out. */
  partition = -1;
  timestampMs = -1;
  /** Whether the document is a list. */
  isList = false;
  /** Messages so far. */
  count = 0;
  readonly #scanner = new JsonScanner();
  #place: Place = "start";
  /** The members of the message that is being read; `#name` is the one whose value is. */
  #members = new Map<string, Extent>();
  #name: string | null = null;
  #valueStart = 0;
  #isFirst = true;

  /** Stands before the document in `buffer[position, end)`, which must be UTF-8. */
  reset(buffer: Buffer, position: number, end: number): void {
    this.#scanner.reset(buffer, position, end);
    this.#place = "start";
    this.#name = null;
    this.isList = false;
    this.count = 0;
  }

  /** MESSAGE: the fields are those of the next one. PAUSED: go on in a later turn. @throws ObeliskError INVALID_JSON, INVALID_RECORD */
  step(): number {
    if (this.#place === "start") this.#begin();
    if (this.#place === "between" && !this.#beginMessage()) return END;
    if (this.#place === "end") return END;
    if (!this.#readMembers()) return PAUSED;
    this.#place = this.isList ? "between" : "end";
    if (!this.isList) this.#scanner.finish();
    this.#understand();
    return MESSAGE;
  }

  #begin(): void {
    const scanner = this.#scanner;
    const byte = scanner.peek();
    if (byte === OPEN_BRACKET) {
      this.isList = true;
      scanner.position += 1;
      this.#isFirst = true;
      this.#place = "between";
    } else {
      this.#open();
      this.#place = "within";
    }
  }

  /** False: the list ends. */
  #beginMessage(): boolean {
    const scanner = this.#scanner;
    const byte = scanner.peek();
    if (byte === CLOSE_BRACKET) {
      scanner.position += 1;
      scanner.finish();
      this.#place = "end";
      return false;
    }
    if (!this.#isFirst) {
      if (byte !== COMMA) throw scanner.expected('"," or "]"');
      scanner.position += 1;
    }
    this.#isFirst = false;
    this.#open();
    this.#place = "within";
    return true;
  }

  #open(): void {
    const scanner = this.#scanner;
    this.count += 1;
    const byte = scanner.peek();
    if (byte !== OPEN_BRACE) {
      if (byte === -1) throw scanner.expected("a message");
      // What it is must be JSON first: then its shape is wrong.
      while (!scanner.value(PAUSE_BYTES));
      throw this.#refusal('it must be an object such as {"value": "text"}');
    }
    scanner.position += 1;
    this.#members.clear();
  }

  /** False: paused. */
  #readMembers(): boolean {
    const scanner = this.#scanner;
    if (this.#name === null) {
      if (scanner.peek() === CLOSE_BRACE) {
        scanner.position += 1;
        return true;
      }
      this.#readName();
    }
    const pauseAt = scanner.position + PAUSE_BYTES;
    for (;;) {
      if (!this.#readValue()) return false;
      if (scanner.peek() === CLOSE_BRACE) {
        scanner.position += 1;
        return true;
      }
      if (scanner.peek() !== COMMA) throw scanner.expected('"," or "}"');
      scanner.position += 1;
      this.#readName();
      if (scanner.position >= pauseAt) return false;
    }
  }

  #readName(): void {
    const scanner = this.#scanner;
    scanner.string();
    this.#name = scanner.text();
    scanner.take(COLON);
    if (scanner.peek() === -1) throw scanner.expected("a value");
    this.#valueStart = scanner.position;
  }

  /** False: paused. */
  #readValue(): boolean {
    const scanner = this.#scanner;
    if (!scanner.value(PAUSE_BYTES)) return false;
    const start = this.#valueStart;
    const isString = scanner.buffer[start] === QUOTE;
    const hasEscapes = isString && scanner.hasEscapes;
    this.#members.set(this.#name!, { start, end: scanner.position, isString, hasEscapes });
    this.#name = null;
    return true;
  }

  /** Takes the fields out of the members. */
  #understand(): void {
    this.headers = NO_HEADERS;
    this.partition = -1;
    this.timestampMs = -1;
    this.keyBuffer = null;
    let hasValue = false;
    for (const [name, extent] of this.#members) {
      switch (name) {
        case "value":
          hasValue = true;
          this.#takeValue(extent);
          break;
        case "key":
          this.#takeKey(extent);
          break;
        case "partition":
          this.partition = this.#integer(name, extent, 0);
          break;
        case "timestamp":
          this.timestampMs = this.#integer(name, extent, -1);
          break;
        case "headers":
          this.headers = this.#headersOf(extent);
          break;
        case "keyIsBase64":
        case "valueIsBase64":
          if (!this.#members.has(name.slice(0, -"IsBase64".length)))
            throw this.#refusal(`it has ${name} and nothing that is so`);
          break;
        case "topic":
        case "offset":
          break;
        default:
          throw this.#refusal(`there is no member ${JSON.stringify(name)}`);
      }
    }
    if (!hasValue) throw this.#refusal('it has no "value" (null for a tombstone)');
  }

  #takeKey(extent: Extent): void {
    const bytes = this.#decoded("key", extent);
    this.keyBuffer = this.#isNull(extent) ? null : (bytes ?? this.#scanner.buffer);
    this.keyStart = bytes === null ? textStart(extent) : 0;
    this.keyEnd = bytes === null ? textEnd(extent) : bytes.length;
  }

  #takeValue(extent: Extent): void {
    const bytes = this.#decoded("value", extent);
    this.valueBuffer = this.#isNull(extent) ? null : (bytes ?? this.#scanner.buffer);
    this.valueStart = bytes === null ? textStart(extent) : 0;
    this.valueEnd = bytes === null ? textEnd(extent) : bytes.length;
  }

  /** The bytes of what does not stand in the document as it is stored; null when it does. */
  #decoded(name: "key" | "value", extent: Extent): Buffer | null {
    const flag = this.#members.get(`${name}IsBase64`);
    const isBase64 = flag !== undefined && this.#boolean(`${name}IsBase64`, flag);
    if (!isBase64 && !extent.hasEscapes) return null;
    if (this.#isNull(extent)) return null;
    const text = this.#parsed(extent);
    if (!isBase64) return this.#utf8(name, text as string);
    return this.#base64(name, text);
  }

  #utf8(name: string, text: string): Buffer {
    if (!text.isWellFormed())
      throw this.#refusal(`its ${name} has half of a surrogate pair, which no text has`);
    return Buffer.from(text);
  }

  #base64(name: string, text: unknown): Buffer {
    if (typeof text !== "string" || text.length % 4 !== 0 || !BASE64.test(text))
      throw this.#refusal(`its ${name} is not base64 (with padding)`);
    return Buffer.from(text, "base64");
  }

  #isNull({ start, isString }: Extent): boolean {
    return !isString && this.#scanner.buffer[start] === LETTER_N;
  }

  #integer(name: string, extent: Extent, min: number): number {
    const value = extent.end - extent.start > 20 ? Number.NaN : this.#parsed(extent);
    if (Number.isSafeInteger(value) && (value as number) >= min) return value as number;
    throw this.#refusal(`its ${name} must be an integer of at least ${min}`);
  }

  #boolean(name: string, extent: Extent): boolean {
    const value = extent.end - extent.start > 5 ? null : this.#parsed(extent);
    if (typeof value === "boolean") return value;
    throw this.#refusal(`its ${name} must be true or false`);
  }

  #parsed({ start, end }: Extent): unknown {
    return JSON.parse(this.#scanner.buffer.toString("utf8", start, end));
  }

  #headersOf(extent: Extent): RecordHeader[] {
    const headers: unknown = this.#parsed(extent);
    if (Array.isArray(headers)) return headers.map((header) => this.#headerOf(header));
    if (typeof headers === "object" && headers !== null)
      return Object.entries(headers).map(([key, value]) => ({ key, value: this.#headerValue(value) }));
    if (headers === null) return [];
    throw this.#refusal("its headers must be a list or an object");
  }

  #headerOf(header: unknown): RecordHeader {
    if (typeof header !== "object" || header === null || !("key" in header) || typeof header.key !== "string")
      throw this.#refusal('a header must be an object such as {"key": "name", "value": "text"}');
    const { key, value, keyIsBase64, valueIsBase64 } = header as Record<string, unknown> & { key: string };
    const bytes =
      valueIsBase64 === true && value !== null
        ? this.#base64("header's value", value)
        : this.#headerValue(value);
    if (keyIsBase64 !== true) return { key: this.#utf8("header's key", key).toString(), value: bytes };
    const keyBytes = this.#base64("header's key", key);
    return { key: keyBytes.toString(), value: bytes, keyBytes };
  }

  #headerValue(value: unknown): Buffer | null {
    if (value === null || value === undefined) return null;
    if (typeof value !== "string") throw this.#refusal("a header's value must be a string or null");
    return this.#utf8("header's value", value);
  }

  #refusal(why: string): ObeliskError {
    const which = this.isList ? `message ${this.count} of the list` : "the message";
    return new ObeliskError("INVALID_RECORD", { detail: `${which} cannot be stored: ${why}` });
  }
}

function textStart({ start, isString }: Extent): number {
  return isString ? start + 1 : start;
}

function textEnd({ end, isString }: Extent): number {
  return isString ? end - 1 : end;
}
