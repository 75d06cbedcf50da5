/** The dashboard as people meet it: the compiled executable as a process, and a browser that looks at it. */

import type { Browser } from "playwright-core";
import { browserMissing, type Look, launchBrowser, WatchedPage } from "./browser.ts";
import { compiled } from "./obelisk-command.ts";
import { type RunningServer, startServer } from "./obelisk-server.ts";

/** Why it cannot run here; undefined when it can. */
export const dashboardMissing: string | undefined = browserMissing ?? compiled.missing;

export class Dashboard {
  readonly server: RunningServer;
  readonly browser: Browser;
  readonly origin: string;

  private constructor(server: RunningServer, browser: Browser) {
    this.server = server;
    this.browser = browser;
    this.origin = `http://127.0.0.1:${server.started.http.port}`;
  }

  static async start(directory = "memory:", flags: readonly string[] = []): Promise<Dashboard> {
    const [server, browser] = await Promise.all([
      startServer(directory, flags, { program: compiled }),
      launchBrowser(),
    ]);
    return new Dashboard(server, browser);
  }

  /** A page at a path, watched for faults. */
  async open(path: string, look?: Look): Promise<WatchedPage> {
    const page = await WatchedPage.open(this.browser, this.origin, look);
    await page.goto(path);
    return page;
  }

  /** Asks the HTTP API beside the page. @throws when it refuses */
  async ask<T = unknown>(path: string, method = "GET", body?: unknown): Promise<T> {
    const response = await fetch(
      this.origin + path,
      body === undefined
        ? { method }
        : { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } },
    );
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.server[Symbol.asyncDispose]();
  }
}
