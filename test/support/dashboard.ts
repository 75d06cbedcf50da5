/** A server of the compiled executable, for a browser that looks at its dashboard. */

import type { Look, TestBrowser, WatchedPage } from "./browser.ts";
import { compiled } from "./obelisk-command.ts";
import { type RunningServer, startServer } from "./obelisk-server.ts";

export class Dashboard {
  readonly server: RunningServer;
  readonly #browser: TestBrowser;
  readonly #origin: string;

  private constructor(server: RunningServer, browser: TestBrowser) {
    this.server = server;
    this.#browser = browser;
    this.#origin = `http://127.0.0.1:${server.started.http.port}`;
  }

  static async start(browser: TestBrowser, flags: readonly string[] = []): Promise<Dashboard> {
    return new Dashboard(await startServer("memory:", flags, { program: compiled }), browser);
  }

  get origin(): string {
    return this.#origin;
  }

  /** A page at a path, watched for faults. */
  async open(path: string, look?: Look): Promise<WatchedPage> {
    return await this.#browser.open(this.#origin, path, look);
  }

  /** Asks the HTTP API beside the page. @throws when it refuses */
  async ask<T = unknown>(path: string, method = "GET", body?: unknown): Promise<T> {
    const response = await fetch(
      this.#origin + path,
      body === undefined
        ? { method }
        : { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } },
    );
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}
