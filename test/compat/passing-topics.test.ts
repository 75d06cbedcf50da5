/**
 * Topics come and go by the hundred while kafkajs, kcat and confluent-kafka (both protocols of groups) write to and read from others.
 * What stays loses nothing and shows nothing twice, no client ends, and what was deleted is gone.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { CONFLUENT_CLIENTS } from "../support/foreign-clients.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../support/server.ts";

const ROUNDS = 12;
const TOPICS_EACH = 10;
const RECORDS_EACH = 30;
const PARTITIONS = 6;
const WAIT_MS_MAX = 30_000;
const TIMEOUT_MS = 120_000;
const confluent = CONFLUENT_CLIENTS[0]!;
const kcat = Bun.which("kcat");

const title = `topics that come and go${compiled.missing ? ` (skipped: ${compiled.missing})` : ""}`;
describe.skipIf(compiled.missing !== undefined)(title, () => {
  let server: TestServer;
  let brokers: string;
  let kafka: Kafka;
  beforeAll(async () => {
    server = await startCompiled();
    brokers = server.kafka;
    kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  });
  afterAll(() => server.stop());

  for (const protocol of ["classic", "consumer"]) {
    const missing = confluent.missing === undefined ? "" : ` (skipped: ${confluent.missing})`;
    test.skipIf(confluent.missing !== undefined).concurrent(
      `an idempotent producer and a group of ${confluent.name} go on, protocol ${protocol}${missing}`,
      async () => {
        const program = "test/compat/passing_topics.py";
        expect(await confluent.run(program, brokers, protocol, `${ROUNDS}`)).toEqual({
          written: Array.from({ length: ROUNDS }, () => TOPICS_EACH * RECORDS_EACH),
          wrote: true,
          failed: [],
          readOnce: true,
          fatal: [],
          left: [],
        });
      },
      TIMEOUT_MS,
    );
  }

  test.concurrent(
    "an idempotent producer and a group of kafkajs go on",
    async () => {
      const topic = await create("kafkajs");
      const crashes: string[] = [];
      const seen: number[] = [];
      const consumer = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 100, metadataMaxAge: 500 });
      consumer.on("consumer.crash", ({ payload }) => void crashes.push(payload.error.message));
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => void seen.push(Number(message.value!.toString())),
      });
      const steady = kafka.producer({ idempotent: true, maxInFlightRequests: 1, metadataMaxAge: 500 });
      await steady.connect();
      let passed = false;
      let sent = 0;
      const write = async () => {
        for (; !passed; sent += 1) {
          await steady.send({ topic, messages: [{ value: `${sent}`, partition: sent % PARTITIONS }] });
        }
      };
      const writing = write();
      await passTopics("kafkajs").finally(() => {
        passed = true;
      });
      await writing;
      await until("all records", () => seen.length >= sent);
      expect(seen.sort((one, other) => one - other)).toEqual(
        Array.from({ length: sent }, (_, index) => index),
      );
      expect(sent).toBeGreaterThan(0);
      expect(crashes).toEqual([]);
      await Promise.all([consumer.disconnect(), steady.disconnect()]);
    },
    TIMEOUT_MS,
  );

  test.skipIf(kcat === null).concurrent(
    `a producer and a consumer of kcat go on${kcat === null ? " (skipped: kcat is not installed)" : ""}`,
    async () => {
      const topic = await create("kcat");
      const often = ["-X", "topic.metadata.refresh.interval.ms=500"];
      const start = (...args: string[]) =>
        Bun.spawn([kcat!, "-q", "-b", brokers, ...often, "-t", topic, ...args], {
          stdin: "pipe",
          stdout: "pipe",
          stderr: "pipe",
        });
      const consumer = start("-C", "-o", "beginning", "-u");
      const lines: string[] = [];
      const reading = eachLine(consumer.stdout, (line) => void lines.push(line));
      const writer = start("-P", "-X", "enable.idempotence=true", "-X", "linger.ms=1");
      let passed = false;
      let sent = 0;
      const write = async () => {
        for (; !passed; sent += 1) {
          writer.stdin.write(`${sent}\n`);
          await writer.stdin.flush();
          await Bun.sleep(1);
        }
      };
      const writing = write();
      await passTopics("kcat").finally(() => {
        passed = true;
      });
      await writing;
      await writer.stdin.end();
      expect({ code: await writer.exited, said: await new Response(writer.stderr).text() }).toEqual({
        code: 0,
        said: "",
      });
      await until("all lines", () => lines.length >= sent || consumer.exitCode !== null);
      consumer.kill("SIGTERM");
      await reading;
      expect(await new Response(consumer.stderr).text()).toBe("");
      expect(lines.map(Number).sort((one, other) => one - other)).toEqual(
        Array.from({ length: sent }, (_, index) => index),
      );
    },
    TIMEOUT_MS,
  );

  async function create(word: string): Promise<string> {
    const topic = `stays-${word}-${Date.now()}`;
    await withAdmin((admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }], waitForLeaders: true }),
    );
    return topic;
  }

  /** Each round creates topics, writes to them and deletes them; after the last none of them is left. */
  async function passTopics(word: string): Promise<void> {
    for (let round = 0; round < ROUNDS; round += 1) {
      const topics = Array.from({ length: TOPICS_EACH }, (_, index) => `passes-${word}-${round}-${index}`);
      await withAdmin((admin) => passOnce(admin, topics));
    }
    const left = (await withAdmin((admin) => admin.listTopics())).filter((topic) =>
      topic.startsWith(`passes-${word}-`),
    );
    expect(left).toEqual([]);
  }

  async function passOnce(admin: Admin, topics: readonly string[]): Promise<void> {
    const created = topics.map((topic) => ({ topic, numPartitions: 2 }));
    await admin.createTopics({ topics: created, waitForLeaders: true });
    const producer = kafka.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    const messages = Array.from({ length: RECORDS_EACH }, (_, index) => ({ value: `${index}` }));
    await producer.sendBatch({ topicMessages: topics.map((topic) => ({ topic, messages })) });
    for (const topic of topics) {
      const offsets = await admin.fetchTopicOffsets(topic);
      expect(offsets.reduce((sum, { high }) => sum + Number(high), 0)).toBe(RECORDS_EACH);
    }
    await admin.deleteTopics({ topics: [...topics] });
    await producer.disconnect();
  }

  /** A client of kafkajs asks for every topic that it ever used, and fails once one of them is gone: one for each round. */
  async function withAdmin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = kafka.admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
});

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await Bun.sleep(5);
  }
}
