/** Prometheus' own checker (Debian: prometheus), as a judge of what is written for it. */

import { fail } from "../../src/base/assert.ts";

const PROMTOOL = Bun.which("promtool");

/** Why it cannot run here; undefined when it can. */
export const promtoolMissing: string | undefined =
  PROMTOOL === null ? "promtool is not installed (Debian: prometheus)" : undefined;

/** Its exit code, and everything that it says. */
export async function promtool(
  args: readonly string[],
  input = "",
): Promise<{ exitCode: number; said: string }> {
  const child = Bun.spawn([PROMTOOL ?? fail("promtool is not here"), ...args], {
    stdin: new TextEncoder().encode(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, error] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, said: out + error };
}
