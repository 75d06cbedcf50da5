/**
 * The acceptance run of consumer groups (run.ts), on the compiled executable or on a broker that runs already:
 *
 *     bun test/compat/three-consumers/main.ts [--client NAME] [--protocol classic|consumer] [--records 100000]
 *                                             [--session-ms 6000] [--records-per-second 2500] [--partitions 12] [--brokers HOST:PORT]
 *
 * A broker that runs already must give groups of the consumer protocol the session that is named. Prints each step and the report
 * as JSON; ends with 1 when a record was lost or committed twice, a member had a fatal error, or a rebalance took too long:
 * longer than the session, or twice that where a session had to expire first.
 */

import { parseArgs } from "node:util";
import { startCompiled } from "../../support/server.ts";
import { type GroupProtocol, MEMBER_CLIENTS } from "./clients.ts";
import { runThreeConsumers } from "./run.ts";

const { values } = parseArgs({
  options: {
    client: { type: "string", default: "confluent-kafka" },
    protocol: { type: "string", default: "classic" },
    records: { type: "string", default: "100000" },
    "records-per-second": { type: "string", default: "2500" },
    partitions: { type: "string", default: "12" },
    "session-ms": { type: "string", default: "6000" },
    brokers: { type: "string" },
  },
});
const sessionMs = Number(values["session-ms"]);
const client = MEMBER_CLIENTS.find(({ name }) => name === values.client);
if (client === undefined) throw new Error(`clients are ${MEMBER_CLIENTS.map(({ name }) => name)}`);
if (client.missing !== undefined) throw new Error(client.missing);
const server = values.brokers === undefined ? await startCompiled(groupFlags(sessionMs)) : undefined;
try {
  const report = await runThreeConsumers({
    client,
    brokers: values.brokers ?? server!.kafka,
    protocol: values.protocol as GroupProtocol,
    sessionMs,
    records: Number(values.records),
    recordsPerSecond: Number(values["records-per-second"]),
    partitions: Number(values.partitions),
    say: (line) => console.log(line),
  });
  console.log(JSON.stringify(report));
  const { killed, joined, stopped, continued } = report.rebalances;
  const isInTime = Math.max(joined, continued) <= sessionMs && Math.max(killed, stopped) <= 2 * sessionMs;
  const isWhole = report.lost.length + report.twice.length + report.fatal.length === 0;
  process.exitCode = isInTime && isWhole ? 0 : 1;
} finally {
  await server?.stop();
}

function groupFlags(session: number): string[] {
  return [
    "--group-min-session-timeout=1s",
    `--group-consumer-session-timeout=${session}ms`,
    `--group-consumer-heartbeat-interval=${Math.floor(session / 6)}ms`,
  ];
}
