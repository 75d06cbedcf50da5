/**
 * Produce over a partition that keeps what it is given, and tells the outcome in a later turn, when the test says so: as one whose
 * offsets are assigned elsewhere does.
 */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { type ErrorCode, wireCode } from "../../../src/base/errors.ts";
import { KiB } from "../../../src/base/units.ts";
import { type AppendListener, UNKNOWN_OUTCOME } from "../../../src/broker/partition.ts";
import { metadataApi } from "../../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";
import { until } from "../../support/kafka-until.ts";
import type { WireClient } from "../../support/kafka-wire.ts";
import { logPartition } from "../../support/partitions.ts";

interface HeldAppend {
  /** Stores it now. */
  store(): void;
  refuse(error: ErrorCode): void;
}

let api: TestKafkaApi;
let client: WireClient;
const held: HeldAppend[] = [];
beforeEach(async () => {
  held.length = 0;
  api = await openKafkaApi();
  client = await api.connect();
  await client.ask(metadataApi, 4, { topics: [{ name: "t" }] });
  const partition = logPartition(api.context.broker.topics.get("t")!.partitions[0]!);
  const append = partition.append.bind(partition);
  Object.assign(partition, {
    keepsBuffers: true,
    append: (buffer: Buffer, position: number, end: number, listener: AppendListener) => {
      held.push({
        store: () => append(buffer, position, end, listener),
        refuse: (error) =>
          listener.appended({
            errorCode: wireCode(error),
            errorMessage: null,
            baseOffset: -1,
            logAppendTimeMs: -1,
          }),
      });
    },
  });
});
afterEach(() => api.stop());

function send(value: string, acks: number): void {
  const partitionData = [{ index: 0, records: batchOf([value]) }];
  client.send(produceApi, 7, { acks, timeoutMs: 1000, topicData: [{ name: "t", partitionData }] });
}

async function takeOutcome(): Promise<[number, number]> {
  const { responses } = await client.takeAs(produceApi, 7);
  const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
  return [errorCode, baseOffset];
}

test("what is stored turns later is what was sent, although the memory of its frame is used again meanwhile", async () => {
  const values = Array.from({ length: 40 }, (_, index) => `${index}/`.padEnd(100 + index * 5_000, "ab"));
  for (const value of values) send(value, -1);
  await until(() => held.length === values.length);
  expect(client.waitingCount).toBe(0);
  for (const append of held) append.store();
  for (const offset of values.keys()) expect(await takeOutcome()).toEqual([0, offset]);
  const span = api.context.broker.topics.get("t")!.partitions[0]!.span(0, 100_000_000, true);
  expect(recordsIn(await bytesOf(span)).map(([, value]) => value)).toEqual(values);
});

test("responses keep the order of the requests, whatever order the outcomes come in", async () => {
  for (const value of ["a", "b", "c"]) send(value, 1);
  await until(() => held.length === 3);
  for (const append of [...held].reverse()) append.store();
  expect([await takeOutcome(), await takeOutcome(), await takeOutcome()]).toEqual([
    [0, 2],
    [0, 1],
    [0, 0],
  ]);
});

test("an outcome that is not known is told with the code that clients retry and take for possibly stored", async () => {
  send("a", -1);
  await until(() => held.length === 1);
  held[0]!.refuse(UNKNOWN_OUTCOME);
  expect(await takeOutcome()).toEqual([7, -1]);
});

for (const acks of [-1, 0]) {
  test(`acks ${acks}: the memory of a large frame is held as long as the partition keeps its records`, async () => {
    send("x".repeat(400 * KiB), acks);
    await until(() => held.length === 1);
    expect(api.frameBudget.usedBytes).toBeGreaterThan(400 * KiB);
    held[0]!.store();
    await until(() => api.frameBudget.usedBytes === 0);
  });
}

test("acks 0: a batch that is refused later closes the connection, as one that is refused at once", async () => {
  send("a", 0);
  await until(() => held.length === 1);
  expect(client.isClosed).toBe(false);
  held[0]!.refuse("OUT_OF_ORDER_SEQUENCE_NUMBER");
  expect(await client.take()).toBeNull();
});
