/**
 * Chromium without a window (Debian: chromium-headless-shell or chromium), driven through playwright-core. A page of it is watched: whatever it asks another host
 * for, logs as an error or a warning, throws, or violates of axe-core's rules in light and dark, is a fault, and `check` fails on any.
 */

import { expect } from "bun:test";
import type { RunOptions } from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { fail } from "../../src/base/assert.ts";

/** The shell has no windows at all, and takes half of the time. */
const CHROMIUM = Bun.which("chromium-headless-shell") ?? Bun.which("chromium");

/** Why it cannot run here; undefined when it can. */
export const browserMissing: string | undefined =
  CHROMIUM === null ? "chromium is not installed (Debian: chromium-headless-shell)" : undefined;

/** What WCAG 2.2 asks at the levels A and AA, and what axe-core advises beside it. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** For a condition in a page, on a busy machine. */
const WAIT_MS_MAX = 30_000;

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

export const DESK: Look = { width: 1400, height: 900, scheme: "light" };
export const PHONE: Look = { width: 390, height: 844, scheme: "dark" };

export class TestBrowser {
  #browser: Browser | null = null;
  /** To open one takes longer than most tests: those of the same look share it. */
  readonly #pages = new Map<Look, WatchedPage>();

  async launch(): Promise<void> {
    this.#browser = await chromium.launch({
      executablePath: CHROMIUM ?? fail("chromium is not here"),
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
  }

  /** The page of a look, at an address, with nothing of what went wrong in it before. */
  async open(origin: string, path: string, look = DESK): Promise<WatchedPage> {
    const page = this.#pages.get(look) ?? (await this.#newPage(look));
    this.#pages.set(look, page);
    await page.restart(origin, path);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser?.close();
  }

  async #newPage(look: Look): Promise<WatchedPage> {
    const browser = this.#browser ?? fail("the browser is not launched");
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
    });
    context.setDefaultTimeout(WAIT_MS_MAX);
    return new WatchedPage(await context.newPage(), look);
  }
}

export class WatchedPage {
  readonly page: Page;
  readonly #look: Look;
  #origin = "";
  #faults: string[] = [];
  #expected: RegExp[] = [];

  constructor(page: Page, look: Look) {
    this.page = page;
    this.#look = look;
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(`${this.#origin}/`) && !url.startsWith("blob:") && url !== "about:blank")
        this.#faults.push(`asked for ${url}`);
    });
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        this.#faults.push(`${message.type()}: ${message.text()} ${message.location().url}`);
    });
    page.on("pageerror", (error) => this.#faults.push(`threw ${error.stack ?? error.message}`));
  }

  /** Begins anew: what went wrong before is forgotten. */
  async restart(origin: string, path: string): Promise<void> {
    await this.page.goto("about:blank");
    this.#origin = origin;
    this.#faults = [];
    this.#expected = [];
    await this.goto(path);
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
    expect(await this.findings()).toEqual([]);
  }

  async findings(): Promise<string[]> {
    return [...(await this.#violations()), ...this.faults()];
  }

  faults(): string[] {
    return this.#faults.filter((fault) => !this.#expected.some((pattern) => pattern.test(fault)));
  }

  /** Fails when the page is wider than the window. */
  async checkWidth(): Promise<void> {
    const [wide, shown] = await this.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(wide).toBe(shown!);
  }

  /** In the page's colours by all rules; on a desk then in the other ones by their contrast, which on a phone is no other. */
  async #violations(): Promise<string[]> {
    if (!(await this.page.evaluate(() => "axe" in globalThis)))
      await this.page.evaluate(await Bun.file(require.resolve("axe-core/axe.min.js")).text());
    const own = await this.#axe({ runOnly: RULES });
    const { scheme } = this.#look;
    if (this.#look === PHONE) return own;
    await this.page.emulateMedia({ colorScheme: scheme === "light" ? "dark" : "light" });
    const other = await this.#axe({ runOnly: { type: "rule", values: ["color-contrast"] } });
    await this.page.emulateMedia({ colorScheme: scheme });
    return [...own, ...other];
  }

  async #axe(options: RunOptions): Promise<string[]> {
    return await this.page.evaluate(async (given) => {
      const { axe } = globalThis as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run(document, {
        ...given,
        resultTypes: ["violations"],
        // Style sheets need not be fetched again: no rule that is asked for reads them.
        preload: false,
      });
      return violations.flatMap(({ id, help, nodes }) =>
        nodes.map(
          ({ html, any }) =>
            `${location.href}: ${id}: ${help}: ${html.slice(0, 200)} ${any[0]?.message ?? ""}`,
        ),
      );
    }, options);
  }
}
