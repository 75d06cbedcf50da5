/**
 * More partitions than descriptors, on the compiled executable: a kill, a start, a stop, a start, and every partition is served with
 * what it took. Linux tells of descriptors.
 */

import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTopicsApi } from "../../src/protocol/kafka/apis/create-topics.ts";
import { listOffsetsApi } from "../../src/protocol/kafka/apis/list-offsets.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { batchOf } from "../support/batches.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { compiled } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";

const DESCRIPTORS = 256;
const PARTITIONS = 2000;
const PER_REQUEST = 100;
/** Kafka's number for the end of the log. */
const LATEST = -1;
const TOPIC = "many";

const missing = compiled.missing ?? (existsSync("/proc/self/fd") ? undefined : "there is no /proc");
const limited = {
  ...compiled,
  command: ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$@"`, "sh", ...compiled.command],
};

async function started(directory: string, stack: AsyncDisposableStack): Promise<Started> {
  const server = stack.use(await startServer(directory, [], { program: limited }));
  const client = await WireClient.connect(server.started.kafka.port);
  stack.defer(() => client.close());
  return { server, client };
}

interface Started {
  readonly server: RunningServer;
  readonly client: WireClient;
}

function groups(): number[][] {
  const slots = Array.from({ length: PARTITIONS }, (_, slot) => slot);
  return Array.from({ length: PARTITIONS / PER_REQUEST }, (_, group) =>
    slots.slice(group * PER_REQUEST, (group + 1) * PER_REQUEST),
  );
}

/** One record to each partition; the error numbers. */
async function produceToAll(client: WireClient): Promise<Set<number>> {
  const codes = new Set<number>();
  for (const slots of groups()) {
    const partitionData = slots.map((index) => ({ index, records: batchOf([`value ${index}`]) }));
    const body = {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: TOPIC, partitionData }],
    };
    const { responses } = await client.ask(produceApi, 8, body);
    for (const { errorCode } of responses[0]!.partitionResponses) codes.add(errorCode);
  }
  return codes;
}

/** Error numbers and ends of the logs, over all partitions. */
async function ends(client: WireClient): Promise<Set<string>> {
  const found = new Set<string>();
  for (const slots of groups()) {
    const partitions = slots.map((partitionIndex) => ({ partitionIndex, timestamp: LATEST }));
    const body = { replicaId: -1, topics: [{ name: TOPIC, partitions }] };
    const { topics } = await client.ask(listOffsetsApi, 4, body);
    for (const { errorCode, offset } of topics[0]!.partitions) found.add(`${errorCode} ${offset}`);
  }
  return found;
}

function filesNamed(directory: string, suffix: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(suffix),
  );
}

test.skipIf(missing !== undefined)(
  `${PARTITIONS} partitions with ${DESCRIPTORS} descriptors go through a kill, a start and stops${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  async () => {
    const root = mkdtempSync(join(tmpdir(), "obelisk-many-"));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => rmSync(root, { recursive: true, force: true }));
    const data = join(root, "data");
    const first = await started(data, stack);
    const { topics } = await first.client.ask(createTopicsApi, 5, {
      topics: [
        { name: TOPIC, numPartitions: PARTITIONS, replicationFactor: 1, assignments: [], configs: [] },
      ],
      timeoutMs: 30_000,
    });
    expect(topics[0]!.errorCode).toBe(0);
    expect(await produceToAll(first.client)).toEqual(new Set([0]));
    await first.server.stop("SIGKILL");

    const second = await started(data, stack);
    expect(second.server.started["findings"]).toEqual([]);
    expect(await ends(second.client)).toEqual(new Set(["0 1"]));
    expect(await produceToAll(second.client)).toEqual(new Set([0]));
    expect(await second.server.stop()).toBe(0);
    expect(await new Response(second.server.child.stderr).text()).not.toContain("too many open files");
    expect(filesNamed(data, "producers.snapshot").length).toBe(PARTITIONS);
    expect(filesNamed(data, ".tmp")).toEqual([]);

    const third = await started(data, stack);
    expect(third.server.started["findings"]).toEqual([]);
    expect(await ends(third.client)).toEqual(new Set(["0 2"]));
    expect(await third.server.stop()).toBe(0);
  },
  120_000,
);
