/** The OpenAPI document: valid, whole, and true of what the routes answer. */

import { expect, test } from "bun:test";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { CLUSTER, CONFIG, CONNECTIONS, TRANSACTIONS } from "../../../src/http/openapi/schemas/cluster.ts";
import { PROBLEM } from "../../../src/http/openapi/schemas/common.ts";
import { COMMITTED, GROUP, GROUPS_PAGE, RESET } from "../../../src/http/openapi/schemas/groups.ts";
import { HEALTH, HISTORY, OVERVIEW, PROBE } from "../../../src/http/openapi/schemas/health.ts";
import {
  MESSAGE,
  MESSAGES_PAGE,
  POLLED,
  STORED_LINES,
  STORED_LIST,
  STORED_ONE,
} from "../../../src/http/openapi/schemas/messages.ts";
import { STATS, TOPIC, TOPICS_PAGE, TRIMMED } from "../../../src/http/openapi/schemas/topics.ts";
import { startHttp } from "../../support/http.ts";
import { startHere } from "../../support/server.ts";

interface Content {
  readonly schema?: object;
  readonly examples?: Record<string, { readonly value: unknown }>;
}

interface Operation {
  readonly summary: string;
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Record<string, Content> };
  readonly responses: Record<string, { readonly content?: Record<string, Content> }>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

async function documentText(): Promise<string> {
  await using http = await startHttp();
  return await (await http.fetch("/openapi.json")).text();
}

test("the document is valid OpenAPI 3.1, and every example is what its schema says", async () => {
  const config = await createConfig({
    rules: {
      struct: "error",
      "no-unresolved-refs": "error",
      "no-unused-components": "error",
      "path-parameters-defined": "error",
      "path-declaration-must-exist": "error",
      "path-not-include-query": "error",
      "no-identical-paths": "error",
      "operation-operationId-unique": "error",
      "operation-parameters-unique": "error",
      "operation-tag-defined": "error",
      "operation-2xx-response": "error",
      "operation-summary": "error",
      "no-invalid-media-type-examples": "error",
      "no-invalid-schema-examples": "error",
      "no-enum-type-mismatch": "error",
    },
  });
  const problems = await lintFromString({ source: await documentText(), config });
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual(
    [],
  );
});

test("every route is told, with a schema and an example of what it takes and answers", async () => {
  const document = JSON.parse(await documentText()) as Document;
  const told: string[] = [];
  const missing: string[] = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { responses, requestBody }] of Object.entries(operations)) {
      const name = `${method.toUpperCase()} ${path}`;
      told.push(name);
      const lacks = ({ schema, examples }: Content = {}) =>
        schema === undefined || Object.keys(examples ?? {}).length === 0;
      const [[status = "", first] = []] = Object.entries(responses);
      const isEmpty = status === "204" || status === "101";
      if (!isEmpty && lacks(Object.values(first?.content ?? {})[0])) missing.push(`${name} ${status}`);
      for (const [type, content] of Object.entries(requestBody?.content ?? {}))
        if (lacks(content)) missing.push(`${name} ${type}`);
    }
  }
  expect(missing).toEqual([]);
  expect(told.sort()).toEqual([
    "DELETE /connections/{id}",
    "DELETE /groups/{group}",
    "DELETE /groups/{group}/members/{member}",
    "DELETE /topics/{topic}",
    "GET /cluster",
    "GET /config",
    "GET /connections",
    "GET /groups",
    "GET /groups/{group}",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /openapi",
    "GET /openapi.json",
    "GET /openapi/rapidoc.js",
    "GET /overview",
    "GET /overview/history",
    "GET /stats",
    "GET /topics",
    "GET /topics/{topic}",
    "GET /topics/{topic}/live",
    "GET /topics/{topic}/messages",
    "GET /topics/{topic}/partitions/{partition}/messages/{offset}",
    "GET /transactions",
    "PATCH /topics/{topic}",
    "POST /groups/{group}/commit",
    "POST /groups/{group}/poll",
    "POST /groups/{group}/reset",
    "POST /topics",
    "POST /topics/{topic}/messages",
    "POST /topics/{topic}/trim",
  ]);
});

test("numbers in queries and paths are told as numbers", async () => {
  const { paths } = JSON.parse(await documentText()) as Document;
  const schemas = (path: string) =>
    Object.fromEntries((paths[path]!["get"]!.parameters ?? []).map(({ name, schema }) => [name, schema]));
  expect(schemas("/topics/{topic}/messages")).toMatchObject({
    topic: { type: "string" },
    limit: { type: "integer", minimum: 1 },
    order: { anyOf: [{ const: "asc" }, { const: "desc" }] },
  });
  expect(schemas("/topics/{topic}/partitions/{partition}/messages/{offset}")).toEqual({
    topic: { type: "string" },
    partition: { type: "integer", minimum: 0 },
    offset: { type: "integer", minimum: 0 },
  });
});

test("what the routes answer is what the document says, and nothing that it does not say", async () => {
  const server = await startHere();
  const origin = `http://127.0.0.1:${server.httpPort}`;
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    return await (await fetch(origin + path, init)).json();
  };
  const wrong: string[] = [];
  const check = async (name: string, schema: TSchema, answer: Promise<unknown>) => {
    const value = await answer;
    for (const { path, message } of Value.Errors(strict(schema), value))
      wrong.push(`${name}${path}: ${message} (${JSON.stringify(value).slice(0, 200)})`);
  };
  try {
    const configs = { "retention.ms": "-1" };
    await check("POST /topics", TOPIC, ask("/topics", { name: "t", partitions: 2, configs }));
    const one = { key: "k", value: "a", headers: { h: "1" }, partition: 0 };
    await check("one", STORED_ONE, ask("/topics/t/messages", one));
    await check("list", STORED_LIST, ask("/topics/t/messages", [one, { value: null, partition: 1 }]));
    const lines = await fetch(`${origin}/topics/t/messages`, {
      method: "POST",
      body: '{"value": 1}\n{"value": 2}\n',
      headers: { "content-type": "application/x-ndjson" },
    });
    await check("lines", STORED_LINES, Promise.resolve(JSON.parse((await lines.text()).split("\n")[0]!)));
    await check("messages", MESSAGES_PAGE, ask("/topics/t/messages"));
    await check("message", MESSAGE, ask("/topics/t/partitions/0/messages/0"));
    await check("topics", TOPICS_PAGE, ask("/topics"));
    await check("topic", TOPIC, ask("/topics/t"));
    await check("trim", TRIMMED, ask("/topics/t/trim", { partitions: [{ partition: 0, offset: 1 }] }));
    await check("stats", STATS, ask("/stats"));
    await check("stats of a topic", STATS, ask("/stats?topic=t"));
    const polled = (await ask("/groups/g/poll", { topics: ["t"] })) as { member: string; offsets: object[] };
    await check("poll", POLLED, Promise.resolve(polled));
    const { member, offsets } = polled;
    await check("commit", COMMITTED, ask("/groups/g/commit", { member, offsets }));
    await check("groups", GROUPS_PAGE, ask("/groups"));
    await check("group", GROUP, ask("/groups/g"));
    await check("reset", RESET, ask("/groups/new/reset", { to: "shift", by: 1, topics: ["t"] }));
    await check("cluster", CLUSTER, ask("/cluster"));
    await check("config", CONFIG, ask("/config"));
    await check("connections", CONNECTIONS, ask("/connections"));
    await check("transactions", TRANSACTIONS, ask("/transactions"));
    await check("health", HEALTH, ask("/health"));
    await check("live", PROBE, ask("/health/live"));
    await check("ready", PROBE, ask("/health/ready"));
    await check("overview", OVERVIEW, ask("/overview"));
    await check("history", HISTORY, ask("/overview/history"));
    await check("problem", PROBLEM, ask("/topics/none"));
    expect(wrong).toEqual([]);
  } finally {
    await server.stop();
  }
});

test("the page and its script come from here, and the script also for who takes no gzip", async () => {
  await using http = await startHttp();
  const page = await http.fetch("/openapi");
  const html = await page.text();
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const addresses = Array.from(
    html.matchAll(/(?:src|href|spec-url)="([^"]*)"/g),
    ([, address = ""]) => address,
  );
  expect(addresses.filter((address) => !/^(\/openapi|data:)/.test(address))).toEqual([]);
  const script = addresses.find((address) => address.startsWith("/openapi/rapidoc.js"))!;
  const [packed, plain] = await Promise.all(
    ["gzip", "identity"].map((coding) =>
      http.fetch(script, { headers: { "accept-encoding": coding }, decompress: true } as RequestInit),
    ),
  );
  expect([packed!.headers.get("content-encoding"), plain!.headers.get("content-encoding")]).toEqual([
    "gzip",
    null,
  ]);
  const [left, right] = await Promise.all([packed!.text(), plain!.text()]);
  expect([left === right, left.includes("rapi-doc")]).toEqual([true, true]);
});

/** The schema, in which no member may stand that it does not name. */
function strict(schema: TSchema): TSchema {
  const copy: Record<string | symbol, unknown> = Object.assign(Object.create(null), schema);
  if (schema["properties"] !== undefined) {
    copy["properties"] = Object.fromEntries(
      Object.entries(schema["properties"] as Record<string, TSchema>).map(([name, one]) => [
        name,
        strict(one),
      ]),
    );
    copy["additionalProperties"] = false;
  }
  if (schema["items"] !== undefined) copy["items"] = strict(schema["items"] as TSchema);
  if (Array.isArray(schema["anyOf"])) copy["anyOf"] = (schema["anyOf"] as TSchema[]).map(strict);
  return copy as unknown as TSchema;
}
