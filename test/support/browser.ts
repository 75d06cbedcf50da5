/**
 * Chromium without a window (Debian: chromium), driven through playwright-core. A page of it is watched: whatever it asks another host
 * for, logs as an error or a warning, throws, or violates of axe-core's rules, is a fault, and `check` fails on any.
 */

import { expect } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { fail } from "../../src/base/assert.ts";

const CHROMIUM = Bun.which("chromium") ?? Bun.which("chromium-browser");

/** Why it cannot run here; undefined when it can. */
export const browserMissing: string | undefined =
  CHROMIUM === null ? "chromium is not installed (Debian: chromium)" : undefined;

/** What WCAG 2.2 asks at the levels A and AA, and what axe-core advises beside it. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** For a condition in a page, on a busy machine. */
const WAIT_MS_MAX = 20_000;

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

export const DESK: Look = { width: 1400, height: 900, scheme: "light" };
export const PHONE: Look = { width: 390, height: 844, scheme: "dark" };

/** One browser for the tests of a file. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM ?? fail("chromium is not here"),
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

export class WatchedPage {
  readonly page: Page;
  readonly #origin: string;
  readonly #faults: string[] = [];
  readonly #expected: RegExp[] = [];

  private constructor(page: Page, origin: string) {
    this.page = page;
    this.#origin = origin;
  }

  /** A page in a context of its own: nothing is remembered from another. */
  static async open(browser: Browser, origin: string, look: Look = DESK): Promise<WatchedPage> {
    const context = await browser.newContext({
      viewport: { width: look.width, height: look.height },
      // Scroll bars lie over the page, as on a phone.
      isMobile: look.width < 600,
      hasTouch: look.width < 600,
      colorScheme: look.scheme,
      reducedMotion: "reduce",
      locale: "en-GB",
      timezoneId: "UTC",
      permissions: ["clipboard-read", "clipboard-write"],
      acceptDownloads: true,
    });
    context.setDefaultTimeout(WAIT_MS_MAX);
    const watched = new WatchedPage(await context.newPage(), origin);
    watched.#watch();
    return watched;
  }

  #watch(): void {
    this.page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${this.#origin}/`) && !url.startsWith("blob:"))
        this.#faults.push(`asked for ${url}`);
    });
    this.page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        this.#faults.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    });
    this.page.on("pageerror", (error) => this.#faults.push(`threw ${error.stack ?? error.message}`));
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.#origin + path);
  }

  /** What comes of what the test does on purpose: Chromium logs each refusal of a server. */
  expectFault(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  /** Fails on what axe-core finds in the page as it is now, and on all that went wrong in it until now. */
  async check(): Promise<void> {
    expect([...(await this.#violations()), ...this.faults()]).toEqual([]);
  }

  faults(): string[] {
    return this.#faults.filter((fault) => !this.#expected.some((pattern) => pattern.test(fault)));
  }

  async #violations(): Promise<string[]> {
    if (!(await this.page.evaluate(() => "axe" in globalThis)))
      await this.page.evaluate(await Bun.file(require.resolve("axe-core/axe.min.js")).text());
    const results = await this.page.evaluate(async (rules) => {
      const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
      return violations.map(({ id, help, nodes }) => ({
        id,
        help,
        nodes: nodes.map(({ html, any }) => `${html.slice(0, 200)} ${any[0]?.message ?? ""}`),
      }));
    }, RULES);
    return results.flatMap(({ id, help, nodes }) =>
      nodes.map((node) => `${this.page.url()}: ${id}: ${help}: ${node}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}
