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
