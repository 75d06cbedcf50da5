/**
 * The brokers on which commands and clients are tried: ours, and Apache Kafka where KAFKA_HOME names a directory with its libs/
 * and java is there.
 */

import { startKafka } from "../../scripts/bench/servers.ts";
import { startHere } from "./server.ts";

export interface BrokerKind {
  readonly name: string;
  /** Why it cannot run here; undefined when it can. */
  readonly missing: string | undefined;
  start(): Promise<RunningBroker>;
}

export interface RunningBroker {
  /** HOST:PORT */
  readonly address: string;
  stop(): Promise<void>;
}

export const BROKER_KINDS: readonly BrokerKind[] = [
  {
    name: "Obelisk",
    missing: undefined,
    start: async () => {
      const server = await startHere();
      return { address: server.kafka, stop: () => server.stop() };
    },
  },
  {
    name: "Apache Kafka",
    missing:
      process.env["KAFKA_HOME"] === undefined || Bun.which("java") === null
        ? "java or KAFKA_HOME, a directory with its libs/, is missing"
        : undefined,
    start: async () => {
      const server = await startKafka({ heap: "384m", properties: ["group.initial.rebalance.delay.ms=0"] });
      if (server === null) throw new Error("Apache Kafka is not installed");
      return { address: `${server.address.host}:${server.address.port}`, stop: () => server.stop() };
    },
  },
];
