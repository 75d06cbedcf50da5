/** A short form of the acceptance run of consumer groups (run.ts), with a short session; main.ts is the long one. */

import { describe, expect, test } from "bun:test";
import { CONFLUENT_CLIENTS } from "../../support/foreign-clients.ts";
import { compiled } from "../../support/obelisk-command.ts";
import { startCompiled } from "../../support/server.ts";
import { PROTOCOLS, runThreeConsumers } from "./run.ts";

const SESSION_MS = 2000;
const FLAGS = ["--group-consumer-session-timeout=2s", "--group-consumer-heartbeat-interval=300ms"];

const client = CONFLUENT_CLIENTS[0]!;
const reason = client.missing ?? compiled.missing;
describe.skipIf(reason !== undefined)(
  `three consumers of ${client.name} in one group${reason ? ` (skipped: ${reason})` : ""}`,
  () => {
    for (const protocol of PROTOCOLS) {
      test(`lose nothing and commit nothing twice when one is killed, one joins and one is stopped, protocol ${protocol}`, async () => {
        const server = await startCompiled(FLAGS);
        try {
          const { lost, twice, fatal } = await runThreeConsumers({
            client,
            brokers: server.kafka,
            protocol,
            sessionMs: SESSION_MS,
            records: 10_000,
            recordsPerSecond: 2500,
            partitions: 12,
          });
          expect({ lost, twice, fatal }).toEqual({ lost: [], twice: [], fatal: [] });
        } finally {
          await server.stop();
        }
      }, 120_000);
    }
  },
);
