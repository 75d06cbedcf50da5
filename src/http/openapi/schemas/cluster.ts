/** The server as a whole: who it is, its settings, who is connected. */

import { type TSchema, Type } from "@sinclair/typebox";
import { COUNT, nullable, TIME_MS } from "./common.ts";

export const CLUSTER: TSchema = Type.Object(
  {
    clusterId: Type.String(),
    version: Type.String(),
    controller: Type.Integer(),
    brokers: Type.Array(
      Type.Object({
        id: Type.Integer(),
        host: Type.String(),
        port: Type.Integer({ description: "Of the Kafka API." }),
        rack: nullable(Type.String()),
      }),
    ),
    topics: COUNT,
    partitions: COUNT,
    features: Type.Array(Type.Object({ name: Type.String(), level: Type.Integer() })),
  },
  { title: "Cluster" },
);

const SETTING: TSchema = Type.Object(
  {
    name: Type.String(),
    value: Type.String({ description: "As every source writes it." }),
    default: Type.String(),
    source: Type.String({ description: "default, a flag, a variable, or a line of a file." }),
    number: nullable(Type.Number(), "The value, where it is a number."),
    unit: nullable(Type.Union([Type.Literal("bytes"), Type.Literal("ms")]), "What the number counts."),
    takes: Type.String(),
    range: Type.String(),
    advice: Type.String(),
    variable: Type.String(),
    isLive: Type.Boolean({ description: "Whether a running server takes a new value." }),
  },
  { title: "Setting" },
);

export const CONFIG: TSchema = Type.Object({ settings: Type.Array(SETTING) }, { title: "Config" });

const CONNECTION: TSchema = Type.Object(
  {
    id: Type.String(),
    listener: Type.Union([Type.Literal("kafka"), Type.Literal("native")]),
    host: Type.String(),
    port: Type.Integer(),
    clientId: nullable(Type.String(), "Null: its client does not say."),
    software: nullable(Type.String(), "Null: its client does not say."),
    since: TIME_MS,
    bytesIn: COUNT,
    bytesOut: COUNT,
    requests: COUNT,
    requestsUnderWay: COUNT,
    unsentBytes: COUNT,
  },
  { title: "Connection" },
);

export const CONNECTIONS: TSchema = Type.Object(
  {
    connections: Type.Array(CONNECTION),
    next: Type.Optional(Type.String({ description: "`after` of the next page; left out: there is none." })),
  },
  { title: "ConnectionsPage" },
);

export const TRANSACTIONS: TSchema = Type.Object(
  { transactions: Type.Array(Type.Unknown()), isServed: Type.Boolean() },
  { title: "Transactions" },
);
