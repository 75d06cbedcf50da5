/**
 * Runs a script in a process of its own, with the sources at hand. For what is counted over a whole process (descriptors, resident
 * memory): the process of the tests opens, closes, keeps and gives back things of its own at any time.
 */

import { join } from "node:path";

const SOURCES = join(import.meta.dir, "../../src");

/** What the script printed; it imports from `SRC/...`, and finds `input` on its standard input. @throws when it fails */
export function printedAlone(script: string, input: Uint8Array = new Uint8Array()): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [process.execPath, "-e", script.replaceAll('"SRC/', `"${SOURCES}/`)],
    { cwd: SOURCES, stdin: input },
  );
  if (exitCode !== 0) throw new Error(`the script ended with ${exitCode}: ${stderr}`);
  return stdout.toString();
}
