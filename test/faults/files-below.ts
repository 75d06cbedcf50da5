/** What a directory holds, to tell whether anything in it has changed. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

/** By path below the directory: how many bytes, and their hash. */
export async function filesBelow(directory: string): Promise<Record<string, string>> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const found: Record<string, string> = {};
  for (const { parentPath, name } of entries) {
    const path = join(parentPath, name);
    const bytes = await Bun.file(path).bytes();
    found[path.slice(directory.length + 1)] = `${bytes.length} bytes, ${Bun.hash(bytes).toString(16)}`;
  }
  return found;
}
