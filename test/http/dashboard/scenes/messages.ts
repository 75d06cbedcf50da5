/** Messages in the dashboard: browsed, looked for, followed and produced. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { PHONE, type TestBrowser } from "../../../support/browser.ts";
import { Dashboard } from "../../../support/dashboard.ts";
import { scratchFolder } from "../../../support/data-tree.ts";
import { compiled } from "../../../support/obelisk-command.ts";
import { startServer } from "../../../support/obelisk-server.ts";

const AT_MS = Date.UTC(2026, 2, 4, 5, 6, 7);

export function messageScenes(browser: TestBrowser): void {
  let dashboard: Dashboard;
  beforeAll(async () => {
    dashboard = await Dashboard.start(browser);
    await dashboard.ask("/topics", "POST", { name: "orders", partitions: 2 });
    const orders = Array.from({ length: 300 }, (_, index) => ({
      key: `order-${index % 100}`,
      value: { id: index, total: index * 1.5, note: "<b>no markup</b>" },
      headers: [{ key: "source", value: index % 3 === 0 ? "app" : "shop" }],
      partition: index % 2,
      timestamp: AT_MS + index * 1000,
    }));
    await dashboard.ask("/topics/orders/messages", "POST", orders);
  });
  afterAll(() => dashboard[Symbol.asyncDispose]());

  const produce = (topic: string, body: unknown) => dashboard.ask(`/topics/${topic}/messages`, "POST", body);

  test("of no topic in particular ask which one", async () => {
    const watched = await dashboard.open("/dashboard/messages");
    const { page } = watched;
    await page.getByText("Which topic?").waitFor();
    await page.getByLabel("Topic", { exact: true }).fill("orders");
    await page.keyboard.press("Enter");
    await lines(page).first().waitFor();
    expect(new URL(page.url()).search).toBe("?topic=orders");
    await watched.check();
  });

  test("are listed from the newest on, and opened with their JSON, headers and bytes", async () => {
    const watched = await dashboard.open("/dashboard/messages?topic=orders");
    const { page } = watched;
    const first = lines(page).first();
    await first.waitFor();
    expect(await told(first)).toBe(
      'Partition 1, offset 149, 2026-03-04 05:11:06.000, key order-99, value {"id":299,"total":448.5,"note":"<b>no markup</b>"}',
    );
    await first.focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    const second = page.locator(".record").nth(1);
    expect(await second.getByRole("button").first().getAttribute("aria-expanded")).toBe("true");
    expect(
      await second
        .getByRole("region", { name: /^Value/ })
        .locator("pre")
        .textContent(),
    ).toBe('{\n  "id": 298,\n  "total": 447,\n  "note": "<b>no markup</b>"\n}');
    expect(
      await second
        .getByRole("region", { name: /^Headers/ })
        .locator("dl")
        .textContent(),
    ).toBe("sourceshop");
    await second.getByRole("button", { name: "Copy value" }).click();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
      '{"id":298,"total":447,"note":"<b>no markup</b>"}',
    );
    await watched.check();
  });

  test("that are no text are shown as bytes, and what would deceive the eye by its code", async () => {
    await dashboard.ask("/topics", "POST", { name: "odd" });
    await produce("odd", [
      { value: Buffer.from([0, 1, 255, 65]).toString("base64"), valueIsBase64: true },
      { key: "k", value: null },
      { value: "right\u202eto left\u200b" },
    ]);
    const watched = await dashboard.open("/dashboard/messages?topic=odd&from=oldest");
    const { page } = watched;
    await lines(page).nth(2).waitFor();
    expect(
      await Promise.all(
        [0, 1, 2].map(async (index) => (await told(lines(page).nth(index))).split("key ")[1]),
      ),
    ).toEqual(["no key, value 00 01 ff 41", "k, value null", "no key, value right\\u202eto left\\u200b"]);
    await lines(page).nth(0).click();
    expect(
      await page
        .getByRole("region", { name: /^Value/ })
        .locator("pre")
        .textContent(),
    ).toBe(`000000  ${"00 01 ff 41".padEnd(48)} ···A`);
    await lines(page).nth(1).click();
    await page.getByText("Null: a tombstone.").waitFor();
    await watched.check();
  });

  test("are read from an offset and from a time on", async () => {
    const watched = await dashboard.open(
      "/dashboard/messages?topic=orders&from=offset&partition=1&offset=140",
    );
    const { page } = watched;
    await lines(page).nth(9).waitFor();
    expect(await lines(page).count()).toBe(10);
    expect(await told(lines(page).first())).toStartWith("Partition 1, offset 140,");
    await page.getByText("That is where the topic ends.").waitFor();
    await page.getByLabel("Begin with").selectOption("time");
    await page.getByLabel("Time", { exact: true }).fill("2026-03-04T05:10:00");
    await page.getByLabel("Partition", { exact: true }).selectOption("");
    await page.getByRole("button", { name: "Read", exact: true }).click();
    await page.getByText("67 messages in all").waitFor();
    expect(await told(lines(page).first())).toContain("2026-03-04 05:10:00.000");
    await watched.check();
  });

  test("are filtered, searched by key, and thinned to the newest of each key", async () => {
    const watched = await dashboard.open("/dashboard/messages?topic=orders");
    watched.expectFault(/status of 400/);
    const { page } = watched;
    const read = page.getByRole("button", { name: "Read", exact: true });
    await lines(page).first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type('value.total >= 440 and headers.source == "app"');
    await page.keyboard.press("Enter");
    await page.getByText("2 messages in all that match").waitFor();
    await page.getByLabel("Filter").fill("value.total >");
    await read.click();
    await page.getByRole("alert").filter({ hasText: "position 13" }).waitFor();
    await watched.check();
    await page.getByLabel("Filter").fill("");
    await page.getByLabel("Key", { exact: true }).fill("order-7");
    await read.click();
    await page.getByText("3 messages in all that match").waitFor();
    await page.getByLabel("Only the latest of each key").check();
    await page.getByLabel("Key", { exact: true }).fill("");
    await read.click();
    await page.getByText("100 messages in all that match, 200 older ones").waitFor();
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await lines(page).filter({ hasText: "key order-0," }).waitFor();
    expect(new URL(page.url()).search).toBe("?topic=orders&latest=1");
    await page.getByLabel("Filter").fill("value.id == 1234567");
    await read.click();
    await page.getByText("No message is like that").waitFor();
    await watched.check();
  });

  test("are produced with key, headers and partition, and shown at once", async () => {
    await dashboard.ask("/topics", "POST", { name: "produced", partitions: 2 });
    const watched = await dashboard.open("/dashboard/messages?topic=produced");
    const { page } = watched;
    await page.getByText("No messages yet").waitFor();
    await watched.check();
    await page.getByRole("button", { name: "Produce one" }).click();
    const dialog = page.getByRole("dialog", { name: "Produce to produced" });
    await dialog.getByLabel("Key").fill("k-1");
    await dialog.getByLabel("Partition").fill("1");
    await dialog.getByLabel("The value is").selectOption("json");
    await dialog.getByLabel("Value", { exact: true }).fill('{"a": [1,');
    await dialog.getByText("This is no JSON").waitFor();
    await dialog.getByLabel("Value", { exact: true }).fill('{"a": [1, 2]}');
    await dialog.getByRole("button", { name: "Add a header" }).click();
    await dialog.getByLabel("Name of header 1").fill("trace");
    await dialog.getByLabel("Value of header 1").fill("t-1");
    await watched.check();
    await dialog.getByRole("button", { name: "Produce", exact: true }).click();
    await page.getByText("Stored in partition 1 at offset 0.").waitFor();
    await lines(page).first().waitFor();
    const stored = await dashboard.ask<Record<string, unknown>>("/topics/produced/partitions/1/messages/0");
    expect(stored).toMatchObject({
      key: "k-1",
      value: '{"a": [1, 2]}',
      headers: [{ key: "trace", value: "t-1" }],
    });
    expect(watched.faults()).toEqual([]);
  });

  test("are followed live through a filter; while one is open, new ones wait", async () => {
    await dashboard.ask("/topics", "POST", { name: "live" });
    const watched = await dashboard.open("/dashboard/messages?topic=live&filter=value.n+%3E+10");
    const { page } = watched;
    await page.getByRole("button", { name: "Follow" }).click();
    await page.getByText("Following: 0 messages came").waitFor();
    await watched.check();
    await produce("live", [{ value: { n: 1 } }, { value: { n: 11 } }, { value: { n: 12 } }]);
    await page.getByText("Following: 2 messages came").waitFor();
    expect(await told(lines(page).first())).toEndWith('value {"n":12}');
    await lines(page).first().click();
    await produce("live", [{ value: { n: 13 } }]);
    await page.getByText("1 new one wait").waitFor();
    expect(await lines(page).count()).toBe(2);
    await watched.check();
    await lines(page).first().click();
    await lines(page).filter({ hasText: '{"n":13}' }).waitFor();
    await page.getByRole("button", { name: "Stop following" }).click();
    await page.getByText("3 messages in all that match").waitFor();
    expect(watched.faults()).toEqual([]);
  });

  test("are followed on where it was, when the broker was away: each comes once", async () => {
    using folder = scratchFolder();
    await using first = await startServer(folder.path, [], { program: compiled });
    const { port } = first.started.http;
    const origin = `http://127.0.0.1:${port}`;
    const store = async (...values: readonly string[]) => {
      const body = JSON.stringify(values.map((value) => ({ value })));
      await fetch(`${origin}/topics/lasting/messages`, { method: "POST", body });
    };
    await store("before");
    const watched = await browser.open(origin, "/dashboard/messages?topic=lasting");
    watched.expectFault(/ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING/);
    const { page } = watched;
    await page.getByRole("button", { name: "Follow" }).click();
    await page.getByText("Following: 0 messages came").waitFor();
    await store("m-1", "m-2");
    await page.getByText("Following: 2 messages came").waitFor();
    await first.stop("SIGKILL");
    await page.getByText("The broker does not answer.").waitFor();
    await page.getByText("Connecting: 2 messages came").waitFor();
    await using _second = await startServer(folder.path, [`--http-port=${port}`], { program: compiled });
    await store("m-3");
    await page.getByText("Following: 3 messages came").waitFor();
    await store("m-4");
    await page.getByText("Following: 4 messages came").waitFor();
    expect(await page.locator(".record-value").allTextContents()).toEqual(
      ["Value", "m-4", "m-3", "m-2", "m-1"].map((value) => (value === "Value" ? value : `, value ${value}`)),
    );
    expect(watched.faults()).toEqual([]);
  });

  test("are downloaded as NDJSON, as the API takes it", async () => {
    const watched = await dashboard.open(
      "/dashboard/messages?topic=orders&from=offset&partition=0&offset=148",
    );
    const { page } = watched;
    await lines(page).nth(1).waitFor();
    await page.getByRole("button", { name: "Download" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("dialog").getByRole("button", { name: "Download" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("orders.ndjson");
    const rows = (await Bun.file(await download.path()).text()).trimEnd().split("\n");
    expect(rows.map((row) => (JSON.parse(row) as { offset: number }).offset)).toEqual([148, 149]);
    expect(watched.faults()).toEqual([]);
  });

  test("a hundred thousand of them take few elements, and are read on as they are scrolled", async () => {
    await dashboard.ask("/topics", "POST", { name: "many" });
    for (let first = 0; first < 100_000; first += 10_000)
      await produce(
        "many",
        Array.from({ length: 10_000 }, (_, index) => ({ value: `m-${first + index}` })),
      );
    const watched = await dashboard.open("/dashboard/messages?topic=many");
    const { page } = watched;
    await page.getByText("The newest 200 messages").waitFor();
    const last = page.locator(".record").last();
    for (let count = 200; count < 3000; count *= 2) {
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await page.getByText(`The newest ${(count * 2).toLocaleString("en")} messages`).waitFor();
    }
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.locator(".record").filter({ hasText: "m-96800" }).waitFor();
    expect(await page.locator(".record").count()).toBeLessThan(100);
    expect(Number(await last.getAttribute("aria-setsize"))).toBeGreaterThanOrEqual(3200);
    await watched.check();
  });

  test("of a topic that is not there are told so", async () => {
    const watched = await dashboard.open("/dashboard/messages?topic=absent");
    watched.expectFault(/status of 404/);
    await watched.page.getByRole("alert").filter({ hasText: "absent" }).waitFor();
    await watched.check();
  });

  test("fit on a phone", async () => {
    const watched = await dashboard.open("/dashboard/messages?topic=orders", PHONE);
    const { page } = watched;
    await lines(page).first().click();
    await page.getByRole("region", { name: /^Value/ }).waitFor();
    await watched.checkWidth();
    await watched.check();
  });
}

function lines(page: Page) {
  return page.locator(".record-line");
}

/** What a screen reader reads of a line. */
async function told(line: ReturnType<typeof lines>): Promise<string> {
  return (await line.textContent()) ?? "";
}
