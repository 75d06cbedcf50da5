/**
 * Every curl example of the documents, run as it stands against the program, chapter by chapter, each chapter on a server of its own. What
 * a document prints after a command must come, with other times, ids and large numbers; `...` stands for anything.
 */

import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, fromSources } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";

const ROOT = join(import.meta.dir, "../..");
const program = compiled.missing === undefined ? compiled : fromSources;
const missing = Bun.which("curl") === null ? "curl is not installed" : undefined;
/** What does not end by itself is cut: streams (`-N`) alone may be. */
const SECONDS_MAX = 3;
/** curl's, when its time is over. */
const TIME_OVER = 28;

interface Example {
  readonly command: string;
  /** Empty: the document does not say. */
  readonly output: string;
}

interface Chapter {
  readonly name: string;
  readonly examples: Example[];
}

/** What must be there before a chapter, which its text takes for granted. */
const BEFORE: Readonly<Record<string, (origin: string, server: RunningServer) => Promise<void>>> = {
  "README.md: The first minute": (origin) => produce(origin, "greetings", 3),
  "docs/protocol.md: HTTP API (port 8081)": (origin) => produce(origin, "orders", 3),
  "docs/http.md: Messages out": async (origin) => {
    await post(origin, "/topics/orders/messages", '{"key": "user-1", "value": "hello"}');
    await produce(origin, "orders", 2);
  },
  "docs/http.md: Live tails": async (origin) => {
    await produce(origin, "orders", 6);
    await post(origin, "/topics/orders/messages", '{"value": "once"}');
  },
  "docs/http.md: Groups": async (origin) => {
    await produce(origin, "orders", 120);
    await commit(origin, 100);
  },
  "docs/http.md: Consumers without a Kafka client": async (origin) => {
    await produce(origin, "orders", 121);
    await commit(origin, 120);
  },
  "docs/http.md: The server": async (origin, server) => {
    await post(origin, "/topics", '{"name": "orders", "partitions": 3}');
    await produce(origin, "orders", 1200);
    const { port } = server.started.kafka;
    for (let id = 1; id <= 17; id += 1)
      await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } });
    const open = async () =>
      ((await (await fetch(`${origin}/connections`)).json()) as { connections: object[] }).connections.length;
    while ((await open()) < 17) await Bun.sleep(10);
  },
};

/** Chapters whose numbers are of a server that has worked for a while. */
const LOOSE = ["docs/protocol.md: HTTP API (port 8081)"];

for (const { name, examples } of chapters()) {
  test.skipIf(missing !== undefined)(
    `${name}${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "obelisk-curl-"));
      const server = await startServer(join(directory, "data"), [], { program });
      try {
        const origin = `http://localhost:${server.started.http.port}`;
        await BEFORE[name]?.(origin, server);
        for (const example of examples) await check(example, server.started.http.port, LOOSE.includes(name));
      } finally {
        await server.stop("SIGKILL");
        rmSync(directory, { recursive: true, force: true });
      }
    },
    120_000,
  );
}

test("the documents have examples, and what is prepared is for chapters that there are", () => {
  const names = chapters().map(({ name }) => name);
  expect(names.length).toBeGreaterThan(8);
  expect(Object.keys(BEFORE).filter((name) => !names.includes(name))).toEqual([]);
});

async function check({ command, output }: Example, port: number, isLoose: boolean): Promise<void> {
  const curl = `curl() { command curl -sS --max-time ${SECONDS_MAX} -w '\\n%{http_code}' "$@"; }`;
  const script = `${curl}\n${command.replaceAll("localhost:8081", `localhost:${port}`)}`;
  const child = Bun.spawn(["sh", "-c", script], { stdout: "pipe", stderr: "pipe" });
  const [text, exitCode] = [await new Response(child.stdout).text(), await child.exited];
  const end = text.lastIndexOf("\n");
  const [answer, status] = [text.slice(0, end), Number(text.slice(end + 1))];
  const isStream = / -N /.test(command) && exitCode === TIME_OVER;
  const told = Number(/"status":(\d+)/.exec(output)?.[1] ?? 200);
  expect([command, isStream ? 0 : exitCode, Math.floor(status / 100)]).toEqual([
    command,
    0,
    Math.floor(told / 100),
  ]);
  if (output !== "")
    expect([command, answer.replaceAll("\n", "")]).toEqual([command, matching(output, isLoose)]);
}

/** Numbers of four digits and more may be others, and so may times, ids, and where `isLoose` all numbers. */
function matching(output: string, isLoose: boolean): ReturnType<typeof expect.stringMatching> {
  const pattern = output
    .replaceAll("\n", "")
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("\\.\\.\\.", "[^]*")
    .replace(/(?<="uptime":")[^"]*/, '[^"]*')
    .replace(/\d{4}-\d\d-\d\dT[\d:]+\\\.\d+Z/g, "[\\d:TZ.-]+")
    .replace(/(?<=id: )[0-9a-f]+(?=\/)/g, "[0-9a-f]+")
    .replace(isLoose ? /\b\d+(\\\.\d+)?\b/g : /\d{4,}/g, "[\\d.]+");
  return expect.stringMatching(new RegExp(`^${pattern}$`));
}

/** Those with an example, in the order of the documents. */
function chapters(): Chapter[] {
  const files = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];
  return files
    .filter((file) => file.endsWith(".md"))
    .sort()
    .flatMap((file) =>
      readFileSync(join(ROOT, file), "utf8")
        .split(/^## /m)
        .map((text) => ({
          name: `${file}: ${text.slice(0, text.indexOf("\n"))}`,
          examples: examplesIn(text),
        })),
    )
    .filter(({ examples }) => examples.length > 0);
}

function examplesIn(text: string): Example[] {
  const examples: { command: string; output: string }[] = [];
  let current: { command: string; output: string } | null = null;
  for (const line of text.split("\n")) {
    if (/^ {4}\$ .*\bcurl /.test(line)) {
      current = { command: line.slice(6), output: "" };
      examples.push(current);
    } else if (current !== null && line.startsWith("    ") && !line.startsWith("    $ "))
      current.output += `${line.slice(4)}\n`;
    else if (line !== "" || current === null) current = null;
  }
  return examples;
}

async function post(origin: string, path: string, body: string): Promise<void> {
  const response = await fetch(origin + path, { method: "POST", body });
  if (!response.ok) throw new Error(await response.text());
}

async function produce(origin: string, topic: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, index) => ({ value: `m${index}` }));
  await post(origin, `/topics/${topic}/messages`, JSON.stringify(messages));
}

async function commit(origin: string, offset: number): Promise<void> {
  await post(origin, "/groups/billing/reset", JSON.stringify({ to: "offset", offset, topics: ["orders"] }));
}
