/** Frames are only lent: their memory is used again while earlier requests are still on their way, and readers get what was sent. */

import { describe, expect, test } from "bun:test";
import { fetchApi } from "../../../src/protocol/kafka/apis/fetch.ts";
import { produceApi } from "../../../src/protocol/kafka/apis/produce.ts";
import { batchOf, bytesOf, recordsIn } from "../../support/batches.ts";
import { openKafkaApi } from "../../support/kafka-api.ts";
import { PARTITION_KINDS } from "../../support/partition-kinds.ts";
import { randomOf } from "../../support/random.ts";

for (const kind of PARTITION_KINDS) {
  describe(kind.name, () => {
    const CLIENTS = 8;
    const ROUNDS = 30;

    test("what many connections send at once, in frames of all sizes, is read back byte for byte", async () => {
      const api = await openKafkaApi(kind.create());
      await api.context.broker.topics.create("t", { partitions: CLIENTS, configs: {} });
      const random = randomOf(7);
      const sent = await Promise.all(
        Array.from({ length: CLIENTS }, async (_, index) => {
          const client = await api.connect();
          const values: string[] = [];
          let fetched = 0;
          for (let round = 0; round < ROUNDS; round += 1) {
            const produce = () => {
              const value = `${index}/${values.length}/`.padEnd(Math.ceil(random() * 200_000), "abcdefg");
              values.push(value);
              const partitionData = [{ index, records: batchOf([value]) }];
              client.send(produceApi, 9, {
                acks: -1,
                timeoutMs: 1000,
                topicData: [{ name: "t", partitionData }],
              });
            };
            for (let after = 0; after < 4; after += 1) produce();
            // It waits for the four, and the fifth waits for it.
            client.send(fetchApi, 11, {
              maxWaitMs: 0,
              minBytes: 0,
              maxBytes: 1_000_000,
              isolationLevel: 0,
              topics: [
                {
                  topic: "t",
                  partitions: [
                    {
                      partition: index,
                      fetchOffset: fetched,
                      partitionMaxBytes: 500_000,
                      currentLeaderEpoch: -1,
                    },
                  ],
                },
              ],
            });
            produce();
            for (let responses = 0; responses < 4; responses += 1) await client.takeAs(produceApi, 9);
            const { responses } = await client.takeAs(fetchApi, 11);
            await client.takeAs(produceApi, 9);
            for (const [offset, value] of recordsIn(responses[0]!.partitions[0]!.records!)) {
              if (offset < fetched) continue;
              expect(offset).toBe(fetched);
              expect(value === values[offset]).toBe(true);
              fetched = offset + 1;
            }
          }
          expect(fetched).toBeGreaterThan(ROUNDS);
          return values;
        }),
      );
      const { partitions } = api.context.broker.topics.get("t")!;
      for (const [index, values] of sent.entries()) {
        const stored: (string | null)[] = [];
        while (stored.length < values.length) {
          const batches = await bytesOf(partitions[index]!.span(stored.length, 1_000_000, true));
          for (const [, value] of recordsIn(batches)) stored.push(value);
        }
        expect(stored.every((value, offset) => value === values[offset])).toBe(true);
      }
      await api.stop();
    });
  });
}
