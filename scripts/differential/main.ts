/**
 * scripts/differential: the same bytes to Apache Kafka and to the compiled Obelisk, and the responses compared.
 *
 *   bun scripts/differential/main.ts [--seed N] [--cases N] [--only API] [--match TEXT] [--json]
 *
 * Cases: every API and version that is supported, golden requests of other clients, mutations of both, written edge cases, and
 * sequences. Responses are decoded, made equal where a server is free to choose (normalise.ts), and compared field by field. What
 * differs is a bug, or stands in allowed.json with a sentence that docs/protocol.md shows.
 *
 * Needs java, KAFKA_HOME (a directory with Kafka's libs/) and dist/obelisk. Both servers start in temporary directories.
 */

import { ROUTES } from "../../src/api/kafka/apis.ts";
import { type Server, startKafka, startObelisk } from "../bench/servers.ts";
import { ALLOWED } from "./allowed.ts";
import { planFor } from "./cases/all.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { linesOf, reportOf } from "./report.ts";
import { coverage, type Result, runCases } from "./runner.ts";
import { Side } from "./side.ts";

const EXIT_SAME = 0;
const EXIT_DIFFERENT = 1;
const EXIT_FAILED = 2;
const EXIT_USAGE = 64;

/** Small and quick: one partition for offsets and transactions, small indexes for thousands of topics. */
const KAFKA_PROPERTIES = [
  "offsets.topic.num.partitions=1",
  "transaction.state.log.num.partitions=1",
  "message.max.bytes=1048588",
  "log.index.size.max.bytes=65536",
  "group.initial.rebalance.delay.ms=0",
  "group.consumer.assignment.interval.ms=0",
];
const KAFKA_HEAP = "768m";
/** Kafka's own default, set at both, so that the same batches are too large and the setting comes from the same place. */
const OBELISK_FLAGS = ["--message-bytes-max", "1048588", "--group-consumer-assignment-interval", "0ms"];

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(
    args,
    ROUTES.map(({ name }) => name),
  );
  if (options === null) {
    console.log(USAGE);
    return EXIT_SAME;
  }
  if (typeof options === "string") {
    console.error(options);
    return EXIT_USAGE;
  }
  const servers: Server[] = [];
  try {
    return await judge(options, servers);
  } catch (thrown) {
    console.error(thrown instanceof Error ? thrown.message : String(thrown));
    return EXIT_FAILED;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function judge(options: Options, servers: Server[]): Promise<number> {
  const plan = await planFor(options);
  const kafkaServer = await startKafka({ heap: KAFKA_HEAP, properties: KAFKA_PROPERTIES });
  if (kafkaServer === null) {
    console.error(
      "Apache Kafka is missing: put java 17 or later into PATH, and set KAFKA_HOME to a directory with Kafka's libs/",
    );
    return EXIT_FAILED;
  }
  servers.push(kafkaServer);
  const obeliskServer = await startObelisk(...OBELISK_FLAGS);
  servers.push(obeliskServer);
  const sides = {
    kafka: new Side("kafka", kafkaServer.address),
    obelisk: new Side("obelisk", obeliskServer.kafka),
  };
  const topics = [...plan.fixtures, ...plan.cases.flatMap((whole) => whole.topics ?? [])];
  await Promise.all([sides.kafka.prepare(topics), sides.obelisk.prepare(topics)]);
  const fixtures = new Set(plan.fixtures.map(({ name }) => name));
  const filled = await runCases(sides, plan.first, fixtures, ALLOWED);
  const rest = await runCases(sides, plan.cases, fixtures, ALLOWED);
  sides.kafka.close();
  sides.obelisk.close();
  const isWhole = options.only === null && options.match === "";
  const requested = coverage(plan.cases).size;
  const report = reportOf(joined(filled, rest), options.seed, requested, ALLOWED, isWhole);
  if (options.isJson) console.log(JSON.stringify(report, null, 2));
  else for (const line of linesOf(report)) console.log(line);
  return report.differences.length === 0 ? EXIT_SAME : EXIT_DIFFERENT;
}

function joined(first: Result, second: Result): Result {
  return {
    exchanges: first.exchanges + second.exchanges,
    cases: first.cases + second.cases,
    findings: [...first.findings, ...second.findings],
    used: new Set([...first.used, ...second.used]),
  };
}

process.exit(await main(process.argv.slice(2)));
