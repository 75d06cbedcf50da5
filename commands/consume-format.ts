/**
 * `--format` in kcat's letters: text with `%` directives and backslash escapes, compiled once and applied to each record.
 *
 *   %t topic       %p partition   %o offset      %T timestamp, ms    %h headers: name=value,name=value
 *   %k key         %s value       %K key bytes   %S value bytes      (-1 for null)      %% a percent sign
 *   \n newline     \t tab         \r return      \0 zero byte        \xHH any byte      \\ a backslash
 *
 * Keys, values, header names and header values are written as the bytes that they are; null is written as nothing.
 */

import type { ConsumerRecord } from "../src/client/fetched-batches.ts";
import { usage } from "./arguments.ts";

export type RecordFormat = (record: ConsumerRecord) => Buffer;

type Part = Buffer | ((record: ConsumerRecord) => Buffer);

const NOTHING = Buffer.alloc(0);

const DIRECTIVES: Readonly<Record<string, (record: ConsumerRecord) => Buffer>> = {
  t: (record) => Buffer.from(record.topic),
  p: (record) => Buffer.from(`${record.partition}`),
  o: (record) => Buffer.from(`${record.offset}`),
  T: (record) => Buffer.from(`${record.timestampMs}`),
  k: (record) => record.key ?? NOTHING,
  s: (record) => record.value ?? NOTHING,
  K: (record) => Buffer.from(`${record.key === null ? -1 : record.key.length}`),
  S: (record) => Buffer.from(`${record.value === null ? -1 : record.value.length}`),
  h: headersText,
  "%": () => PERCENT,
};

const PERCENT = Buffer.from("%");
const COMMA = Buffer.from(",");
const EQUALS = Buffer.from("=");
const ESCAPES: Readonly<Record<string, number>> = { n: 0x0a, t: 0x09, r: 0x0d, "0": 0x00, "\\": 0x5c };

/** @throws ObeliskError INVALID_USAGE for an unknown letter or escape */
export function compileFormat(format: string): RecordFormat {
  const parts = parse(format);
  return (record) => Buffer.concat(parts.map((part) => (typeof part === "function" ? part(record) : part)));
}

function parse(format: string): Part[] {
  const parts: Part[] = [];
  let literal: Buffer[] = [];
  const endLiteral = () => {
    if (literal.length > 0) parts.push(Buffer.concat(literal));
    literal = [];
  };
  for (let index = 0; index < format.length; ) {
    const special = /[%\\]/.exec(format.slice(index));
    const end = special === null ? format.length : index + special.index;
    if (end > index) literal.push(Buffer.from(format.slice(index, end)));
    if (special === null) break;
    if (special[0] === "%") {
      endLiteral();
      parts.push(directive(format[end + 1]));
      index = end + 2;
    } else {
      const [byte, length] = escapedByte(format, end);
      literal.push(Buffer.from([byte]));
      index = end + length;
    }
  }
  endLiteral();
  return parts;
}

function directive(letter: string | undefined): (record: ConsumerRecord) => Buffer {
  const found = letter !== undefined && Object.hasOwn(DIRECTIVES, letter) ? DIRECTIVES[letter] : undefined;
  if (found !== undefined) return found;
  throw usage(
    letter === undefined ? "--format ends in a single %" : `--format: unknown directive %${letter}`,
    "use %t %p %o %k %s %h %T %K %S or %%",
  );
}

/** The byte and how many characters stand for it. */
function escapedByte(format: string, position: number): [number, number] {
  const letter = format[position + 1];
  if (letter === "x") {
    const match = /^[0-9a-fA-F]{2}/.exec(format.slice(position + 2));
    if (match !== null) return [Number.parseInt(match[0], 16), 4];
  } else if (letter !== undefined && Object.hasOwn(ESCAPES, letter)) {
    return [ESCAPES[letter]!, 2];
  }
  throw usage(`--format: unknown escape \\${letter ?? ""}`, "use \\n \\t \\r \\0 \\\\ or \\xHH");
}

function headersText(record: ConsumerRecord): Buffer {
  const parts: Buffer[] = [];
  for (const { key, value, keyBytes } of record.headers) {
    if (parts.length > 0) parts.push(COMMA);
    parts.push(keyBytes ?? Buffer.from(key), EQUALS, value ?? NOTHING);
  }
  return Buffer.concat(parts);
}
