/** Topics in the dashboard: found, created, changed, trimmed and deleted. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { PHONE, type TestBrowser } from "../../../support/browser.ts";
import { Dashboard } from "../../../support/dashboard.ts";

interface Described {
  readonly partitions: readonly { readonly startOffset: number; readonly highWatermark: number }[];
  readonly configs: readonly { readonly name: string; readonly value: string }[];
}

export function topicScenes(browser: TestBrowser): void {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await Dashboard.start(browser, ["--partitions-max=3000"]);
  });
  afterAll(() => dashboard[Symbol.asyncDispose]());

  const topic = (name: string) => dashboard.ask<Described>(`/topics/${name}`);

  test("one is created with its settings, and shown", async () => {
    const watched = await dashboard.open("/dashboard/topics");
    const { page } = watched;
    await page.getByText("There are no topics yet").waitFor();
    await watched.check();
    await page.getByRole("button", { name: "Create a topic" }).first().click();
    const dialog = page.getByRole("dialog", { name: "Create a topic" });
    expect(await dialog.getByRole("button", { name: "Create", exact: true }).isDisabled()).toBe(true);
    await watched.check();
    // The name has the focus.
    await page.keyboard.type("orders");
    await dialog.getByLabel("Partitions").fill("3");
    await dialog.getByLabel("Cleanup").selectOption("compact");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "orders", level: 1 }).waitFor();
    await page.getByRole("status").getByText("Topic orders was created.").waitFor();
    expect(await page.getByRole("table", { name: "Partitions" }).getAttribute("aria-rowcount")).toBe("4");
    await watched.check();
    const { partitions, configs } = await topic("orders");
    expect(partitions.length).toBe(3);
    expect(configs.find(({ name }) => name === "cleanup.policy")?.value).toBe("compact");
  });

  test("a name that is not allowed is refused in the dialog, which stays", async () => {
    const watched = await dashboard.open("/dashboard/topics?create=1");
    watched.expectFault(/status of 4\d\d/);
    const { page } = watched;
    await page.getByLabel("Name", { exact: true }).fill("not/allowed");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").getByRole("alert").waitFor();
    await watched.check();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(new URL(page.url()).search).toBe("");
  });

  test("a setting is changed, and taken back to its default", async () => {
    await dashboard.ask("/topics", "POST", { name: "kept" });
    const value = async () =>
      (await topic("kept")).configs.find(({ name }) => name === "retention.ms")?.value;
    const before = await value();
    const watched = await dashboard.open("/dashboard/topics/kept");
    const { page } = watched;
    const change = page.getByRole("button", { name: "Change retention.ms" });
    await change.click();
    await page.getByLabel("Value").fill("3600000");
    await page.getByRole("dialog").getByText("1 h").waitFor();
    await page.keyboard.press("Enter");
    await page.getByText("retention.ms was changed.").waitFor();
    expect(await value()).toBe("3600000");
    await page.getByText("this topic", { exact: true }).waitFor();
    await change.click();
    await page.getByRole("checkbox", { name: /^Take it back/ }).check();
    await watched.check();
    await page.getByRole("button", { name: "Reset", exact: true }).click();
    await page.getByText("retention.ms was reset.").waitFor();
    expect(await value()).toBe(before);
  });

  test("partitions are added, and never fewer", async () => {
    await dashboard.ask("/topics", "POST", { name: "growing", partitions: 2 });
    const watched = await dashboard.open("/dashboard/topics/growing");
    const { page } = watched;
    await page.getByRole("button", { name: "Add partitions" }).click();
    const dialog = page.getByRole("dialog", { name: "Add partitions" });
    await dialog.getByLabel("Partitions in all").fill("2");
    expect(await dialog.getByRole("button", { name: "Add" }).isDisabled()).toBe(true);
    await dialog.getByLabel("Partitions in all").fill("4");
    await page.keyboard.press("Enter");
    await page.getByText("The topic has 4 partitions now.").waitFor();
    expect((await topic("growing")).partitions.length).toBe(4);
    await watched.check();
  });

  test("messages are trimmed, and a topic deleted, only when its name is typed", async () => {
    await dashboard.ask("/topics", "POST", { name: "short.lived", partitions: 1 });
    await dashboard.ask("/topics/short.lived/messages", "POST", [{ value: 1 }, { value: 2 }, { value: 3 }]);
    const watched = await dashboard.open("/dashboard/topics/short.lived");
    const { page } = watched;
    await page.getByRole("button", { name: "Trim" }).click();
    await page.getByRole("dialog").getByLabel("Partition").selectOption("0");
    await page.getByLabel("First offset to keep").fill("2");
    const submit = page.getByRole("button", { name: "Delete messages" });
    expect(await submit.isDisabled()).toBe(true);
    await page.getByLabel("Type the topic's name to confirm").fill("short.lived");
    await watched.check();
    await submit.click();
    await page.getByText("The messages were deleted.").waitFor();
    expect((await topic("short.lived")).partitions[0]?.startOffset).toBe(2);

    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByLabel("Type the topic's name to confirm").fill("short.live");
    expect(await page.getByRole("button", { name: "Delete for good" }).isDisabled()).toBe(true);
    await page.getByLabel("Type the topic's name to confirm").fill("short.lived");
    await watched.check();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Topics", level: 1 }).waitFor();
    await expect(topic("short.lived")).rejects.toThrow("404");
    expect(watched.faults()).toEqual([]);
  });

  test("one that is not there is told so", async () => {
    const watched = await dashboard.open("/dashboard/topics/absent");
    watched.expectFault(/status of 404/);
    await watched.page.getByText("There is no such topic").waitFor();
    await watched.check();
  });

  test("a thousand of them are searched and sorted, with few rows in the document", async () => {
    for (let first = 0; first < 1000; first += 50) {
      const names = Array.from({ length: 50 }, (_, index) => `many-${first + index}`);
      await Promise.all(names.map((name) => dashboard.ask("/topics", "POST", { name, partitions: 1 })));
    }
    await dashboard.ask("/topics/many-500/messages", "POST", { value: "the only one" });
    const watched = await dashboard.open("/dashboard/topics?search=many");
    const { page } = watched;
    const table = page.getByRole("table", { name: "Topics" });
    await table.waitFor();
    expect(await table.getAttribute("aria-rowcount")).toBe("1001");
    const first = table.locator(".rows-body .row").first();
    expect(await first.textContent()).toStartWith("many-0");
    await page.getByRole("button", { name: "Size" }).click();
    await first.getByText("many-500").waitFor();
    expect(await table.locator(".rows-body .row").count()).toBeLessThan(80);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await table.locator('[aria-rowindex="1001"]').waitFor();
    expect(await table.locator(".rows-body .row").count()).toBeLessThan(80);
    await watched.check();
    await page.getByLabel("Search topics").fill("many-77");
    await page.getByText("11 of ").waitFor();
    await page.getByLabel("Search topics").fill("none is called so");
    await page.getByText("No topic is called so").waitFor();
    await page.getByRole("button", { name: "Show all topics" }).click();
    await table.waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("fit on a phone", async () => {
    await dashboard.ask("/topics", "POST", { name: "on-a-phone" });
    const watched = await dashboard.open("/dashboard/topics", PHONE);
    const { page } = watched;
    await page.getByRole("table", { name: "Topics" }).waitFor();
    await watched.checkWidth();
    await watched.check();
    await watched.goto("/dashboard/topics/on-a-phone");
    await page.getByRole("table", { name: "Partitions" }).waitFor();
    await watched.checkWidth();
    await watched.check();
  });
}
