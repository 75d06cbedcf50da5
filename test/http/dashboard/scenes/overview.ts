/** The overview and what stands around every view. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { PHONE, type TestBrowser } from "../../../support/browser.ts";
import { Dashboard } from "../../../support/dashboard.ts";
import { compiled } from "../../../support/obelisk-command.ts";
import { startServer } from "../../../support/obelisk-server.ts";

export function overviewScenes(browser: TestBrowser): void {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await Dashboard.start(browser);
  });
  afterAll(() => dashboard[Symbol.asyncDispose]());

  test("of an empty broker says how to begin", async () => {
    const watched = await dashboard.open("/");
    const { page } = watched;
    await page.getByText("Nothing is stored yet").waitFor();
    expect(await page.locator("pre").textContent()).toBe(
      `curl -d '{"value":"hello"}' ${dashboard.origin}/topics/greetings/messages`,
    );
    await page.getByRole("link", { name: "Create a topic" }).click();
    await page.getByRole("dialog", { name: "Create a topic" }).waitFor();
    await watched.check();
    const phone = await dashboard.open("/", PHONE);
    await phone.page.getByText("Nothing is stored yet").waitFor();
    await phone.checkWidth();
    await phone.check();
  });

  test("moves: what is stored meanwhile appears in its charts and figures", async () => {
    await dashboard.ask("/topics", "POST", { name: "moving" });
    const watched = await dashboard.open("/");
    const { page } = watched;
    const chart = page.getByRole("img", { name: /^Messages: In/ });
    await chart.locator("canvas").waitFor();
    const stored = setInterval(
      () => void dashboard.ask("/topics/moving/messages", "POST", [{ value: "a" }, { value: "b" }]),
      50,
    );
    await page.getByRole("img", { name: /^Messages: In [1-9]/ }).waitFor();
    await page
      .locator(".tile", { hasText: "Messages in" })
      .getByText(/^[1-9]/)
      .waitFor();
    clearInterval(stored);
    await page.getByText("Healthy").waitFor();
    await watched.check();
  });

  test("is walked by keyboard alone", async () => {
    const watched = await dashboard.open("/");
    const { page } = watched;
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.keyboard.press("Tab");
    await page.locator("a:focus", { hasText: "Skip to content" }).waitFor();
    await page.keyboard.press("Enter");
    await page.locator("main:focus").waitFor();
    await page.getByRole("link", { name: "Topics", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.locator("h1:focus", { hasText: "Topics" }).waitFor();
    await page.keyboard.press("/");
    await page.locator("input:focus[placeholder='Search topics']").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("on a phone hides the way around in a menu, which Escape closes", async () => {
    const watched = await dashboard.open("/", PHONE);
    const { page } = watched;
    const menu = page.getByRole("button", { name: "Menu" });
    const link = page.getByRole("link", { name: "Topics", exact: true });
    expect(await link.isVisible()).toBe(false);
    await menu.click();
    await link.waitFor();
    await watched.check();
    await page.keyboard.press("Escape");
    await link.waitFor({ state: "hidden" });
    await menu.click();
    await link.click();
    await page.getByRole("heading", { name: "Topics", level: 1 }).waitFor();
    await link.waitFor({ state: "hidden" });
    expect(watched.faults()).toEqual([]);
  });

  test("remembers the colours that were chosen", async () => {
    const watched = await dashboard.open("/");
    const { page } = watched;
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.getByRole("radio", { name: "dark" }).check();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(await ground()).toBe(dark);
    await watched.check();
    await page.getByRole("radio", { name: "system" }).check();
    expect(await ground()).toBe(light);
  });

  test("says that an address leads nowhere", async () => {
    const watched = await dashboard.open("/dashboard/nowhere");
    await watched.page.getByText("There is no such view").waitFor();
    await watched.page.getByRole("link", { name: "Go to the overview" }).click();
    await watched.page.getByRole("heading", { name: "Overview" }).waitFor();
    await watched.check();
  });

  test("says when the broker is gone, keeps what it showed, and goes on when it is back", async () => {
    const server = await startServer("memory:", [], { program: compiled });
    const { port } = server.started.http;
    const watched = await browser.open(`http://127.0.0.1:${port}`, "/");
    watched.expectFault(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/);
    const { page } = watched;
    await page.getByText("Healthy").waitFor();
    await server.stop("SIGKILL");
    const banner = page.getByRole("alert").filter({ hasText: "The broker does not answer." });
    await banner.waitFor();
    await page.getByText("No answer").waitFor();
    expect(await page.locator(".tile").count()).toBe(6);
    await watched.check();
    await using _again = await startServer("memory:", [`--http-port=${port}`], { program: compiled });
    await banner.waitFor({ state: "detached" });
    await page.getByText("Healthy").waitFor();
    await watched.check();
  });
}
