/** member.py with kafkajs; the same arguments and the same lines. It speaks the classic protocol and gives up everything at each rebalance. */

import { Kafka, logLevel } from "kafkajs";

const [brokers, groupId, topic, , sessionMs] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: Number(sessionMs),
  heartbeatInterval: Number(sessionMs) / 6,
  maxWaitTimeInMs: 100,
});
const say = (event: string, fields: object) => console.log(JSON.stringify({ event, ...fields }));
let owned: number[] = [];

consumer.on("consumer.rebalancing", () => say("revoked", { partitions: owned.splice(0) }));
consumer.on("consumer.group_join", ({ payload }) => {
  say("lost", { partitions: owned });
  owned = [...(payload.memberAssignment[topic] ?? [])];
  say("assigned", { partitions: owned });
});
consumer.on("consumer.crash", ({ payload }) => {
  if (!payload.restart) say("fatal", { error: payload.error.message });
});

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, isStale, isRunning, heartbeat, resolveOffset }) => {
    if (batch.messages.length === 0 || isStale() || !isRunning()) return;
    const end = Number(batch.messages.at(-1)!.offset) + 1;
    const ranges = [[batch.partition, Number(batch.messages[0]!.offset), end]];
    say("committing", { ranges });
    try {
      await consumer.commitOffsets([{ topic, partition: batch.partition, offset: `${end}` }]);
    } catch (thrown) {
      say("refused", { ranges, error: (thrown as Error).name });
      throw thrown;
    }
    say("committed", { ranges });
    resolveOffset(`${end - 1}`);
    await heartbeat();
  },
});
process.on("SIGTERM", async () => {
  await consumer.disconnect();
  process.exit(0);
});
