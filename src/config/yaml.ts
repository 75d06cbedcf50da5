/**
 * The YAML file of settings: one flat mapping of names to plain values.
 *
 *     # obelisk.yaml
 *     data: /var/lib/obelisk
 *     memory: 1GiB
 *
 * Nested values, lists and empty values are errors, and so are a duplicate key (YAML parsers take the last) and bytes that are
 * not UTF-8. A value is the text that is written: YAML would make 7 of a directory named 007, and 16 of 0x10.
 * Bun's parser does not say where a value stands, so lines are found by looking for the key at the start of a line.
 */

import { isUtf8 } from "node:buffer";
import { errnoOf } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import { systemReason } from "../base/system-error.ts";
import type { ConfigError, Given } from "./config-errors.ts";

interface YamlResult {
  readonly given: readonly Given[];
  readonly errors: readonly ConfigError[];
}

/** Reads the settings of a file. `label` is how errors name it. Never throws for what is in the file. */
export function readYaml(label: string, path: string, files: Pick<Files, "readFile">): YamlResult {
  let bytes: Buffer;
  try {
    bytes = files.readFile(path);
  } catch (thrown) {
    const reason = errnoOf(thrown) === "ENOENT" ? "no such file" : `cannot be read: ${messageOf(thrown)}`;
    return { given: [], errors: [{ source: label, message: reason }] };
  }
  const invalidLine = lineWithoutUtf8(bytes);
  if (invalidLine !== null)
    return { given: [], errors: [{ source: `${label} line ${invalidLine}`, message: "is not UTF-8" }] };
  const content = new TextDecoder().decode(bytes);
  let root: unknown;
  try {
    root = Bun.YAML.parse(content);
  } catch (thrown) {
    return { given: [], errors: [{ source: label, message: `is not valid YAML: ${messageOf(thrown)}` }] };
  }
  if (root === null || root === undefined) return { given: [], errors: [] };
  if (typeof root !== "object" || Array.isArray(root)) {
    return {
      given: [],
      errors: [{ source: label, message: "must be a mapping of setting names to values" }],
    };
  }
  return fromMapping(label, content, root as Record<string, unknown>);
}

function fromMapping(label: string, content: string, root: Record<string, unknown>): YamlResult {
  const lines = linesOfKeys(content);
  const given: Given[] = [];
  const errors: ConfigError[] = [];
  for (const [name, value] of Object.entries(root)) {
    const places = lines.get(name) ?? [];
    const last = places.at(-1);
    const source = last === undefined ? label : `${label} line ${last.line}`;
    if (places.length > 1)
      errors.push({ source, message: `duplicate key ${name}, first in line ${places[0]!.line}` });
    if (value === null || value === undefined) errors.push({ source, message: `${name} has no value` });
    else if (typeof value === "object")
      errors.push({ source, message: `${name} must be a plain value, not a list or a mapping` });
    else given.push({ name, text: textOf(value, last), source });
  }
  return { given, errors };
}

/** Where a key stands: the line, from 1, and the first word after the colon. */
interface KeyPlace {
  readonly line: number;
  readonly word: string;
}

/** The places at which each top-level key stands. */
function linesOfKeys(content: string): Map<string, KeyPlace[]> {
  const lines = new Map<string, KeyPlace[]>();
  content.split(/\r?\n/).forEach((line, index) => {
    const match = /^(?:"([^"]+)"|'([^']+)'|([^\s#:][^:]*?))\s*:(?:\s+(\S*)|$)/.exec(line);
    const key = match?.[1] ?? match?.[2] ?? match?.[3];
    if (key === undefined) return;
    lines.set(key, [...(lines.get(key) ?? []), { line: index + 1, word: match?.[4] ?? "" }]);
  });
  return lines;
}

/** Text is what YAML says; a number or a switch is what stands in the line, which is always one word. */
function textOf(value: unknown, place: KeyPlace | undefined): string {
  if (typeof value === "string" || place === undefined) return String(value);
  return Bun.YAML.parse(place.word) === value ? place.word : String(value);
}

/** The first line, from 1, with bytes that are not UTF-8; null when all of it is. */
function lineWithoutUtf8(bytes: Buffer): number | null {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    if (!isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
  }
  return null;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? systemReason(thrown) : String(thrown);
}
