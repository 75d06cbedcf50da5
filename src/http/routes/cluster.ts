/**
 * The server as a whole.
 *
 *   GET    /cluster              who it is, and what Kafka clients are told to connect to
 *   GET    /config               every setting with its value, where that comes from, and advice
 *   GET    /connections          who is connected to the Kafka API and to the native protocol
 *   DELETE /connections/{id}     closes one
 *   GET    /transactions         none: they are not served
 */

import { type AnyElysia, Elysia, t } from "elysia";
import { documented } from "../access.ts";
import { CONNECTIONS_PAGE_MAX, closeConnection, listConnections } from "../connection-list.ts";
import type { HttpParts } from "../http-parts.ts";
import { longJson } from "../long-json.ts";
import { CLUSTER, CONFIG, CONNECTIONS, TRANSACTIONS } from "../openapi/schemas/cluster.ts";

const CLUSTER_EXAMPLE = {
  clusterId: "9cKXhM0jQ2yVYkA1bqJm3w",
  version: "0.1.0",
  controller: 1,
  brokers: [{ id: 1, host: "localhost", port: 9092, rack: null }],
  topics: 12,
  partitions: 40,
  features: [{ name: "group.version", level: 1 }],
};

const SETTING_EXAMPLE = {
  name: "memory",
  value: "1GiB",
  default: "512MiB",
  source: "--memory",
  number: 1_073_741_824,
  unit: "bytes",
  takes: "a size such as 64KiB, 512MiB or 1GiB",
  range: "64 MiB to 1024 GiB",
  advice: "The limit for the buffers of all connections, fetches and caches together.",
  variable: "OBELISK_MEMORY",
  isLive: false,
};

const CONNECTION_EXAMPLE = {
  id: "kafka-17",
  listener: "kafka",
  host: "127.0.0.1",
  port: 50716,
  clientId: "billing-1",
  software: "apache-kafka-java 4.0.0",
  since: 1_796_000_000_000,
  bytesIn: 10_240,
  bytesOut: 20_480,
  requests: 120,
  requestsUnderWay: 1,
  unsentBytes: 0,
};

export function clusterRoutes(parts: HttpParts): AnyElysia {
  const { broker, clock } = parts;
  return new Elysia()
    .get(
      "/cluster",
      ({ request }) => {
        const { nodeId, clusterId, topics } = broker;
        const { host, port } = parts.advertised;
        return {
          clusterId,
          version: parts.build.version,
          controller: nodeId,
          brokers: [{ id: nodeId, host: host ?? new URL(request.url).hostname, port, rack: null }],
          topics: topics.count,
          partitions: topics.partitionCount,
          features: parts.features.map(({ name, level }) => ({ name, level })),
        };
      },
      documented({
        access: ["describe", "cluster"],
        tag: "cluster",
        summary: "Who this cluster is",
        responses: {
          200: {
            description: "Its id, brokers, and how much there is.",
            schema: CLUSTER,
            example: CLUSTER_EXAMPLE,
          },
        },
      }),
    )
    .get(
      "/config",
      () => ({ settings: parts.settings() }),
      documented({
        access: ["describe-configs", "cluster"],
        tag: "cluster",
        summary: "Every setting of the server",
        description:
          "`value` and `default` are written as every source takes them; `number` is the value where it is one, and `unit` what that counts.",
        responses: {
          200: {
            description: "In the order of the manual.",
            schema: CONFIG,
            example: { settings: [SETTING_EXAMPLE] },
          },
        },
      }),
    )
    .get(
      "/connections",
      async ({ query }) => longJson(await listConnections(parts.connections, query, clock), clock),
      {
        query: t.Object({
          listener: t.Optional(
            t.Union([t.Literal("kafka"), t.Literal("native")], {
              description: "Only those of this listener.",
            }),
          ),
          after: t.Optional(t.String({ description: "Only later ones: `next` of a page." })),
          limit: t.Optional(
            t.Integer({ minimum: 1, maximum: CONNECTIONS_PAGE_MAX, description: "Connections of a page." }),
          ),
        }),
        ...documented({
          access: ["describe", "cluster"],
          tag: "cluster",
          summary: "Who is connected",
          description:
            "Connections of the Kafka API and of the native protocol. Those of the HTTP API are counted in /overview.",
          responses: {
            200: {
              description: "A page of connections; `next` when there are more.",
              schema: CONNECTIONS,
              example: { connections: [CONNECTION_EXAMPLE] },
            },
          },
        }),
      },
    )
    .delete(
      "/connections/:id",
      ({ params: { id } }) => {
        closeConnection(parts.connections, id);
        return new Response(null, { status: 204 });
      },
      documented({
        access: ["alter", "cluster"],
        tag: "cluster",
        summary: "Close a connection",
        description: "At once; what was not sent to it is lost. Its client will connect again, if it likes.",
        responses: { 204: { description: "It is closed." } },
      }),
    )
    .get(
      "/transactions",
      () => ({ transactions: [], isServed: false }),
      documented({
        access: ["describe", "cluster"],
        tag: "cluster",
        summary: "Transactions: none, because they are not served",
        responses: {
          200: {
            description: "An empty list.",
            schema: TRANSACTIONS,
            example: { transactions: [], isServed: false },
          },
        },
      }),
    );
}
