/** The flag by which every command that speaks to a server finds it. */

import { KAFKA_PORT } from "../src/client/cluster.ts";

export const BROKERS_DEFAULT = `localhost:${KAFKA_PORT}`;

export const brokersFlag = {
  brokers: {
    type: "string",
    alias: "b",
    valueHint: "HOST:PORT,...",
    default: BROKERS_DEFAULT,
    description: "The Kafka port of the server; any of a list.",
  },
} as const;
