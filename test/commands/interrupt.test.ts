/** Signals need a process of their own: one that says what it hears and never ends by itself. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";

const SCRIPT = `
  import { catchInterrupt } from ${JSON.stringify(join(import.meta.dir, "../../commands/interrupt.ts"))};
  const { signal } = catchInterrupt("ending; once more to leave at once");
  setInterval(() => {}, 2 ** 30);
  signal.addEventListener("abort", () => console.log("heard", signal.reason));
  console.log("ready");
`;

async function duplicates(first: NodeJS.Signals, second: NodeJS.Signals) {
  const child = Bun.spawn(["bun", "-e", SCRIPT], { stdout: "pipe", stderr: "pipe" });
  const reader = child.stdout.getReader();
  const next = async () => new TextDecoder().decode((await reader.read()).value);
  const said = [await next()];
  child.kill(first);
  said.push(await next());
  child.kill(second);
  return { said, stderr: await new Response(child.stderr).text(), exitCode: await child.exited };
}

describe("Ctrl-C and SIGTERM", () => {
  test("the first requests a graceful shutdown, a second Ctrl-C leaves at once with 130", async () => {
    expect(await duplicates("SIGTERM", "SIGINT")).toEqual({
      said: ["ready\n", "heard SIGTERM\n"],
      stderr: "ending; once more to leave at once\n",
      exitCode: 130,
    });
  });

  test("a second SIGTERM leaves at once with 143", async () => {
    const { said, exitCode } = await duplicates("SIGINT", "SIGTERM");
    expect({ said, exitCode }).toEqual({ said: ["ready\n", "heard SIGINT\n"], exitCode: 143 });
  });
});
