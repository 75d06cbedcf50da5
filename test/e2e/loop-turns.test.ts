/** The longest turns of the event loop, as an operator sees them: a request that takes long is told by name. */

import { describe, expect, test } from "bun:test";
import { MiB } from "../../src/base/units.ts";
import { listOffsetsApi } from "../../src/protocol/kafka/apis/list-offsets.ts";
import { metadataApi } from "../../src/protocol/kafka/apis/metadata.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { BatchBuilder } from "../../src/protocol/record/builder.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { SERVERS } from "../support/server.ts";

const START_MS = 1_700_000_000_000;
/** To walk over them takes milliseconds on any machine. */
const CROWD = 1_000_000;
const TOPIC = "crowded";

/** The smallest records, the last one later than the others. */
function crowdedBatch(): Buffer {
  const builder = new BatchBuilder(16 * MiB);
  for (let index = 0; index < CROWD; index += 1)
    builder.append(START_MS + (index === CROWD - 1 ? 1 : 0), null, 0, 0, null, 0, 0);
  return builder.finish({ codec: "zstd" });
}

for (const kind of SERVERS) {
  const title = `server ${kind.name}${kind.missing ? ` (skipped: ${kind.missing})` : ""}`;
  describe.skipIf(kind.missing !== undefined)(title, () => {
    test("a search that walks a million records is told by name, with the longest piece of it", async () => {
      const server = await kind.start();
      const client = await WireClient.connect(server.kafkaPort);
      try {
        await client.ask(metadataApi, 4, { topics: [{ name: TOPIC }], allowAutoTopicCreation: true });
        const topicData = [{ name: TOPIC, partitionData: [{ index: 0, records: crowdedBatch() }] }];
        const stored = await client.ask(produceApi, 8, { acks: -1, timeoutMs: 10_000, topicData });
        expect(stored.responses[0]!.partitionResponses[0]!.errorCode).toBe(0);

        const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: START_MS + 1 }];
        const found = await client.ask(listOffsetsApi, 7, { topics: [{ name: TOPIC, partitions }] });
        expect(found.topics[0]!.partitions[0]!.offset).toBe(CROWD - 1);

        const metrics = await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
        const piece = /^obelisk_loop_piece_seconds_max\{work="search by time"\} (\S+)$/m.exec(metrics)?.[1];
        expect(Number(piece ?? "0")).toBeGreaterThan(0.001);
      } finally {
        client.close();
        await server.stop();
      }
    });
  });
}
