/**
 * A filter as the parser (parser.ts) leaves it, and what bounds one. docs/filter.md has the language for people.
 *
 *   filter     = all { ("or" | "||") all }
 *   all        = one { ("and" | "&&") one }
 *   one        = ("not" | "!") one | "(" filter ")" | "exists" "(" path ")" | comparison
 *   comparison = path                                              it is true
 *              | operand ("==" | "!=" | "<" | "<=" | ">" | ">=") operand
 *              | path ["not"] "in" "[" literal { "," literal } "]"
 *              | path ("startsWith" | "endsWith" | "contains") literal
 *   operand    = path | literal
 *   path       = "topic" | "partition" | "offset" | "timestamp" | "headers" step | ("key" | "value") { step }
 *   step       = "." name | "[" number "]" | "[" string "]"
 *   literal    = string | number | "true" | "false" | "null"
 *
 * Names take letters, digits, _, $ and - (there is no arithmetic), so `headers.x-request-id` needs no quotes. Words of the language are
 * the same in capitals; names of fields are not.
 */

/** Characters of a filter: a few lines, or an `in` of some hundred keys; small enough for the address of a request. */
export const FILTER_LENGTH_MAX = 8_192;
/** Parentheses and negations inside one another: each takes a frame of the stack, for the parser and for each record. */
export const FILTER_DEPTH_MAX = 32;
/** Comparisons of a filter: each takes time for every record. */
export const FILTER_TERMS_MAX = 128;
/** Those with `contains`, which looks at a whole text or list. */
export const FILTER_SEARCHES_MAX = 8;
/** Comparisons of one field with another: both may be long texts, which differ at their ends. */
export const FILTER_FIELD_PAIRS_MAX = 16;
/** Characters that one `contains` looks for. */
export const FILTER_SEARCHED_LENGTH_MAX = 256;
/** Steps into a JSON value. */
export const FILTER_STEPS_MAX = 32;

export type Root = "topic" | "partition" | "offset" | "timestamp" | "headers" | "key" | "value";

/** A name of an object's member, or an index of a list. */
export type Step = string | number;

export interface Path {
  readonly root: Root;
  readonly steps: readonly Step[];
}

export type Literal = string | number | boolean | null;

export type Operand = { readonly path: Path } | { readonly literal: Literal };

export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

export type Search = "startsWith" | "endsWith" | "contains";

export type Expression =
  | { readonly kind: "and" | "or"; readonly terms: readonly Expression[] }
  | { readonly kind: "not"; readonly term: Expression }
  | {
      readonly kind: "compare";
      readonly comparison: Comparison;
      readonly left: Operand;
      readonly right: Operand;
    }
  | { readonly kind: "in"; readonly path: Path; readonly literals: readonly Literal[] }
  | { readonly kind: "search"; readonly search: Search; readonly path: Path; readonly literal: Literal }
  | { readonly kind: "exists" | "isTrue"; readonly path: Path };
