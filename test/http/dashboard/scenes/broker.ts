/** What the dashboard tells of the broker itself: connections, settings, transactions. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { Kafka, logLevel } from "kafkajs";
import { PHONE, type TestBrowser } from "../../../support/browser.ts";
import { Dashboard } from "../../../support/dashboard.ts";

export function brokerScenes(browser: TestBrowser): void {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await Dashboard.start(browser, ["--retention-ms=3600000"]);
  });
  afterAll(() => dashboard[Symbol.asyncDispose]());

  test("connections are listed, searched and closed", async () => {
    const { port } = dashboard.server.started.kafka;
    const retry = { retries: 0 };
    const admin = new Kafka({
      clientId: "billing",
      brokers: [`127.0.0.1:${port}`],
      logLevel: logLevel.NOTHING,
      retry,
    }).admin();
    await admin.connect();
    const watched = await dashboard.open("/dashboard/connections");
    const { page } = watched;
    const row = page
      .getByRole("table", { name: "Connections" })
      .getByRole("row")
      .filter({ hasText: "billing" });
    await row.waitFor();
    expect(await row.textContent()).toMatch(/^127\.0\.0\.1:\d+billing kafka/);
    await watched.check();
    await page.getByLabel("Search connections").fill("nobody");
    await page.getByText("No connection is like that").waitFor();
    await page.keyboard.press("Escape");
    const disconnected = new Promise((resolve) => admin.on(admin.events.DISCONNECT, resolve));
    await row.getByRole("button", { name: /^Close 127/ }).click();
    await watched.check();
    await page.getByRole("dialog").getByRole("button", { name: "Close it" }).click();
    await page.getByText("Nobody is connected").waitFor();
    await watched.check();
    await admin.disconnect();
    await disconnected;
  });

  test("settings are told with their advice, and those that were changed apart", async () => {
    const watched = await dashboard.open("/dashboard/settings");
    const { page } = watched;
    const setting = (name: string) =>
      page.getByRole("listitem").filter({ has: page.getByRole("heading", { name }) });
    await setting("retention-ms").waitFor();
    expect(await setting("retention-ms").textContent()).toContain("OBELISK_RETENTION_MS");
    await page.getByText("Kafka clients connect to").waitFor();
    await watched.check();
    await page.getByLabel("Only what was changed").check();
    await setting("durability").waitFor({ state: "detached" });
    expect(await setting("retention-ms").textContent()).toContain("--retention-ms");
    await page.getByLabel("Search settings").fill("no setting is called so");
    await page.getByText("No setting is like that").waitFor();
    await watched.goto("/dashboard/settings");
    await page.getByLabel("Search settings").fill("fsync");
    await setting("durability").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("the page of the HTTP API's document asks no other host either", async () => {
    const watched = await dashboard.open("/openapi");
    await watched.page.getByText("Store messages").first().waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("transactions are told to be refused", async () => {
    const watched = await dashboard.open("/dashboard/transactions");
    await watched.page.getByText("Transactions are not served yet").waitFor();
    await watched.check();
  });

  test("what would be a fault is found: foreign requests, errors, and violations of axe-core's rules", async () => {
    const watched = await dashboard.open("/dashboard/transactions");
    const { page } = watched;
    await page.getByText("Transactions are not served yet").waitFor();
    expect(watched.faults()).toEqual([]);
    await page.evaluate(() => fetch("http://127.0.0.2:9/").catch(() => {}));
    expect(watched.faults().join("\n")).toContain("Content Security Policy");
    watched.expectFault(/Content Security Policy|violates the document/);
    await page.evaluate(() => {
      const faint = document.createElement("button");
      faint.style.color = "light-dark(black, #333)";
      faint.style.background = "light-dark(white, black)";
      faint.textContent = "faint";
      document.querySelector("main")?.append(faint, document.createElement("input"));
    });
    const rules = (await watched.findings()).map((finding) => finding.split(": ")[1]);
    expect(rules).toEqual(["label", "color-contrast"]);
  });

  test("all of it fits on a phone", async () => {
    const watched = await dashboard.open("/dashboard/settings", PHONE);
    await watched.page.getByRole("heading", { name: "durability" }).waitFor();
    await watched.checkWidth();
    await watched.check();
    await watched.goto("/dashboard/connections");
    await watched.page.getByText("Nobody is connected").waitFor();
    await watched.checkWidth();
    await watched.check();
  });
}
