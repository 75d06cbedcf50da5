/** Groups in the dashboard: how far they are behind, reset and deleted. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { Kafka, logLevel } from "kafkajs";
import { PHONE, type TestBrowser } from "../../../support/browser.ts";
import { Dashboard } from "../../../support/dashboard.ts";

export function groupScenes(browser: TestBrowser): void {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await Dashboard.start(browser);
    await dashboard.ask("/topics", "POST", { name: "orders", partitions: 2 });
    const messages = Array.from({ length: 100 }, (_, index) => ({ value: index, partition: index % 2 }));
    await dashboard.ask("/topics/orders/messages", "POST", messages);
  });
  afterAll(() => dashboard[Symbol.asyncDispose]());

  /** A group that has committed an offset in both partitions. */
  const commit = (group: string, offset: number) =>
    dashboard.ask(`/groups/${group}/reset`, "POST", { to: "offset", offset, topics: ["orders"] });
  const committed = async (group: string) => {
    const described = await dashboard.ask<{ partitions: { committedOffset: number }[] }>(`/groups/${group}`);
    return described.partitions.map(({ committedOffset }) => committedOffset);
  };

  test("that are not there yet are told how they come to be", async () => {
    const watched = await dashboard.open("/dashboard/groups");
    await watched.page.getByText("There are no groups yet").waitFor();
    await watched.check();
  });

  test("are listed with those that lag most first, and an unknown lag apart from none", async () => {
    await commit("a-little", 45);
    await commit("much", 10);
    await commit("none", 50);
    await using _member = await memberWithoutCommit("unknown", dashboard.server.started.kafka.port);
    const watched = await dashboard.open("/dashboard/groups");
    const { page } = watched;
    const table = page.getByRole("table", { name: "Groups" });
    const row = (name: string) => table.getByRole("row").filter({ hasText: name });
    await row("unknown").waitFor();
    expect(await table.locator(".rows-body .row .cell:first-child").allTextContents()).toEqual([
      "much",
      "a-little",
      "none",
      "unknown",
    ]);
    expect(await table.locator(".rows-body .row .cell:last-child").allTextContents()).toEqual([
      "80",
      "10",
      "0",
      "unknown",
    ]);
    expect(await row("unknown").textContent()).toContain("Stable");
    await page.getByRole("img", { name: /^Lag of the groups that lag most: much 80, a-little 10/ }).waitFor();
    await watched.check();

    await row("unknown").getByRole("link").click();
    await page.getByRole("heading", { name: "unknown", level: 1 }).waitFor();
    await page.getByText("unknown: nothing is committed for it").first().waitFor();
    const members = page.getByRole("table", { name: "Members" });
    expect(await members.getAttribute("aria-rowcount")).toBe("2");
    await watched.check();
    await page.getByRole("button", { name: "Reset offsets" }).click();
    await page.getByText("The group has members.").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("one is reset when the change was shown, and its name typed", async () => {
    await commit("billing", 30);
    const watched = await dashboard.open("/dashboard/groups/billing");
    const { page } = watched;
    await page.getByRole("button", { name: "Reset offsets" }).click();
    const dialog = page.getByRole("dialog", { name: "Reset offsets" });
    const submit = dialog.getByRole("button", { name: "Reset", exact: true });
    const name = dialog.getByLabel("Type the group's name to confirm");
    await name.fill("billing");
    expect(await submit.isDisabled()).toBe(true);
    await dialog.getByLabel("Set to").selectOption("shift");
    await dialog.getByLabel("Messages", { exact: true }).fill("-5");
    await dialog.getByRole("button", { name: "Preview" }).click();
    const preview = dialog.getByRole("region", { name: "What would change" });
    await preview.waitFor();
    expect(await preview.locator("tbody tr").allTextContents()).toEqual(["orders03025-5", "orders13025-5"]);
    expect(await committed("billing")).toEqual([30, 30]);
    await watched.check();
    // Something else is asked for: what was shown is not what would be done.
    await dialog.getByLabel("Set to").selectOption("earliest");
    await preview.waitFor({ state: "detached" });
    expect(await submit.isDisabled()).toBe(true);
    await dialog.getByRole("button", { name: "Preview" }).click();
    await preview.getByText("-30").first().waitFor();
    await submit.click();
    await page.getByText("The offsets were reset.").waitFor();
    expect(await committed("billing")).toEqual([0, 0]);
    await page.getByText("100 messages behind").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("one is deleted when its name is typed", async () => {
    await commit("gone", 1);
    const watched = await dashboard.open("/dashboard/groups/gone");
    const { page } = watched;
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByLabel("Type the group's name to confirm").fill("gone");
    await watched.check();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Groups", level: 1 }).waitFor();
    await expect(committed("gone")).rejects.toThrow("404");
    expect(watched.faults()).toEqual([]);
  });

  test("one that is not there is told so", async () => {
    const watched = await dashboard.open("/dashboard/groups/absent");
    watched.expectFault(/status of 404/);
    await watched.page.getByText("There is no such group").waitFor();
    await watched.check();
  });

  test("fit on a phone", async () => {
    await commit("billing", 30);
    const watched = await dashboard.open("/dashboard/groups", PHONE);
    const { page } = watched;
    await page.getByRole("table", { name: "Groups" }).waitFor();
    await watched.checkWidth();
    await watched.check();
    await page.getByRole("link", { name: "billing" }).click();
    await page.getByRole("table", { name: "Offsets" }).waitFor();
    await watched.checkWidth();
    await watched.check();
  });
}

/** A consumer that has partitions of `orders` and commits nothing. */
async function memberWithoutCommit(groupId: string, port: number): Promise<AsyncDisposable> {
  const kafka = new Kafka({ clientId: "idle", brokers: [`127.0.0.1:${port}`], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  const { GROUP_JOIN } = consumer.events;
  const joined = new Promise((resolve) => consumer.on(GROUP_JOIN, resolve));
  await consumer.connect();
  await consumer.subscribe({ topic: "orders" });
  await consumer.run({ autoCommit: false, eachBatch: async () => {} });
  await joined;
  return { [Symbol.asyncDispose]: () => consumer.disconnect() };
}
