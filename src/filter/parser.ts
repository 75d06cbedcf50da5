/** The text of a filter to its expression (syntax.ts has the grammar), or where and why not: INVALID_FILTER with `position`. */

import { parseTime } from "../base/time-text.ts";
import {
  type Comparison,
  type Expression,
  FILTER_DEPTH_MAX,
  FILTER_FIELD_PAIRS_MAX,
  FILTER_LENGTH_MAX,
  FILTER_SEARCHED_LENGTH_MAX,
  FILTER_SEARCHES_MAX,
  FILTER_STEPS_MAX,
  FILTER_TERMS_MAX,
  type Literal,
  type Operand,
  type Path,
  type Root,
  type Search,
  type Step,
} from "./syntax.ts";
import { invalidFilter, type Token, tokensOf } from "./tokens.ts";

const ROOTS: readonly string[] = [
  "key",
  "value",
  "headers",
  "topic",
  "partition",
  "offset",
  "timestamp",
] satisfies Root[];
const FIELDS = ROOTS.join(", ");
const COMPARISONS: readonly string[] = ["==", "!=", "<", "<=", ">", ">="] satisfies Comparison[];
const SEARCHES: readonly Search[] = ["startsWith", "endsWith", "contains"];
const CONSTANTS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };
const NUMBERS: readonly Root[] = ["partition", "offset"];

/** @throws ObeliskError INVALID_FILTER */
export function parseExpression(filter: string): Expression {
  if (filter.length > FILTER_LENGTH_MAX) {
    const detail = `${filter.length} characters, of which it may have ${FILTER_LENGTH_MAX}`;
    throw invalidFilter(FILTER_LENGTH_MAX, detail);
  }
  return new Parser(tokensOf(filter)).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #terms = 0;
  #searches = 0;
  #pairs = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const expression = this.#filter();
    const token = this.#token;
    if (token.kind === "end") return expression;
    if (token.text === ")") throw invalidFilter(token.position, "no parenthesis is open here");
    throw invalidFilter(token.position, `${shown(token)} where \`and\`, \`or\` or the end belongs`);
  }

  get #token(): Token {
    return this.#tokens[this.#index]!;
  }

  #filter(): Expression {
    return this.#joined("or", "||", () => this.#joined("and", "&&", () => this.#one()));
  }

  #joined(kind: "and" | "or", mark: string, part: () => Expression): Expression {
    const terms = [part()];
    while (this.#takeWord(kind) || this.#takeMark(mark)) terms.push(part());
    return terms.length === 1 ? terms[0]! : { kind, terms };
  }

  #one(): Expression {
    const { position } = this.#token;
    if (this.#takeWord("not") || this.#takeMark("!"))
      return this.#nested(position, () => ({ kind: "not", term: this.#one() }));
    if (!this.#takeMark("(")) return this.#comparison();
    return this.#nested(position, () => {
      const inner = this.#filter();
      if (!this.#takeMark(")"))
        throw invalidFilter(this.#token.position, `${shown(this.#token)} where ) belongs`);
      return inner;
    });
  }

  #nested(position: number, part: () => Expression): Expression {
    if (this.#depth === FILTER_DEPTH_MAX)
      throw invalidFilter(position, `more than ${FILTER_DEPTH_MAX} parentheses and negations in one another`);
    this.#depth += 1;
    const inner = part();
    this.#depth -= 1;
    return inner;
  }

  #comparison(): Expression {
    const first = this.#token;
    this.#terms += 1;
    if (this.#terms > FILTER_TERMS_MAX)
      throw invalidFilter(first.position, `more than ${FILTER_TERMS_MAX} comparisons`);
    if (this.#isCall("exists")) return this.#exists();
    const left = this.#operand();
    const token = this.#token;
    if (token.kind === "mark" && COMPARISONS.includes(token.text)) {
      this.#index += 1;
      const second = this.#token;
      const right = this.#operand();
      if ("path" in left && "path" in right) this.#countPair(first.position);
      return comparisonOf(token.text as Comparison, left, right, first.position, second.position);
    }
    if (!("path" in left))
      throw invalidFilter(
        token.position,
        `${shown(token)} where a comparison belongs`,
        "write ==, !=, <, <=, > or >=",
      );
    return this.#rest(left.path);
  }

  #countPair(position: number): void {
    this.#pairs += 1;
    if (this.#pairs > FILTER_FIELD_PAIRS_MAX)
      throw invalidFilter(
        position,
        `more than ${FILTER_FIELD_PAIRS_MAX} comparisons of a field with a field`,
      );
  }

  /** What follows a path that is not compared with ==, < or the like. */
  #rest(path: Path): Expression {
    if (this.#takeWord("in")) return { kind: "in", path, literals: this.#list(path) };
    if (isWord(this.#token, "not") && isWord(this.#tokens[this.#index + 1]!, "in")) {
      this.#index += 2;
      return { kind: "not", term: { kind: "in", path, literals: this.#list(path) } };
    }
    for (const search of SEARCHES) if (this.#takeWord(search)) return this.#search(search, path);
    const { position } = this.#token;
    if (path.root === "topic" || path.root === "timestamp" || NUMBERS.includes(path.root))
      throw invalidFilter(position, `${path.root} must be compared with something`);
    return { kind: "isTrue", path };
  }

  #exists(): Expression {
    this.#index += 2;
    const token = this.#token;
    const operand = this.#operand();
    if (!("path" in operand)) throw invalidFilter(token.position, "exists takes a field, not a value");
    if (!this.#takeMark(")"))
      throw invalidFilter(this.#token.position, `${shown(this.#token)} where ) belongs`);
    return { kind: "exists", path: operand.path };
  }

  #search(search: Search, path: Path): Expression {
    const { position } = this.#token;
    const literal = this.#literal(`after ${search}`);
    if (search !== "contains") {
      if (typeof literal !== "string") throw invalidFilter(position, `${search} takes a string`);
      return { kind: "search", search, path, literal };
    }
    this.#searches += 1;
    if (this.#searches > FILTER_SEARCHES_MAX)
      throw invalidFilter(position, `more than ${FILTER_SEARCHES_MAX} \`contains\``);
    if (typeof literal === "string" && literal.length > FILTER_SEARCHED_LENGTH_MAX)
      throw invalidFilter(position, `contains looks for at most ${FILTER_SEARCHED_LENGTH_MAX} characters`);
    return { kind: "search", search, path, literal };
  }

  #list(path: Path): Literal[] {
    if (!this.#takeMark("["))
      throw invalidFilter(this.#token.position, `${shown(this.#token)} where [ belongs`, "write in [1, 2]");
    const literals: Literal[] = [];
    do {
      const { position } = this.#token;
      literals.push(literalFor(path, this.#literal("in the list"), position));
    } while (this.#takeMark(","));
    if (!this.#takeMark("]"))
      throw invalidFilter(this.#token.position, `${shown(this.#token)} where , or ] belongs`);
    return literals;
  }

  #operand(): Operand {
    const token = this.#token;
    if (token.kind === "word" && !Object.hasOwn(CONSTANTS, token.text.toLowerCase()))
      return { path: this.#path() };
    return { literal: this.#literal("") };
  }

  #literal(where: string): Literal {
    const token = this.#token;
    const { kind, text, value, position } = token;
    const constant = text.toLowerCase();
    let literal: Literal;
    if (kind === "text") literal = text;
    else if (kind === "number") literal = value;
    else if (kind === "word" && Object.hasOwn(CONSTANTS, constant)) literal = CONSTANTS[constant]!;
    else {
      const wanted = where === "" ? "a field or a value" : `a value ${where}`;
      const remedy = kind === "word" && where !== "" ? `write "${text}" for the string` : undefined;
      throw invalidFilter(position, `${shown(token)} where ${wanted} belongs`, remedy);
    }
    this.#index += 1;
    return literal;
  }

  #path(): Path {
    const { text, position } = this.#token;
    if (!ROOTS.includes(text)) {
      const remedy = `the fields are ${FIELDS}; write "${text}" for the string`;
      throw invalidFilter(position, `there is no field ${text}`, remedy);
    }
    const root = text as Root;
    this.#index += 1;
    const steps: Step[] = [];
    for (let at = this.#token.position; ; at = this.#token.position) {
      const step = this.#step();
      if (step === undefined) break;
      if (root !== "key" && root !== "value" && (root !== "headers" || steps.length > 0))
        throw invalidFilter(at, `there is nothing inside of ${root === "headers" ? "a header" : root}`);
      if (steps.length === FILTER_STEPS_MAX)
        throw invalidFilter(at, `a path of more than ${FILTER_STEPS_MAX} steps`);
      steps.push(step);
    }
    if (root === "headers" && typeof steps[0] !== "string")
      throw invalidFilter(position, "which header?", 'write headers.NAME or headers["NAME"]');
    return { root, steps };
  }

  #step(): Step | undefined {
    if (this.#takeMark(".")) {
      const { kind, text, position } = this.#token;
      if (kind !== "word")
        throw invalidFilter(
          position,
          `${shown(this.#token)} where a name belongs`,
          'write [0] or ["odd name"]',
        );
      this.#index += 1;
      return text;
    }
    if (!this.#takeMark("[")) return undefined;
    const { kind, text, value, position } = this.#token;
    const isIndex = kind === "number" && Number.isSafeInteger(value) && value >= 0;
    if (!isIndex && kind !== "text")
      throw invalidFilter(position, `${shown(this.#token)} where an index or a name in quotes belongs`);
    this.#index += 1;
    if (!this.#takeMark("]"))
      throw invalidFilter(this.#token.position, `${shown(this.#token)} where ] belongs`);
    return isIndex ? value : text;
  }

  #isCall(name: string): boolean {
    return isWord(this.#token, name) && isMark(this.#tokens[this.#index + 1]!, "(");
  }

  #takeWord(word: string): boolean {
    return this.#take(isWord(this.#token, word));
  }

  #takeMark(mark: string): boolean {
    return this.#take(isMark(this.#token, mark));
  }

  #take(isThere: boolean): boolean {
    if (isThere) this.#index += 1;
    return isThere;
  }
}

function comparisonOf(
  comparison: Comparison,
  left: Operand,
  right: Operand,
  leftPosition: number,
  rightPosition: number,
): Expression {
  if ("path" in left) {
    if ("path" in right) return { kind: "compare", comparison, left, right };
    const literal = literalFor(left.path, right.literal, rightPosition);
    return { kind: "compare", comparison, left, right: { literal } };
  }
  if (!("path" in right))
    throw invalidFilter(leftPosition, "two values are compared", "one side must be a field");
  const literal = literalFor(right.path, left.literal, leftPosition);
  return { kind: "compare", comparison, left: { literal }, right };
}

/** The literal as the field has it: a time in words becomes milliseconds. What could never be equal is refused. */
function literalFor({ root }: Path, literal: Literal, position: number): Literal {
  if (root === "timestamp" && typeof literal === "string") {
    const timestampMs = parseTime(literal);
    if (timestampMs === undefined || timestampMs === null)
      throw invalidFilter(position, `"${literal}" is no time`, 'write "2026-01-31T12:00:00Z"');
    return timestampMs;
  }
  const isNumber = NUMBERS.includes(root) || root === "timestamp";
  if (isNumber && typeof literal !== "number") throw invalidFilter(position, `${root} is a number`);
  if (root === "topic" && typeof literal !== "string") throw invalidFilter(position, "topic is a string");
  return literal;
}

function isWord({ kind, text }: Token, word: string): boolean {
  return kind === "word" && text.toLowerCase() === word.toLowerCase();
}

function isMark({ kind, text }: Token, mark: string): boolean {
  return kind === "mark" && text === mark;
}

function shown({ kind, text }: Token): string {
  if (kind === "end") return "the end";
  const short = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  return kind === "text" ? JSON.stringify(short) : `\`${short}\``;
}
