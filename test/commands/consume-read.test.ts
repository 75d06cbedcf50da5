/**
 * Where `consume` stops and what it commits, against a broker that says where its partitions end: what is after the end offset that was
 * there at the start is neither printed nor passed, and an end that moves back is the new end.
 */

import { describe, expect, test } from "bun:test";
import { consumeOptions } from "../../commands/consume-options.ts";
import { consumeRecords } from "../../commands/consume-read.ts";
import { Output } from "../../commands/output.ts";
import { stampBatch } from "../../src/protocol/record/batch.ts";
import { FakeBroker } from "../client/fake-broker.ts";
import { batchOf } from "../support/batches.ts";
import { understatedBatch } from "../support/garbled-batches.ts";

/** Serves the topic `t`: one batch for each fetch of a partition, and the offsets that it is told to say. */
class RangeBroker extends FakeBroker {
  readonly logs: Buffer[][];
  ends: number[];
  /** By partition; empty: nothing committed. */
  readonly committed = new Map<number, number>();

  constructor(logs: Buffer[][], ends: number[]) {
    super();
    this.logs = logs;
    this.ends = ends;
    this.partitions = logs.length;
    for (const log of logs) for (const [offset, batch] of log.entries()) stampBatch(batch, 0, offset, 0);
    this.on("FindCoordinator", () => ({
      response: { coordinators: [{ key: "g", nodeId: 1, ...this.advertised, errorCode: 0 }] },
    }));
    this.on("OffsetFetch", () => ({ response: { groups: [{ groupId: "g", topics: [], errorCode: 0 }] } }));
    this.on("OffsetCommit", ({ topics }) => {
      const partitions = topics[0].partitions;
      for (const { partitionIndex, committedOffset } of partitions)
        this.committed.set(partitionIndex, committedOffset);
      return {
        response: {
          topics: [
            {
              name: "t",
              partitions: partitions.map(({ partitionIndex }: { partitionIndex: number }) => ({
                partitionIndex,
                errorCode: 0,
              })),
            },
          ],
        },
      };
    });
    this.on("ListOffsets", ({ topics }) => ({
      response: {
        topics: [
          {
            name: "t",
            partitions: topics[0].partitions.map(
              (requested: { partitionIndex: number; timestamp: number }) => ({
                partitionIndex: requested.partitionIndex,
                errorCode: 0,
                offset: requested.timestamp === -1 ? this.ends[requested.partitionIndex]! : 0,
              }),
            ),
          },
        ],
      },
    }));
    this.on("Fetch", async ({ topics }) => ({
      response: { responses: [{ topic: "t", partitions: await this.#fetched(topics[0].partitions) }] },
    }));
  }

  async #fetched(requested: { partition: number; fetchOffset: number }[]): Promise<object[]> {
    const found = requested.map(({ partition, fetchOffset }) => ({
      partitionIndex: partition,
      errorCode: 0,
      highWatermark: this.logs[partition]!.length,
      records: this.recordsOf(partition, fetchOffset),
    }));
    if (found.every(({ records }) => records === null)) await Bun.sleep(5); // as a broker that waits for records
    return found;
  }

  recordsOf(partition: number, offset: number): Buffer | null {
    return this.logs[partition]![offset] ?? null;
  }
}

async function consume(broker: RangeBroker, flags: Record<string, string> = {}): Promise<string> {
  const printed: Buffer[] = [];
  const output = new Output({
    write: (chunk, done) => {
      printed.push(Buffer.from(chunk));
      done();
      return true;
    },
    on: () => {},
  });
  const options = consumeOptions({ brokers: broker.address, group: "g", ...flags }, ["t"]);
  await consumeRecords(options, output, new AbortController().signal);
  return Buffer.concat(printed).toString();
}

describe("consume", () => {
  test("what the filter does not want counts as read, and not for --max", async () => {
    const filter = `value startsWith "a" or key == "x"`;
    using broker = new RangeBroker(
      [[batchOf(["b0"]), batchOf(["a1"]), batchOf(["b2"]), batchOf(["a3"]), batchOf(["b4"])]],
      [5],
    );
    expect(await consume(broker, { filter })).toBe("a1\na3\n");
    expect([...broker.committed]).toEqual([[0, 5]]);
    expect(await consume(broker, { filter, max: "1" })).toBe("a1\n");
    expect([...broker.committed]).toEqual([[0, 2]]);
    expect(await consume(broker, { filter: `value == "c"` })).toBe("");
    expect([...broker.committed]).toEqual([[0, 5]]);
  });

  test("a batch that cannot be read after the end is neither read nor committed", async () => {
    for (const flags of [{}, { "skip-unreadable": "true" }]) {
      using broker = new RangeBroker(
        [[batchOf(["a"]), batchOf(["later"]), understatedBatch()], [batchOf(["b"])]],
        [1, 1],
      );
      // The second partition waits until the first was fetched to its very end.
      let isFirstRead = false;
      broker.recordsOf = (partition, offset) => {
        if (partition === 0 && offset >= 3) isFirstRead = true;
        return partition === 0 || isFirstRead ? (broker.logs[partition]![offset] ?? null) : null;
      };
      expect(await consume(broker, flags)).toBe("a\nb\n");
      expect([...broker.committed].sort()).toEqual([
        [0, 1],
        [1, 1],
      ]);
    }
  });

  test("an end that moves back, because the topic was made anew, is the new end", async () => {
    using broker = new RangeBroker([[batchOf(["a"])]], [5]);
    const consuming = consume(broker);
    broker.on("OffsetCommit", ({ topics }) => {
      broker.ends = [1];
      return {
        response: {
          topics: [
            {
              name: "t",
              partitions: [{ partitionIndex: topics[0].partitions[0].partitionIndex, errorCode: 0 }],
            },
          ],
        },
      };
    });
    expect(await consuming).toBe("a\n");
  });
});
