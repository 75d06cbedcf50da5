/** What the log says of producers that ask for transactions; the responses are in offset-commit.test.ts. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { wireCode } from "../../../src/base/errors.ts";
import { initProducerIdApi } from "../../../src/protocol/kafka/apis/init-producer-id.ts";
import { MemoryEngine } from "../../../src/storage/memory/engine.ts";
import { openKafkaApi, type TestKafkaApi } from "../../support/kafka-api.ts";

let api: TestKafkaApi;

beforeEach(async () => {
  api = await openKafkaApi({ engine: new MemoryEngine() });
});

afterEach(async () => {
  await api.stop();
});

test("a refused transactional id is told in the log once, with the reason, however often it is tried", async () => {
  const client = await api.connect();
  for (let attempt = 0; attempt < 3; attempt++) {
    const { errorCode } = await client.ask(initProducerIdApi, 4, {
      transactionalId: "tx",
      transactionTimeoutMs: 1000,
    });
    expect(errorCode).toBe(wireCode("INVALID_REQUEST"));
  }
  const told = api.lines.filter(({ message }) => message.includes("transactions"));
  expect(told).toEqual([
    {
      level: "warn",
      message: "a producer is refused: transactions are not supported yet",
      facts: { address: expect.stringContaining("127.0.0.1"), client: expect.any(String) },
    },
  ]);
});
