/**
 * Random filters on random records, against a second evaluator that is as plain as it can be: it works on the tree from which the text
 * was written, and on the record as values, not as bytes.
 */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseFilter } from "../../src/filter/filter.ts";
import type { FilterRecord } from "../../src/filter/record-view.ts";

type Scalar = string | number | boolean | null;
type Field = { field: string; path: (string | number)[] };
type Tree =
  | { is: "and" | "or"; parts: Tree[] }
  | { is: "not"; part: Tree }
  | { is: "compare"; sign: string; field: Field; other: Scalar | Field; isTurned: boolean }
  | { is: "in"; field: Field; list: Scalar[]; isNegated: boolean }
  | { is: "search"; word: string; field: Field; wanted: Scalar }
  | { is: "exists" | "true"; field: Field };

interface ModelRecord {
  partition: number;
  offset: number;
  key: string | null;
  value: string | null;
  headers: [string, string | null][];
}

// Few names and values, so that they meet.
const NAMES = ["a", "b-c", "odd name", "0", "length"];
const scalar = fc.constantFrom<Scalar>(
  "",
  "a",
  "ab",
  "5",
  "true",
  "ö",
  "null",
  0,
  5,
  -1.5,
  1e3,
  true,
  false,
  null,
);
const json = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("any"), { maxKeys: 3 }),
  ),
})).any;
const texts = fc.oneof(
  json.map((value) => JSON.stringify(value)),
  fc.constantFrom("", "a", "ab", "5", "-1.5", "1e3", "true", "{", "ö"),
  fc.constant(null),
);
const records: fc.Arbitrary<ModelRecord> = fc.record({
  partition: fc.constantFrom(0, 5),
  offset: fc.constantFrom(0, 5, 1_000),
  key: texts,
  value: texts,
  headers: fc.array(fc.tuple(fc.constantFrom(...NAMES), texts), { maxLength: 3 }),
});
const step = fc.oneof(fc.constantFrom(...NAMES), fc.constantFrom(0, 1, 2));
const bytesField = fc.oneof(
  fc.record({ field: fc.constantFrom("key", "value"), path: fc.array(step, { maxLength: 3 }) }),
  fc.record({ field: fc.constant("headers"), path: fc.tuple(fc.constantFrom(...NAMES)) }),
) as fc.Arbitrary<Field>;
const numberField = fc.record({
  field: fc.constantFrom("partition", "offset"),
  path: fc.constant<Field["path"]>([]),
});
const sign = fc.constantFrom("==", "!=", "<", "<=", ">", ">=");
const number = fc.constantFrom(0, 5, 1e3);
const leaf: fc.Arbitrary<Tree> = fc.oneof(
  fc.record({
    is: fc.constant("compare" as const),
    sign,
    field: bytesField,
    other: fc.oneof(scalar, bytesField, numberField) as fc.Arbitrary<Scalar | Field>,
    isTurned: fc.boolean(),
  }),
  fc.record({
    is: fc.constant("compare" as const),
    sign,
    field: numberField as fc.Arbitrary<Field>,
    other: number as fc.Arbitrary<Scalar | Field>,
    isTurned: fc.boolean(),
  }),
  fc.record({
    is: fc.constant("in" as const),
    field: bytesField,
    list: fc.array(scalar, { minLength: 1, maxLength: 4 }),
    isNegated: fc.boolean(),
  }),
  fc.record({
    is: fc.constant("search" as const),
    word: fc.constantFrom("startsWith", "endsWith"),
    field: bytesField,
    wanted: fc.constantFrom<Scalar>("", "a", "5"),
  }),
  fc.record({
    is: fc.constant("search" as const),
    word: fc.constant("contains"),
    field: bytesField,
    wanted: scalar,
  }),
  fc.record({ is: fc.constantFrom("exists" as const, "true" as const), field: bytesField }),
);
const trees = fc.letrec<{ any: Tree }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({
      is: fc.constantFrom("and" as const, "or" as const),
      parts: fc.array(tie("any"), { minLength: 2, maxLength: 3 }),
    }),
    fc.record({ is: fc.constant("not" as const), part: tie("any") }),
  ),
})).any;

test("a filter says of a record what its tree says", () => {
  fc.assert(
    fc.property(
      trees,
      fc.array(records, { minLength: 1, maxLength: 4 }),
      fc.infiniteStream(fc.nat(9)),
      (tree, many, dice) => {
        const text = written(tree, () => dice.next().value as number);
        const searches = text.split("contains").length - 1;
        const pairs = JSON.stringify(tree).split('"other":{').length - 1;
        fc.pre(searches <= 8 && pairs <= 16);
        const filter = parseFilter(text);
        const said = many.map((record) => filter.matches(asBytes(record)));
        expect({ text, said }).toEqual({ text, said: many.map((record) => holds(tree, record)) });
      },
    ),
    { numRuns: 3_000 },
  );
});

function asBytes(record: ModelRecord): FilterRecord {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text));
  return {
    ...record,
    topic: "t",
    timestampMs: 0,
    key: bytes(record.key),
    value: bytes(record.value),
    headers: record.headers.map(([key, value]) => ({ key, value: bytes(value) })),
  };
}

/** The tree as somebody might write it. */
function written(tree: Tree, die: () => number): string {
  const gap = () => [" ", "  ", "\n", "\t "][die() % 4]!;
  const either = (...choices: string[]) => choices[die() % choices.length]!;
  const scalarText = (value: Scalar) =>
    typeof value === "string" && die() % 2 === 0 ? `'${value}'` : JSON.stringify(value);
  const fieldText = ({ field, path }: Field) =>
    field +
    path
      .map((part) => {
        if (typeof part === "number") return `[${part}]`;
        return /^[a-z-]+$/.test(part) && die() % 2 === 0 ? `.${part}` : `[${scalarText(part)}]`;
      })
      .join("");
  switch (tree.is) {
    case "and":
    case "or": {
      const joint = () =>
        gap() + (tree.is === "and" ? either("and", "&&", "AND") : either("or", "||", "Or")) + gap();
      return tree.parts
        .map((part) => `(${written(part, die)})`)
        .reduce((left, right) => left + joint() + right);
    }
    case "not":
      return `${either("not", "!", "NOT")}${gap()}(${written(tree.part, die)})`;
    case "compare": {
      const other = isField(tree.other) ? fieldText(tree.other) : scalarText(tree.other);
      const [left, right] = tree.isTurned ? [other, fieldText(tree.field)] : [fieldText(tree.field), other];
      return `${left}${gap()}${tree.sign}${gap()}${right}`;
    }
    case "in":
      return `${fieldText(tree.field)}${gap()}${tree.isNegated ? "not in" : "in"} [${tree.list.map(scalarText).join(",")}]`;
    case "search":
      return `${fieldText(tree.field)} ${tree.word} ${scalarText(tree.wanted)}`;
    case "exists":
      return `exists(${fieldText(tree.field)})`;
    case "true":
      return fieldText(tree.field);
  }
}

function isField(other: Scalar | Field): other is Field {
  return typeof other === "object" && other !== null;
}

/** What the filter must say, read off the documented rules. */
function holds(tree: Tree, record: ModelRecord): boolean {
  switch (tree.is) {
    case "and":
      return tree.parts.every((part) => holds(part, record));
    case "or":
      return tree.parts.some((part) => holds(part, record));
    case "not":
      return !holds(tree.part, record);
    case "true":
      return meets("==", tree.field, true, record);
    case "exists": {
      const found = lookUp(tree.field, record);
      return isWholeText(tree.field) && tree.field.field !== "headers" ? found !== null : found !== undefined;
    }
    case "compare":
      if (tree.isTurned && isField(tree.other)) return meets(tree.sign, tree.other, tree.field, record);
      return meets(tree.isTurned ? turned(tree.sign) : tree.sign, tree.field, tree.other, record);
    case "in":
      return tree.list.some((one) => meets("==", tree.field, one, record)) !== tree.isNegated;
    case "search": {
      const found = lookUp(tree.field, record);
      if (tree.word === "contains" && Array.isArray(found)) return found.some((one) => one === tree.wanted);
      if (typeof found !== "string" || typeof tree.wanted !== "string") return false;
      if (tree.word === "contains") return found.split(tree.wanted).length > 1 || tree.wanted === "";
      const part =
        tree.word === "startsWith"
          ? found.slice(0, tree.wanted.length)
          : found.slice(Math.max(0, found.length - tree.wanted.length));
      return part === tree.wanted;
    }
  }
}

function turned(sign: string): string {
  return sign.replace(/[<>]/, (one) => (one === "<" ? ">" : "<"));
}

function meets(sign: string, field: Field, other: Scalar | Field, record: ModelRecord): boolean {
  let left: unknown = lookUp(field, record) ?? null;
  let right: unknown = isField(other) ? (lookUp(other, record) ?? null) : other;
  if (isWholeText(field)) left = asSpelled(left, right);
  else if (isField(other) && isWholeText(other)) right = asSpelled(right, left);
  if (sign === "!=") return !isSame(left, right);
  if (sign === "==") return isSame(left, right);
  if (typeof left !== typeof right || (typeof left !== "number" && typeof left !== "string")) return false;
  const [first, second] = [left as string, right as string];
  return { "<": first < second, "<=": first <= second, ">": first > second, ">=": first >= second }[sign]!;
}

function isSame(left: unknown, right: unknown): boolean {
  if (typeof left === "object" && left !== null) return false;
  return left === right;
}

function isWholeText({ field, path }: Field): boolean {
  return field === "headers" || ((field === "key" || field === "value") && path.length === 0);
}

function asSpelled(text: unknown, other: unknown): unknown {
  if (typeof text !== "string" || (typeof other !== "number" && typeof other !== "boolean")) return text;
  try {
    const value: unknown = JSON.parse(text);
    return text.trim() === text && typeof value === typeof other ? value : text;
  } catch {
    return text;
  }
}

function lookUp({ field, path }: Field, record: ModelRecord): unknown {
  if (field === "headers") return record.headers.findLast(([name]) => name === path[0])?.[1];
  const found: unknown = record[field as "key"];
  if (path.length === 0 || found === null) return path.length === 0 ? found : undefined;
  try {
    return path.reduce<unknown>(
      (value, part) => {
        if (Array.isArray(value)) return typeof part === "number" ? value[part] : undefined;
        const isObject = typeof value === "object" && value !== null && typeof part === "string";
        return isObject ? Object.entries(value).find(([name]) => name === part)?.[1] : undefined;
      },
      JSON.parse(found as string),
    );
  } catch {
    return undefined;
  }
}
