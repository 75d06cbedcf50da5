/**
 * Scans JSON text (RFC 8259) where it lies, as bytes: where values begin and end, and where the text is wrong. Nothing is built, so
 * a number keeps all of its digits and a string its bytes.
 *
 *     {"key": "a", "value": {"n": 12345678901234567890}}
 *      ^ string()            ^ value(): up to here ---->
 *
 *   - Strict: no comments, no trailing commas, no control characters in strings, and nothing but JSON.
 *   - `value` may pause: after some bytes it returns false at a border between two tokens, and goes on when it is called again. A string
 *     is one token.
 *   - Nesting is bounded by `DEPTH_MAX`, and costs no call for a level.
 *   - The text must be UTF-8; whoever brings it has checked that.
 */

import { ObeliskError } from "./errors.ts";

/** More than any document that people write; a stack of one byte for each level. */
export const DEPTH_MAX = 1000;

const OBJECT = 1;
const ARRAY = 2;

/** What may come next within a value. */
const VALUE = 0;
const FIRST_VALUE_OR_END = 1;
const FIRST_KEY_OR_END = 2;
const KEY = 3;
const COLON = 4;
const COMMA_OR_END = 5;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON_BYTE = 0x3a;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;
const LETTER_U = 0x75;
/** `"`, `\`, `/`, b, f, n, r, t: what may follow a backslash beside u. */
const SIMPLE_ESCAPES: ReadonlySet<number> = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);
const LITERALS: ReadonlyMap<number, Buffer> = new Map(
  ["true", "false", "null"].map((word) => [word.charCodeAt(0), Buffer.from(word)]),
);

export class JsonScanner {
  position: number;
  /** Of the last `string`: between its quotes. */
  stringStart: number;
  stringEnd: number;
  hasEscapes: boolean;
  #buffer: Buffer;
  #start: number;
  #end: number;
  readonly #stack: Uint8Array;
  #depth: number;
  #next: number;

  constructor() {
    this.position = 0;
    this.stringStart = 0;
    this.stringEnd = 0;
    this.hasEscapes = false;
    this.#buffer = Buffer.alloc(0);
    this.#start = 0;
    this.#end = 0;
    this.#stack = new Uint8Array(DEPTH_MAX);
    this.#depth = 0;
    this.#next = VALUE;
  }

  /** Stands before `buffer[position, end)`. */
  reset(buffer: Buffer, position: number, end: number): void {
    this.#buffer = buffer;
    this.#start = position;
    this.#end = end;
    this.position = position;
    this.#depth = 0;
    this.#next = VALUE;
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  /** The next byte that is no white space, which is not taken; -1 at the end. */
  peek(): number {
    const buffer = this.#buffer;
    let at = this.position;
    for (; at < this.#end; at += 1) {
      const byte = buffer[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    }
    this.position = at;
    return at < this.#end ? buffer[at]! : -1;
  }

  /** Takes the byte that `peek` has shown, if it is this one. @throws ObeliskError INVALID_JSON */
  take(byte: number): void {
    if (this.peek() !== byte) throw this.expected(JSON.stringify(String.fromCharCode(byte)));
    this.position += 1;
  }

  /** Only white space is left. @throws ObeliskError INVALID_JSON */
  finish(): void {
    if (this.peek() !== -1) throw this.expected("the end");
  }

  /** Takes a string, at its opening quote. @throws ObeliskError INVALID_JSON */
  string(): void {
    if (this.peek() !== QUOTE) throw this.expected("a string");
    const buffer = this.#buffer;
    const end = this.#end;
    const start = this.position + 1;
    let hasEscapes = false;
    for (let at = start; at < end; at += 1) {
      const byte = buffer[at]!;
      if (byte === QUOTE) {
        this.stringStart = start;
        this.stringEnd = at;
        this.hasEscapes = hasEscapes;
        this.position = at + 1;
        return;
      }
      if (byte === BACKSLASH) {
        at = this.#escape(at);
        hasEscapes = true;
      } else if (byte < 0x20) {
        this.position = at;
        throw this.error("a control character must be escaped");
      }
    }
    this.position = end;
    throw this.error("the string does not end");
  }

  /** The text of the last `string`. */
  text(): string {
    const { stringStart, stringEnd } = this;
    if (!this.hasEscapes) return this.#buffer.toString("utf8", stringStart, stringEnd);
    return JSON.parse(this.#buffer.toString("utf8", stringStart - 1, stringEnd + 1)) as string;
  }

  /**
   * Takes a whole value. False: some `pauseBytes` were scanned and it goes on, when it is called again and nothing else was in between.
   * @throws ObeliskError INVALID_JSON
   */
  value(pauseBytes: number): boolean {
    const pauseAt = this.position + pauseBytes;
    do {
      this.#token();
      if (this.#depth === 0 && this.#next === COMMA_OR_END) {
        this.#next = VALUE;
        return true;
      }
    } while (this.position < pauseAt);
    return false;
  }

  expected(what: string): ObeliskError {
    const found = this.position < this.#end ? "" : ", and the text ends";
    return this.error(`${what} is expected${found}`);
  }

  /** With the place: the first byte of a text has position 0, its first line and column 1. */
  error(what: string): ObeliskError {
    const position = this.position - this.#start;
    const before = this.#buffer.subarray(this.#start, this.position);
    const lineStart = before.lastIndexOf(0x0a) + 1;
    let line = 1;
    for (let at = before.indexOf(0x0a); at !== -1; at = before.indexOf(0x0a, at + 1)) line += 1;
    const column = before.subarray(lineStart).toString().length + 1;
    return new ObeliskError("INVALID_JSON", {
      detail: `no valid JSON: ${what}, line ${line}, column ${column}`,
      position,
    });
  }

  #token(): void {
    const byte = this.peek();
    switch (this.#next) {
      case FIRST_VALUE_OR_END:
        if (byte === CLOSE_BRACKET) this.#close();
        else this.#value(byte);
        return;
      case FIRST_KEY_OR_END:
        if (byte === CLOSE_BRACE) this.#close();
        else this.#key();
        return;
      case KEY:
        this.#key();
        return;
      case COLON:
        this.take(COLON_BYTE);
        this.#next = VALUE;
        return;
      case COMMA_OR_END:
        this.#commaOrEnd(byte);
        return;
      default:
        this.#value(byte);
    }
  }

  #key(): void {
    this.string();
    this.#next = COLON;
  }

  #commaOrEnd(byte: number): void {
    const isObject = this.#stack[this.#depth - 1] === OBJECT;
    if (byte === COMMA) {
      this.position += 1;
      this.#next = isObject ? KEY : VALUE;
    } else if (byte === (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) this.#close();
    else throw this.expected(isObject ? '"," or "}"' : '"," or "]"');
  }

  #value(byte: number): void {
    if (byte === QUOTE) this.string();
    else if (byte === OPEN_BRACE) {
      this.#open(OBJECT, FIRST_KEY_OR_END);
      return;
    } else if (byte === OPEN_BRACKET) {
      this.#open(ARRAY, FIRST_VALUE_OR_END);
      return;
    } else if (byte === MINUS || isDigit(byte)) this.#number();
    else this.#literal(byte);
    this.#next = COMMA_OR_END;
  }

  #open(kind: number, next: number): void {
    if (this.#depth === DEPTH_MAX) throw this.error(`it is nested deeper than ${DEPTH_MAX} levels`);
    this.#stack[this.#depth] = kind;
    this.#depth += 1;
    this.position += 1;
    this.#next = next;
  }

  #close(): void {
    this.#depth -= 1;
    this.position += 1;
    this.#next = COMMA_OR_END;
  }

  #literal(byte: number): void {
    const word = LITERALS.get(byte);
    const end = this.position + (word?.length ?? 0);
    if (word === undefined || end > this.#end || !word.equals(this.#buffer.subarray(this.position, end)))
      throw this.expected("a value");
    this.position = end;
  }

  #number(): void {
    const buffer = this.#buffer;
    if (buffer[this.position] === MINUS) this.position += 1;
    if (buffer[this.position] === ZERO && this.position < this.#end) this.position += 1;
    else this.#digits();
    if (this.position < this.#end && buffer[this.position] === POINT) {
      this.position += 1;
      this.#digits();
    }
    if (this.position < this.#end && (buffer[this.position]! | 0x20) === 0x65) {
      this.position += 1;
      const sign = this.position < this.#end ? buffer[this.position] : -1;
      if (sign === MINUS || sign === 0x2b) this.position += 1;
      this.#digits();
    }
  }

  /** One at least. */
  #digits(): void {
    const start = this.position;
    while (this.position < this.#end && isDigit(this.#buffer[this.position]!)) this.position += 1;
    if (this.position === start) throw this.expected("a digit");
  }

  /** The last byte of the escape whose backslash is at `at`. */
  #escape(at: number): number {
    const byte = at + 1 < this.#end ? this.#buffer[at + 1]! : -1;
    if (SIMPLE_ESCAPES.has(byte)) return at + 1;
    const digits =
      byte === LETTER_U ? this.#buffer.toString("latin1", at + 2, Math.min(at + 6, this.#end)) : "";
    if (/^[0-9a-fA-F]{4}$/.test(digits)) return at + 5;
    this.position = at;
    throw this.error("there is no such escape");
  }
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}
