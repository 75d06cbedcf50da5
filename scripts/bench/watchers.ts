/**
 * Who watches a server while it is measured, in a process of its own: a Prometheus, dashboards as far as the server sees them, or
 * dashboards in Chromium. It has started before it is measured, and begins to ask when it is told to; pages in Chromium are open then.
 *
 *   bun scripts/bench/watchers.ts KIND ORIGIN COUNT      prints a line when it is ready, waits for one, and asks until it is killed
 */

import { chromium } from "playwright-core";
import type { Address } from "./load.ts";

const EVERY_MS = 1000;

export type WatcherKind = "scrape" | "dashboards" | "pages";

/** Why there is no browser here; undefined when there is one. */
export const browserMissing: string | undefined =
  browser() === null ? "chromium is not installed" : undefined;

export class Watchers {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;

  private constructor(child: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#child = child;
  }

  /** Ready, and silent yet. */
  static async start(kind: WatcherKind, { host, port }: Address, count: number): Promise<Watchers> {
    const origin = `http://${host}:${port}`;
    const child = Bun.spawn([process.execPath, import.meta.path, kind, origin, String(count)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    await child.stdout.getReader().read();
    return new Watchers(child);
  }

  begin(): void {
    this.#child.stdin.write("go\n");
    this.#child.stdin.flush();
  }

  async stop(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }
}

async function main(kind: WatcherKind, origin: string, count: number): Promise<void> {
  const watch = await prepared(kind, origin, count);
  process.stdout.write("ready\n");
  await Bun.stdin.stream().getReader().read();
  await watch();
  await new Promise(() => {}); // Until it is killed.
}

/** What begins when it is told to. */
async function prepared(kind: WatcherKind, origin: string, count: number): Promise<() => Promise<unknown>> {
  const each = <T>(make: () => Promise<T>) => Promise.all(Array.from({ length: count }, make));
  if (kind === "scrape") return () => each(() => ask(`${origin}/metrics`));
  if (kind === "dashboards")
    return () =>
      each(async () => {
        await (await fetch(`${origin}/overview/history`)).text();
        await ask(`${origin}/overview`);
      });
  const launched = await chromium.launch({ executablePath: browser()!, args: ["--no-sandbox"] });
  process.on("SIGTERM", () => void launched.close().then(() => process.exit()));
  // A context each: none lies behind another one, where it would not ask. They ask from when they are open.
  await each(async () => await (await (await launched.newContext()).newPage()).goto(origin));
  return async () => {};
}

async function ask(url: string): Promise<never> {
  for (;;) {
    await (await fetch(url)).text();
    await Bun.sleep(EVERY_MS);
  }
}

function browser(): string | null {
  return Bun.which("chromium") ?? Bun.which("chromium-browser");
}

if (import.meta.main) {
  const [kind, origin, count] = process.argv.slice(2);
  await main(kind as WatcherKind, origin!, Number(count));
}
