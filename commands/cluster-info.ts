/**
 * `obelisk cluster info`: what answers at the brokers' addresses.
 * With --json one line: {"clusterId", "controller", "brokers": [{"id", "host", "port", "rack"}], "topics", "partitions",
 * "features": [{"name", "level"}], "apis": [{"key", "name", "versionMin", "versionMax"}]}; topics and partitions without internal ones.
 * Exit codes: 0 shown, 2 failed, 64 wrong usage.
 */

import { defineCommand } from "citty";
import { formatAddress } from "../src/base/address.ts";
import type { ClusterDescription, ServedApi } from "../src/client/admin/brokers.ts";
import type { ClusterMember } from "../src/client/cluster.ts";
import { withAdmin } from "./admin.ts";
import { brokersFlag, clientFlags } from "./brokers-flag.ts";
import { EXIT, output } from "./output.ts";
import { tableLines } from "./output-table.ts";

export const clusterInfoExamples = [
  "obelisk cluster info",
  "obelisk cluster info --apis",
  "obelisk cluster info --brokers=kafka.example:9092 --json",
];

const clusterInfoArgs = {
  apis: { type: "boolean", description: "List the APIs that a broker serves, with their versions." },
  json: { type: "boolean", description: "Print everything as one line of JSON." },
  ...brokersFlag,
} as const;

export const clusterInfoCommand = defineCommand({
  meta: {
    name: "cluster info",
    description: "Shows the brokers, the controller, the features in force and how many topics there are.",
  },
  args: clusterInfoArgs,
  run: async ({ rawArgs }) => {
    const flags = clientFlags(clusterInfoArgs, rawArgs);
    const { cluster, topics, partitions } = await withAdmin(flags, async (admin) => {
      const listed = (await admin.listTopics()).filter(({ isInternal }) => !isInternal);
      return {
        cluster: await admin.describeCluster(),
        topics: listed.length,
        partitions: listed.reduce((sum, topic) => sum + topic.partitions.length, 0),
      };
    });
    const { id, ...rest } = cluster;
    if (flags["json"] === "true") output.json({ clusterId: id, ...rest, topics, partitions });
    else {
      for (const line of infoLines(cluster, topics, partitions)) output.line(line);
      if (flags["apis"] === "true") for (const line of apiLines(cluster.apis)) output.line(line);
    }
    return EXIT.yes;
  },
});

function infoLines(cluster: ClusterDescription, topics: number, partitions: number): string[] {
  const { id, controller, brokers, features } = cluster;
  return [
    `cluster     ${id ?? "unknown"}`,
    `controller  ${controller < 0 ? "none" : controller}`,
    `topics      ${topics}`,
    `partitions  ${partitions}`,
    `features    ${features.map(({ name, level }) => `${name}=${level}`).join(" ") || "none"}`,
    "",
    ...tableLines<ClusterMember>(
      [
        { title: "broker", isNumber: true, cell: (broker) => `${broker.id}` },
        { title: "address", cell: (broker) => formatAddress(broker) },
        { title: "rack", cell: ({ rack }) => rack ?? "-" },
      ],
      brokers,
    ),
  ];
}

function apiLines(apis: readonly ServedApi[]): string[] {
  return [
    "",
    ...tableLines<ServedApi>(
      [
        { title: "key", isNumber: true, cell: ({ key }) => `${key}` },
        { title: "API", cell: ({ name }) => name ?? "-" },
        { title: "versions", cell: ({ versionMin, versionMax }) => `${versionMin}-${versionMax}` },
      ],
      apis,
    ),
  ];
}
