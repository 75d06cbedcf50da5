/** A short form of the acceptance run of consumer groups (run.ts), with every client; main.ts is the long one. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { compiled } from "../../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../../support/server.ts";
import { MEMBER_CLIENTS } from "./clients.ts";
import { runThreeConsumers } from "./run.ts";

/** Long enough for a machine on which everybody is late; the clients run side by side. */
const SESSION_MS = 6000;
const FLAGS = ["--group-consumer-session-timeout=6s", "--group-consumer-heartbeat-interval=1s"];
/** A JVM for each member is dear: its other protocol is left to main.ts. */
const JAVA_PROTOCOLS = ["consumer"] as const;

describe.skipIf(compiled.missing !== undefined)(
  `three consumers in one group${compiled.missing ? ` (skipped: ${compiled.missing})` : ""}`,
  () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await startCompiled(FLAGS);
    });
    afterAll(() => server.stop());
    for (const client of MEMBER_CLIENTS) {
      for (const protocol of client.name === "java" ? JAVA_PROTOCOLS : client.protocols) {
        const title = `of ${client.name}, protocol ${protocol}, lose nothing and commit nothing twice when one is killed, one joins and one is stopped`;
        test.concurrent.skipIf(client.missing !== undefined)(
          `${title}${client.missing ? ` (skipped: ${client.missing})` : ""}`,
          async () => {
            const { lost, twice, fatal } = await runThreeConsumers({
              client,
              brokers: server.kafka,
              protocol,
              sessionMs: SESSION_MS,
              records: 5000,
              recordsPerSecond: 1000,
              partitions: 6,
            });
            expect({ lost, twice, fatal }).toEqual({ lost: [], twice: [], fatal: [] });
          },
          120_000,
        );
      }
    }
  },
);
