/**
 * Takes the pictures of docs/dashboard.md anew: starts dist/obelisk on the memory engine with a small shop's topics and groups, keeps them
 * busy for a while, and looks at the dashboard in Chromium (Debian: chromium).
 *
 * Usage: bun scripts/screenshots.ts [--seconds=90]
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { Kafka, logLevel } from "kafkajs";
import { type Browser, chromium } from "playwright-core";

const ROOT = join(import.meta.dir, "..");
const PLACE = join(ROOT, "docs/images");
const TURN_MS = 250;

const { values } = parseArgs({ options: { seconds: { type: "string", default: "90" } } });

interface Shop {
  readonly origin: string;
  ask(path: string, method?: string, body?: unknown): Promise<unknown>;
}

const server = Bun.spawn(
  [
    join(ROOT, "dist/obelisk"),
    ...["serve", "--json", "--data=memory:", "--native-port=0", "--http-port=0", "--kafka-port=0"],
  ],
  { stdout: "pipe", stderr: "inherit" },
);
try {
  const { value } = await server.stdout.getReader().read();
  const started = JSON.parse(new TextDecoder().decode(value).split("\n")[0]!);
  const origin = `http://localhost:${started.http.port}`;
  const shop: Shop = {
    origin,
    ask: async (path, method = "GET", body) => {
      const response = await fetch(origin + path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
      return response.status === 204 ? null : await response.json();
    },
  };
  await open(shop);
  const kafka = new Kafka({
    clientId: "billing",
    brokers: [`localhost:${started.kafka.port}`],
    logLevel: logLevel.NOTHING,
  });
  await keepBusy(kafka, Number(values.seconds), () => takeAll(shop));
} finally {
  server.kill();
  await server.exited;
}

async function open({ ask }: Shop): Promise<void> {
  for (const [name, partitions, configs] of [
    ["orders", 6, { "retention.ms": "259200000" }],
    ["payments", 3, {}],
    ["customers", 3, { "cleanup.policy": "compact" }],
    ["shipments.eu-central", 12, {}],
    ["shipments.us-east", 12, {}],
    ["clicks", 24, { "retention.ms": "86400000" }],
    ["images.thumbnails", 2, {}],
    ["invoices", 3, {}],
  ] as const)
    await ask("/topics", "POST", { name, partitions, configs });
  await ask(
    "/topics/orders/messages",
    "POST",
    Array.from({ length: 2000 }, (_, index) => order(index)),
  );
  await ask(
    "/topics/payments/messages",
    "POST",
    Array.from({ length: 900 }, (_, index) => order(index)),
  );
  await ask(
    "/topics/customers/messages",
    "POST",
    Array.from({ length: 300 }, (_, index) => order(index)),
  );
  await ask("/groups/warehouse/reset", "POST", { to: "offset", offset: -60, topics: ["orders"] });
  await ask("/groups/nightly-report/reset", "POST", { to: "offset", offset: -120, topics: ["payments"] });
  await ask("/groups/search-index/reset", "POST", { to: "latest", topics: ["customers"] });
}

function order(index: number): object {
  return {
    key: `order-${1000 + ((index * 7) % 400)}`,
    value: {
      id: 1000 + index,
      customer: `c-${(index * 13) % 97}`,
      total: Math.round(((index * 37) % 900) * 100 + 99) / 100,
      currency: "EUR",
      status: ["placed", "paid", "packed", "sent"][index % 4],
      items: [{ sku: `SKU-${index % 50}`, quantity: 1 + (index % 3), price: 19.99 }],
      isGift: index % 9 === 0,
    },
    headers: [
      { key: "source", value: index % 3 === 0 ? "app" : "shop" },
      { key: "trace-id", value: `4bf92f3577b34da6a3ce929d0e0e${(4096 + index).toString(16)}` },
    ],
  };
}

/** Producers, and a group of two consumers; the pictures are taken at the end. */
async function keepBusy(kafka: Kafka, seconds: number, atEnd: () => Promise<void>): Promise<void> {
  const producer = kafka.producer();
  const consumers = [1, 2].map(() => kafka.consumer({ groupId: "billing", maxWaitTimeInMs: 200 }));
  await producer.connect();
  for (const consumer of consumers) {
    await consumer.connect();
    await consumer.subscribe({ topics: ["orders", "payments"] });
    await consumer.run({ autoCommitInterval: 1000, eachBatch: async () => {} });
  }
  let index = 2000;
  let isDone = false;
  const produce = async () => {
    for (let turn = 0; !isDone; turn += 1) {
      const count = Math.round(30 + 18 * Math.sin(turn / 40) + 8 * Math.sin(turn / 7));
      const messages = Array.from({ length: count }, () => {
        index += 1;
        const { key, value, headers } = order(index) as {
          key: string;
          value: object;
          headers: { key: string; value: string }[];
        };
        const byName = Object.fromEntries(headers.map((header) => [header.key, header.value]));
        return { key, value: JSON.stringify(value), headers: byName };
      });
      await producer.send({ topic: turn % 4 === 0 ? "payments" : "orders", messages });
      await Bun.sleep(TURN_MS);
    }
  };
  const produced = produce();
  await Bun.sleep(seconds * 1000);
  await atEnd();
  isDone = true;
  await produced;
  await Promise.all([producer.disconnect(), ...consumers.map((consumer) => consumer.disconnect())]);
}

async function takeAll({ origin }: Shop): Promise<void> {
  const browser = await chromium.launch({
    executablePath: Bun.which("chromium-headless-shell") ?? Bun.which("chromium") ?? "chromium",
    args: ["--no-sandbox"],
  });
  await take(browser, `${origin}/`, "overview", "light");
  await take(browser, `${origin}/dashboard/topics`, "topics", "light");
  const filter = encodeURIComponent('value.total > 400 and headers.source == "shop"');
  await take(browser, `${origin}/dashboard/messages?topic=orders&filter=${filter}`, "messages", "light", {
    open: ".record-line >> nth=1",
  });
  await take(browser, `${origin}/dashboard/groups`, "groups", "dark");
  await take(browser, `${origin}/dashboard/messages?topic=orders`, "phone", "light", { isPhone: true });
  await browser.close();
}

interface Picture {
  /** What is clicked first. */
  readonly open?: string;
  readonly isPhone?: boolean;
}

async function take(
  browser: Browser,
  address: string,
  name: string,
  colorScheme: "light" | "dark",
  { open: selector, isPhone = false }: Picture = {},
): Promise<void> {
  const context = await browser.newContext({
    viewport: isPhone ? { width: 390, height: 844 } : { width: 1400, height: 900 },
    isMobile: isPhone,
    colorScheme,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  await page.goto(address);
  await page.locator(".chart canvas, .rows-body .row, .record-line").first().waitFor();
  if (selector !== undefined) await page.locator(selector).click();
  // Charts of the course so far, and figures of the last seconds.
  await Bun.sleep(3000);
  await page.screenshot({ path: join(PLACE, `dashboard-${name}.png`) });
  await context.close();
}
