/**
 * The words of a filter, each with the place where it begins: counted in characters (UTF-16 units) from 0.
 *
 *   value.id >= -1.5e3 and key != "a\tb"
 *   word . word mark number word word mark text
 *
 * A string is in double or single quotes, with the escapes of JSON and \'. A number is written as in JSON.
 */

import { ObeliskError } from "../base/errors.ts";

export type TokenKind = "word" | "mark" | "text" | "number" | "end";

export interface Token {
  readonly kind: TokenKind;
  /** As it is written; of a text what it says. */
  readonly text: string;
  /** Of a number. */
  readonly value: number;
  readonly position: number;
}

const SPACE = /\s+/y;
const WORD = /[\p{L}_$][\p{L}\p{N}_$-]*/uy;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_$])/uy;
const MARK = /==|!=|<=|>=|&&|\|\||[<>!()[\],.]/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** All tokens, the last of kind "end". @throws ObeliskError INVALID_FILTER */
export function tokensOf(filter: string): Token[] {
  const tokens: Token[] = [];
  let position = (matchAt(SPACE, filter, 0) ?? "").length;
  while (position < filter.length) {
    const [token, end] = tokenAt(filter, position);
    tokens.push(token);
    position = end + (matchAt(SPACE, filter, end) ?? "").length;
  }
  tokens.push({ kind: "end", text: "", value: 0, position: filter.length });
  return tokens;
}

export function invalidFilter(position: number, detail: string, remedy?: string): ObeliskError {
  const facts = { detail: `filter: ${detail}`, position };
  return new ObeliskError("INVALID_FILTER", remedy === undefined ? facts : { ...facts, remedy });
}

/** The token, and where it ends. */
function tokenAt(filter: string, position: number): [Token, number] {
  const mark = matchAt(MARK, filter, position);
  if (mark !== null) return [{ kind: "mark", text: mark, value: 0, position }, position + mark.length];
  const word = matchAt(WORD, filter, position);
  if (word !== null) return [{ kind: "word", text: word, value: 0, position }, position + word.length];
  const first = filter[position]!;
  if (first === '"' || first === "'") return textAt(filter, position);
  const number = matchAt(NUMBER, filter, position);
  if (number !== null) {
    const value = Number(number);
    if (!Number.isFinite(value)) throw invalidFilter(position, `${number} is too large`);
    return [{ kind: "number", text: number, value, position }, position + number.length];
  }
  if (first === "=") throw invalidFilter(position, "a single =", "write == to compare");
  if (first === "&" || first === "|")
    throw invalidFilter(position, `a single ${first}`, `write ${first}${first}`);
  if (/[-+\d]/.test(first)) throw invalidFilter(position, "this is no number as JSON writes it");
  const character = String.fromCodePoint(filter.codePointAt(position)!);
  throw invalidFilter(position, `${JSON.stringify(character)} means nothing here`);
}

function textAt(filter: string, position: number): [Token, number] {
  const quote = filter[position]!;
  let text = "";
  let index = position + 1;
  for (; ; index += 1) {
    const character = filter[index];
    if (character === undefined) throw invalidFilter(position, "the string that begins here does not end");
    if (character === quote) break;
    if (character !== "\\") {
      text += character;
      continue;
    }
    const letter = filter[index + 1] ?? "";
    if (letter === "u") {
      const digits = /^[0-9a-fA-F]{4}/.exec(filter.slice(index + 2, index + 6));
      if (digits === null) throw invalidFilter(index, "\\u takes four hexadecimal digits");
      text += String.fromCharCode(Number.parseInt(digits[0], 16));
      index += 5;
    } else {
      const meant = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (meant === undefined)
        throw invalidFilter(index, `unknown escape \\${letter}`, "write \\\\ for a \\");
      text += meant;
      index += 1;
    }
  }
  return [{ kind: "text", text, value: 0, position }, index + 1];
}

function matchAt(pattern: RegExp, text: string, position: number): string | null {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0] ?? null;
}
