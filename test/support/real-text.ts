/** A real text of many lines: the type declarations and notes that come with the project's own packages. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const PACKAGES = ["@types/node", "bun-types"];
const ROOT = join(import.meta.dir, "../../node_modules");

/** The first `count` lines that are not empty, in the order of the files' names. */
export function realLines(count: number): string[] {
  const lines: string[] = [];
  for (const name of PACKAGES) collect(join(ROOT, name), lines, count);
  if (lines.length < count) throw new Error(`there are only ${lines.length} lines of text`);
  return lines;
}

function collect(path: string, lines: string[], count: number): void {
  if (lines.length >= count) return;
  if (statSync(path).isDirectory()) {
    for (const name of readdirSync(path).sort()) collect(join(path, name), lines, count);
  } else if (/\.(ts|md|mdx)$/.test(path)) {
    for (const line of readFileSync(path, "utf8").split(/\r?\n/)) {
      if (line !== "" && lines.length < count) lines.push(line);
    }
  }
}
