/** A partition that its server cannot open is told as that by whoever reads it: it is not empty, and no offset in it is wrong. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin } from "../../src/client/admin.ts";
import { Consumer, type StartPoint } from "../../src/client/consumer.ts";
import { Producer } from "../../src/client/producer.ts";
import { startHere, type TestServer } from "../support/server.ts";

const directory = mkdtempSync(join(tmpdir(), "obelisk-offline-"));
let server: TestServer;
beforeAll(async () => {
  const before = await startHere({ data: directory });
  const admin = await Admin.connect({ brokers: before.kafka });
  await admin.createTopic({ name: "t", partitions: 2 });
  const producer = await Producer.connect({ brokers: before.kafka });
  for (const partition of [0, 1]) await producer.send("t", { value: `of ${partition}`, partition });
  await producer.close();
  await admin.setGroupOffsets("g", [{ topic: "t", partition: 0, offset: 1 }]);
  await admin.close();
  await before.stop();
  // A link to itself cannot be opened by anyone, root included.
  const place = join(directory, "topics/t/0");
  renameSync(place, join(directory, "away"));
  symlinkSync("0", place);
  server = await startHere({ data: directory });
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const STARTS: readonly StartPoint[] = [
  "committed",
  "earliest",
  "latest",
  { offset: 1 },
  { last: 1 },
  { timestampMs: 0 },
];

for (const from of STARTS) {
  test(`reading from ${JSON.stringify(from)} fails with the partition's name`, async () => {
    const consumer = await Consumer.connect({ brokers: server.kafka, group: "g", retryTimeoutMs: 50 });
    const read = async () => {
      await consumer.assign([{ topic: "t", partition: 0 }], from);
      await consumer.endOffsets();
      return await consumer.poll(5000);
    };
    const error = await read().catch((thrown) => thrown);
    expect([error.code, error.exitCode, error.facts.topic, error.facts.partition]).toEqual([
      "NOT_LEADER_OR_FOLLOWER",
      2,
      "t",
      0,
    ]);
    await consumer.close();
  });
}

test("the partition beside it is read", async () => {
  const consumer = await Consumer.connect({ brokers: server.kafka });
  await consumer.assign([{ topic: "t", partition: 1 }], "earliest");
  expect((await consumer.poll(5000)).map(({ value }) => `${value}`)).toEqual(["of 1"]);
  await consumer.close();
});
