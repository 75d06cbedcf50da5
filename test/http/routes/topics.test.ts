import { expect, test } from "bun:test";
import { batchOf } from "../../support/batches.ts";
import { startHttp } from "../../support/http.ts";
import { appendTo } from "../../support/partitions.ts";

test("topics are listed by name, page by page", async () => {
  await using http = await startHttp();
  for (const name of ["b", "a1", "a2"]) await http.broker.topics.create(name, { partitions: 2, configs: {} });
  const { partitions, id } = http.broker.topics.get("a2")!;
  await appendTo(partitions[1]!, batchOf(["x", "y"])).done;
  const names = async (query: string) => {
    const [status, { topics, next }] = (await http.ask(`/topics${query}`)) as [
      number,
      { topics: { name: string }[]; next?: string },
    ];
    return [status, topics.map(({ name }) => name), next];
  };
  expect(await names("")).toEqual([200, ["a1", "a2", "b"], undefined]);
  expect(await names("?prefix=a&limit=1")).toEqual([200, ["a1"], "a1"]);
  expect(await names("?prefix=a&limit=1&after=a1")).toEqual([200, ["a2"], undefined]);
  const [, { topics }] = (await http.ask("/topics?prefix=a2")) as [number, { topics: object[] }];
  expect(topics).toEqual([
    {
      name: "a2",
      id,
      partitions: 2,
      unavailablePartitions: 0,
      replicas: 1,
      bytes: partitions[1]!.bytes,
      records: 2,
      cleanupPolicy: "delete",
      isInternal: false,
    },
  ]);
});

test("a topic is described with its partitions and all of its settings", async () => {
  await using http = await startHttp();
  const configs = { "retention.ms": "60000" };
  const { id, partitions } = await http.broker.topics.create("t", { partitions: 1, configs });
  await appendTo(partitions[0]!, batchOf(["x"])).done;
  const [status, told] = (await http.ask("/topics/t")) as [number, { configs: { name: string }[] }];
  const { configs: settings, ...topic } = told;
  expect([status, topic]).toEqual([
    200,
    {
      name: "t",
      id,
      isInternal: false,
      partitions: [
        {
          partition: 0,
          startOffset: 0,
          highWatermark: 1,
          bytes: partitions[0]!.bytes,
          leader: 1,
          leaderEpoch: partitions[0]!.leaderEpoch,
          isUnavailable: false,
        },
      ],
    },
  ]);
  const named = (name: string) => settings.find((setting) => setting.name === name);
  expect(named("retention.ms")).toMatchObject({
    value: "60000",
    default: "-1",
    source: "topic",
    type: "long",
  });
  expect(named("segment.ms")).toMatchObject({ value: "604800000", source: "default", stance: "obeyed" });
});

test("what is not there, or not so, is refused with a problem document", async () => {
  await using http = await startHttp();
  expect(await http.ask("/topics/none")).toEqual([
    404,
    {
      type: "urn:obelisk:error:UNKNOWN_TOPIC_OR_PARTITION",
      title: "there is no such topic or partition",
      status: 404,
      detail: "there is no such topic or partition (topic none)",
      code: "UNKNOWN_TOPIC_OR_PARTITION",
      isRetriable: true,
      topic: "none",
    },
  ]);
  expect(await http.ask("/topics?limit=0")).toMatchObject([400, { code: "INVALID_REQUEST" }]);
  expect(await http.ask("/topics?limits=1")).toMatchObject([
    400,
    { detail: "the query is not as it must be at /limits: property 'limits' should not be provided" },
  ]);
  expect(await http.ask("/topics/%ff")).toMatchObject([
    400,
    { detail: "topic in the path is not percent-encoded UTF-8" },
  ]);
});

test("a path tells which methods it takes", async () => {
  await using http = await startHttp();
  const refused = await http.fetch("/topics/t", { method: "PUT" });
  const body = (await refused.json()) as { code: string };
  expect([refused.status, refused.headers.get("allow")?.includes("GET, HEAD"), body.code]).toEqual([
    405,
    true,
    "METHOD_NOT_ALLOWED",
  ]);
  const asked = await http.fetch("/topics/t", { method: "OPTIONS" });
  expect([asked.status, asked.headers.get("allow")]).toEqual([204, refused.headers.get("allow")]);
  const head = await http.fetch("/topics", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

function json(method: string, body: unknown): RequestInit {
  return { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

test("a topic is created, changed, trimmed and deleted", async () => {
  await using http = await startHttp();
  const created = await http.fetch(
    "/topics",
    json("POST", { name: "t", partitions: 2, configs: { "retention.ms": 60_000, "segment.ms": " 1000 " } }),
  );
  expect([created.status, created.headers.get("location")]).toEqual([201, "/topics/t"]);
  const configsOf = () => http.broker.topics.get("t")!.configs;
  expect([configsOf(), http.broker.topics.get("t")!.partitions.length]).toEqual([
    { "retention.ms": "60000", "segment.ms": "1000" },
    2,
  ]);
  const change = { configs: { "segment.ms": null, "max.message.bytes": "5000" }, partitions: 3 };
  expect((await http.ask("/topics/t", json("PATCH", change)))[0]).toBe(200);
  expect([configsOf(), http.broker.topics.get("t")!.partitions.length]).toEqual([
    { "retention.ms": "60000", "max.message.bytes": "5000" },
    3,
  ]);
  await appendTo(http.broker.topics.get("t")!.partitions[1]!, batchOf(["a", "b", "c"])).done;
  const trim = (offset: unknown) =>
    http.ask("/topics/t/trim", json("POST", { partitions: [{ partition: 1, offset }] }));
  expect(await trim(2)).toEqual([200, { topic: "t", partitions: [{ partition: 1, startOffset: 2 }] }]);
  expect(await trim("latest")).toMatchObject([200, { partitions: [{ startOffset: 3 }] }]);
  expect(await trim(4)).toMatchObject([416, { code: "OFFSET_OUT_OF_RANGE" }]);
  const deleted = await http.fetch("/topics/t", { method: "DELETE" });
  expect([deleted.status, await deleted.text(), http.broker.topics.get("t")]).toEqual([204, "", undefined]);
  expect((await http.ask("/topics/t", { method: "DELETE" }))[0]).toBe(404);
});

test("what a topic cannot be is refused, and nothing of the request is done", async () => {
  await using http = await startHttp();
  await http.broker.topics.create("t", { partitions: 2, configs: {} });
  const refusals: [string, string, unknown, number, object][] = [
    ["POST", "/topics", { name: "t" }, 409, { code: "TOPIC_ALREADY_EXISTS" }],
    ["POST", "/topics", { name: "a b" }, 422, { code: "INVALID_TOPIC_EXCEPTION" }],
    ["POST", "/topics", { name: "n", configs: { "retention.mss": 1 } }, 422, { code: "INVALID_CONFIG" }],
    ["POST", "/topics", { name: "n", partitions: 0 }, 400, { code: "INVALID_REQUEST" }],
    ["POST", "/topics", { name: "n", partitions: 10_001 }, 422, { code: "INVALID_PARTITIONS" }],
    ["POST", "/topics", { nam: "n" }, 400, { code: "INVALID_REQUEST" }],
    [
      "PATCH",
      "/topics/t",
      { configs: { "retention.ms": 1 }, partitions: 1 },
      422,
      { code: "INVALID_PARTITIONS" },
    ],
    [
      "PATCH",
      "/topics/t",
      { configs: { "retention.ms": "x" }, partitions: 3 },
      422,
      { code: "INVALID_CONFIG" },
    ],
    ["PATCH", "/topics/none", {}, 404, { code: "UNKNOWN_TOPIC_OR_PARTITION" }],
    ["POST", "/topics/t/trim", { partitions: [{ partition: 2, offset: 0 }] }, 404, { partition: 2 }],
  ];
  for (const [method, path, body, status, problem] of refusals)
    expect([path, body, await http.ask(path, json(method, body))]).toMatchObject([
      path,
      body,
      [status, problem],
    ]);
  const { configs, partitions } = http.broker.topics.get("t")!;
  expect([configs, partitions.length, [...http.broker.topics.names()]]).toEqual([{}, 2, ["t"]]);
});

test("a body that is no JSON is refused with the position, one of another type or too large as such", async () => {
  await using http = await startHttp();
  const send = (body: string, type = "application/json") =>
    http.ask("/topics", { method: "POST", body, headers: { "content-type": type } });
  expect(await send('{"name": "t"')).toMatchObject([400, { code: "INVALID_JSON", position: 12 }]);
  expect(await send("")).toMatchObject([400, { code: "INVALID_JSON", position: 0 }]);
  expect(await send('{"name":"t"}', "text/xml")).toMatchObject([415, { code: "UNSUPPORTED_MEDIA_TYPE" }]);
  expect(await send(JSON.stringify({ name: "t".repeat(1 << 20) }))).toMatchObject([
    413,
    { code: "BODY_TOO_LARGE" },
  ]);
  expect((await send('{"name":"t"}', "application/x-www-form-urlencoded"))[0]).toBe(201);
});
