/**
 * An expression to a test of records. What compares how:
 *
 *   - A field that is not there is as null; only `exists` tells them apart. `a != b` is `not a == b`.
 *   - Numbers are compared with numbers and texts with texts, these by UTF-16 units; nothing else is less or greater than anything.
 *   - Lists and objects equal nothing. Neither do bytes that are no UTF-8, or too many (record-view.ts).
 *   - A whole key, value or header is text. Compared with a number or with true and false it counts as what it spells: 12, -1.5e3, true.
 *
 * The time of one record is bounded by the filter's limits (syntax.ts) and by what is decoded of a record (record-view.ts).
 */

import type { FieldValue, RecordView } from "./record-view.ts";
import type { Comparison, Expression, Literal, Operand, Path, Search } from "./syntax.ts";

export type Test = (view: RecordView) => boolean;

type Read = (view: RecordView) => FieldValue;

/** No number that is longer than this is spelled in a text. */
const SPELLED_LENGTH_MAX = 64;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

export function compile(expression: Expression): Test {
  switch (expression.kind) {
    case "and":
      return all(expression.terms.map(compile));
    case "or": {
      const isNone = all(expression.terms.map((term) => negated(compile(term))));
      return negated(isNone);
    }
    case "not":
      return negated(compile(expression.term));
    case "compare":
      return comparisonTest(expression.comparison, expression.left, expression.right);
    case "in":
      return membershipTest(expression.path, expression.literals);
    case "search":
      return searchTest(expression.search, expression.path, expression.literal);
    case "exists":
      return existenceTest(expression.path);
    case "isTrue":
      return comparisonTest("==", { path: expression.path }, { literal: true });
  }
}

function all(tests: readonly Test[]): Test {
  return (view) => {
    for (const test of tests) if (!test(view)) return false;
    return true;
  };
}

function negated(test: Test): Test {
  return (view) => !test(view);
}

function comparisonTest(comparison: Comparison, left: Operand, right: Operand): Test {
  const readLeft = operandReader(left);
  const readRight = operandReader(right);
  const isLeftText = isText(left);
  const isRightText = isText(right);
  const compare = COMPARERS[comparison];
  return (view) => {
    const first = readLeft(view);
    const second = readRight(view);
    if (isLeftText) return compare(spelled(first, second), second);
    return compare(first, isRightText ? spelled(second, first) : second);
  };
}

const COMPARERS: Readonly<Record<Comparison, (left: FieldValue, right: FieldValue) => boolean>> = {
  "==": isEqual,
  "!=": (left, right) => !isEqual(left, right),
  "<": (left, right) => order(left, right) < 0,
  "<=": (left, right) => order(left, right) <= 0,
  ">": (left, right) => order(left, right) > 0,
  ">=": (left, right) => order(left, right) >= 0,
};

function isEqual(left: FieldValue, right: FieldValue): boolean {
  const value = left ?? null;
  return (value === null || typeof value !== "object") && value === (right ?? null);
}

/** Below 0, 0 or above; NaN, which is none of them, for what cannot be compared. */
function order(left: FieldValue, right: FieldValue): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return left < right ? -1 : left > right ? 1 : 0;
  return Number.NaN;
}

function membershipTest(path: Path, literals: readonly Literal[]): Test {
  const read = pathReader(path);
  const members = new Set<FieldValue>(literals);
  if (!isText({ path })) return (view) => members.has(read(view) ?? null);
  return (view) => {
    const value = read(view) ?? null;
    return members.has(value) || members.has(spelled(value, 0)) || members.has(spelled(value, true));
  };
}

function searchTest(search: Search, path: Path, literal: Literal): Test {
  const read = pathReader(path);
  if (search === "contains") {
    return (view) => {
      const value = read(view);
      if (Array.isArray(value)) return value.includes(literal);
      return typeof value === "string" && typeof literal === "string" && value.includes(literal);
    };
  }
  const text = literal as string;
  return (view) => {
    const value = read(view);
    return typeof value === "string" && value[search](text);
  };
}

function existenceTest(path: Path): Test {
  const { root, steps } = path;
  if (steps.length === 0 && (root === "key" || root === "value")) return (view) => !view[root].isNull;
  const read = pathReader(path);
  return (view) => read(view) !== undefined;
}

function operandReader(operand: Operand): Read {
  if ("path" in operand) return pathReader(operand.path);
  const { literal } = operand;
  return () => literal;
}

function pathReader({ root, steps }: Path): Read {
  switch (root) {
    case "topic":
    case "partition":
    case "offset":
      return ({ record }) => record![root];
    case "timestamp":
      return ({ record }) => record!.timestampMs;
    case "headers": {
      const name = String(steps[0]);
      return (view) => view.header(name);
    }
    case "key":
    case "value":
      return steps.length === 0 ? (view) => view[root].text : (view) => view[root].at(steps);
  }
}

/** Whether the operand is always a text or null: a whole key or value, or a header. */
function isText(operand: Operand): boolean {
  if (!("path" in operand)) return false;
  const { root, steps } = operand.path;
  return root === "headers" || (steps.length === 0 && (root === "key" || root === "value"));
}

/** What a text spells, for a comparison with `other`; the text itself when that is neither a number nor a boolean. */
function spelled(text: FieldValue, other: FieldValue): FieldValue {
  if (typeof text !== "string" || text.length > SPELLED_LENGTH_MAX) return text;
  if (typeof other === "number") return NUMBER.test(text) ? Number(text) : text;
  if (typeof other === "boolean") return text === "true" ? true : text === "false" ? false : text;
  return text;
}
