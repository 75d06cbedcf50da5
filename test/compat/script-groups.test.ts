/**
 * kafkajs and @platformatic/kafka in groups and as administrators. Three members read everything, one leaves and one joins while
 * records come in; then the group is described, its offsets are changed, and it is deleted.
 * `JUDGED_BROKERS=HOST:PORT` judges a broker that is there already, for example Apache Kafka.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Admin, ConfigResourceTypes, Consumer, stringDeserializers } from "@platformatic/kafka";
import { Kafka, ConfigResourceTypes as KafkaJsResourceTypes, logLevel, type Producer } from "kafkajs";
import { compiled } from "../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../support/server.ts";

const PARTITIONS = 6;
const RECORDS = 300;
const WAIT_MS_MAX = 20_000;
const TIMEOUT_MS = 90_000;

const judged = process.env.JUDGED_BROKERS;
const reason = judged === undefined ? compiled.missing : undefined;
describe.skipIf(reason !== undefined)(
  `groups of script clients${reason ? ` (skipped: ${reason})` : ""}`,
  () => {
    let server: TestServer | undefined;
    let brokers: string;
    let kafka: Kafka;
    let admin: ReturnType<Kafka["admin"]>;
    let producer: Producer;
    let sent = 0;
    beforeAll(async () => {
      if (judged === undefined) server = await startCompiled(["--group-consumer-heartbeat-interval=1s"]);
      brokers = judged ?? server!.kafka;
      kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
      admin = kafka.admin();
      producer = kafka.producer();
      await Promise.all([admin.connect(), producer.connect()]);
    });
    afterAll(async () => {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      await server?.stop();
    });

    async function create(word: string): Promise<string> {
      const topic = `script-${word}-${process.pid}`;
      await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true });
      return topic;
    }

    /** Numbers that are there once; those of one call lie in every partition. */
    async function send(topic: string): Promise<number[]> {
      const numbers = Array.from({ length: RECORDS }, () => sent++);
      await producer.send({
        topic,
        messages: numbers.map((each) => ({ value: `${each}`, partition: each % PARTITIONS })),
      });
      return numbers;
    }

    test.concurrent(
      "kafkajs: members join and leave while records come in, and each record comes to one of them",
      async () => {
        const topic = await create("kafkajs");
        const seen = new Set<number>();
        const joined = new Map<string, number>();
        const join = async (name: string) => {
          const consumer = kafka.consumer({ groupId: topic, heartbeatInterval: 300, maxWaitTimeInMs: 100 });
          consumer.on("consumer.group_join", ({ payload }) => {
            joined.set(name, payload.memberAssignment[topic]?.length ?? 0);
          });
          await consumer.connect();
          await consumer.subscribe({ topic, fromBeginning: true });
          await consumer.run({
            eachMessage: async ({ message }) => void seen.add(Number(message.value!.toString())),
          });
          return consumer;
        };
        const share =
          (...names: string[]) =>
          () =>
            names.every((name) => joined.get(name) === PARTITIONS / names.length);
        const members = await Promise.all(["a", "b", "c"].map(join));
        await until("three shares", share("a", "b", "c"));
        const first = await send(topic);
        await until("the first records", () => first.every((each) => seen.has(each)));
        await members.shift()!.disconnect();
        await until("two shares", share("b", "c"));
        members.push(await join("d"));
        const second = await send(topic);
        await until("three shares again", share("b", "c", "d"));
        await until("the second records", () => second.every((each) => seen.has(each)));
        const { groups } = await admin.describeGroups([topic]);
        expect(groups[0]).toMatchObject({ groupId: topic, state: "Stable", protocolType: "consumer" });
        expect(groups[0]!.members.length).toBe(3);
        await Promise.all(members.map((member) => member.disconnect()));
        const [offsets] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
        const total = offsets!.partitions.reduce((sum, { offset }) => sum + Number(offset), 0);
        expect(total).toBe(2 * RECORDS);
        await admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 0, offset: "7" }] });
        await admin.resetOffsets({ groupId: topic, topic, earliest: true });
        expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).toContain(topic);
        await admin.deleteGroups([topic]);
        expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain(topic);
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      "kafkajs: partitions are added, settings described and changed, records deleted",
      async () => {
        const topic = await create("kafkajs-admin");
        await send(topic);
        await admin.createPartitions({ topicPartitions: [{ topic, count: PARTITIONS + 1 }] });
        const retention = { name: "retention.ms", value: "3600000" };
        const entity = { type: KafkaJsResourceTypes.TOPIC, name: topic };
        await admin.alterConfigs({
          validateOnly: false,
          resources: [{ ...entity, configEntries: [retention] }],
        });
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ ...entity, configNames: ["retention.ms"] }],
        });
        expect(resources[0]!.configEntries).toMatchObject([
          { configName: "retention.ms", configValue: "3600000" },
        ]);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "10" }] });
        const offsets = await admin.fetchTopicOffsets(topic);
        expect(offsets.length).toBe(PARTITIONS + 1);
        expect(offsets.find(({ partition }) => partition === 0)).toMatchObject({ low: "10", high: "50" });
      },
      TIMEOUT_MS,
    );

    for (const groupProtocol of ["classic", "consumer"] as const) {
      test.concurrent(
        `@platformatic/kafka: members join and leave while records come in, and none is missed, protocol ${groupProtocol}`,
        async () => {
          const topic = await create(`platformatic-${groupProtocol}`);
          const seen = new Set<number>();
          const join = async () => {
            const consumer = new Consumer({
              clientId: "judge",
              bootstrapBrokers: [brokers],
              groupId: topic,
              maxWaitTime: 100,
              deserializers: stringDeserializers,
              ...(groupProtocol === "consumer" ? { groupProtocol } : { heartbeatInterval: 300 }),
            });
            const stream = await consumer.consume({
              topics: [topic],
              mode: "committed",
              fallbackMode: "earliest",
              autocommit: 100,
            });
            stream.on("data", ({ value }) => void seen.add(Number(value)));
            return consumer;
          };
          const share = (members: readonly Consumer<string, string, string, string>[]) => () => {
            const counts = members.map(
              ({ assignments }) => assignments?.find((each) => each.topic === topic)?.partitions.length,
            );
            return counts.every((count) => count === PARTITIONS / members.length);
          };
          const members = await Promise.all([join(), join(), join()]);
          await until("three shares", share(members));
          const first = await send(topic);
          await until("the first records", () => first.every((each) => seen.has(each)));
          await members.shift()!.close(true);
          await until("two shares", share(members));
          members.push(await join());
          const second = await send(topic);
          await until("three shares again", share(members));
          await until("the second records", () => second.every((each) => seen.has(each)));
          await Promise.all(members.map((member) => member.close(true)));
        },
        TIMEOUT_MS,
      );
    }

    test.concurrent(
      "@platformatic/kafka: settings, partitions, groups and records are administered",
      async () => {
        const topic = await create("platformatic-admin");
        await send(topic);
        const platformatic = new Admin({ clientId: "judge", bootstrapBrokers: [brokers] });
        await platformatic.createPartitions({
          topics: [{ name: topic, count: PARTITIONS + 1, assignments: null as never }],
        });
        const entity = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic };
        const change = { name: "retention.ms", configOperation: 0, value: "3600000" };
        await platformatic.incrementalAlterConfigs({
          resources: [{ ...entity, configs: [change as never] }],
        });
        const [described] = await platformatic.describeConfigs({
          resources: [{ ...entity, configurationKeys: ["retention.ms"] }],
        });
        expect(described!.configs).toMatchObject([{ name: "retention.ms", value: "3600000" }]);
        const partitions = [{ partition: 0, offset: 10n }];
        const [deleted] = await platformatic.deleteRecords({ topics: [{ name: topic, partitions }] });
        expect(deleted!.partitions).toEqual([{ partition: 0, lowWatermark: 10n }]);
        await platformatic.close();
      },
      TIMEOUT_MS,
    );
  },
);

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await Bun.sleep(5);
  }
}
