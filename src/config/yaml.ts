/**
 * The YAML file of settings: one flat mapping of names to plain values.
 *
 *     # obelisk.yaml
 *     data: /var/lib/obelisk
 *     memory: 1GiB
 *
 * Nested values, lists and empty values are mistakes, and so is a key that stands twice (YAML parsers take the last).
 * Bun's parser does not say where a value stands, so lines are found by looking for the key at the start of a line.
 */

import { errnoOf } from "../base/errors.ts";
import type { Files } from "../base/files.ts";
import type { Given, Mistake } from "./mistakes.ts";

interface YamlResult {
  readonly given: readonly Given[];
  readonly mistakes: readonly Mistake[];
}

/** Reads the settings of a file. `label` is how mistakes name it. Never throws for what is in the file. */
export function readYaml(label: string, path: string, files: Pick<Files, "readFile">): YamlResult {
  let content: string;
  try {
    content = files.readFile(path).toString("utf8");
  } catch (thrown) {
    const reason =
      errnoOf(thrown) === "ENOENT" ? "there is no such file" : `cannot be read: ${messageOf(thrown)}`;
    return { given: [], mistakes: [{ source: label, message: reason }] };
  }
  let root: unknown;
  try {
    root = Bun.YAML.parse(content);
  } catch (thrown) {
    return { given: [], mistakes: [{ source: label, message: `is not valid YAML: ${messageOf(thrown)}` }] };
  }
  if (root === null || root === undefined) return { given: [], mistakes: [] };
  if (typeof root !== "object" || Array.isArray(root)) {
    return {
      given: [],
      mistakes: [{ source: label, message: "must be a mapping of setting names to values" }],
    };
  }
  return fromMapping(label, content, root as Record<string, unknown>);
}

function fromMapping(label: string, content: string, root: Record<string, unknown>): YamlResult {
  const lines = linesOfKeys(content);
  const given: Given[] = [];
  const mistakes: Mistake[] = [];
  for (const [name, value] of Object.entries(root)) {
    const places = lines.get(name) ?? [];
    const source = places.length > 0 ? `${label} line ${places.at(-1)}` : label;
    if (places.length > 1)
      mistakes.push({ source, message: `${name} stands twice, first in line ${places[0]}` });
    if (value === null || value === undefined) mistakes.push({ source, message: `${name} has no value` });
    else if (typeof value === "object")
      mistakes.push({ source, message: `${name} must be a plain value, not a list or a mapping` });
    else given.push({ name, text: String(value), source });
  }
  return { given, mistakes };
}

/** Line numbers (from 1) at which each top-level key stands. */
function linesOfKeys(content: string): Map<string, number[]> {
  const lines = new Map<string, number[]>();
  content.split(/\r?\n/).forEach((line, index) => {
    const match = /^(?:"([^"]+)"|'([^']+)'|([^\s#:][^:]*?))\s*:(?:\s|$)/.exec(line);
    const key = match?.[1] ?? match?.[2] ?? match?.[3];
    if (key !== undefined) lines.set(key, [...(lines.get(key) ?? []), index + 1]);
  });
  return lines;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
