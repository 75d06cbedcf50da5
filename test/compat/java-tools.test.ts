/**
 * Apache Kafka's command line tools as judges: topics, settings, groups, and the console, verifiable and performance clients.
 * `JUDGED_BROKERS=HOST:PORT` runs them against a broker that is there already, for example Apache Kafka, where they must pass too.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { KAFKA_TOOLS } from "../support/foreign-clients.ts";
import { compiled } from "../support/obelisk-command.ts";
import { startCompiled, type TestServer } from "../support/server.ts";

const TIMEOUT_MS = 120_000;
const TOOLS = "org.apache.kafka.tools";
const TOPICS = `${TOOLS}.TopicCommand`;
const GROUPS = `${TOOLS}.consumer.group.ConsumerGroupCommand`;
const CONSOLE_CONSUMER = `${TOOLS}.consumer.ConsoleConsumer`;

const judged = process.env.JUDGED_BROKERS;
const reason = KAFKA_TOOLS.missing ?? (judged === undefined ? compiled.missing : undefined);
describe.skipIf(reason !== undefined)(
  `Kafka's command line tools${reason ? ` (skipped: ${reason})` : ""}`,
  () => {
    let server: TestServer | undefined;
    let bootstrap: string[];
    /** Its own names in each run, as the broker may not be new. */
    const name = (word: string) => `tools-${word}-${process.pid}`;
    beforeAll(async () => {
      if (judged === undefined) server = await startCompiled();
      bootstrap = ["--bootstrap-server", judged ?? server!.kafka];
    });
    afterAll(() => server?.stop());

    async function run(tool: string, args: readonly string[], input = ""): Promise<string> {
      return await KAFKA_TOOLS.run(tool, [...bootstrap, ...args], input);
    }

    const linesWith = (printed: string, word: string) =>
      printed.split("\n").filter((line) => line.includes(word));

    test.concurrent(
      "TopicCommand creates, describes, lists, adds partitions and deletes",
      async () => {
        const topic = name("topics");
        await run(TOPICS, [
          "--create",
          "--topic",
          topic,
          "--partitions",
          "2",
          "--config",
          "retention.ms=3600000",
        ]);
        await run(TOPICS, ["--alter", "--topic", topic, "--partitions", "3"]);
        const described = linesWith(await run(TOPICS, ["--describe", "--topic", topic]), topic);
        expect(described[0]).toContain("PartitionCount: 3");
        expect(described[0]).toContain("retention.ms=3600000");
        expect(described.slice(1).map((line) => /Partition: (\d+)\tLeader: \d+/.exec(line)![1])).toEqual([
          "0",
          "1",
          "2",
        ]);
        await run(TOPICS, ["--delete", "--topic", topic]);
        expect(linesWith(await run(TOPICS, ["--list"]), topic)).toEqual([]);
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      "ConfigCommand changes settings of a topic and takes them back",
      async () => {
        const topic = name("configs");
        const entity = ["--entity-type", "topics", "--entity-name", topic];
        const settingsOf = async () => {
          const printed = await run("kafka.admin.ConfigCommand", ["--describe", ...entity]);
          return printed
            .split("\n")
            .slice(1)
            .map((line) => line.trim().split(" ")[0])
            .filter(Boolean)
            .sort();
        };
        await run(TOPICS, ["--create", "--topic", topic, "--partitions", "1"]);
        const values = ["max.message.bytes=2000000", "message.timestamp.type=LogAppendTime"];
        await run("kafka.admin.ConfigCommand", ["--alter", ...entity, "--add-config", values.join(",")]);
        expect(await settingsOf()).toEqual(values);
        await run("kafka.admin.ConfigCommand", [
          "--alter",
          ...entity,
          "--delete-config",
          "max.message.bytes",
        ]);
        expect(await settingsOf()).toEqual(values.slice(1));
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      "the console clients carry lines, and ConsumerGroupCommand lists, describes, resets and deletes the group",
      async () => {
        const [topic, group] = [name("console"), name("group")];
        await run(TOPICS, ["--create", "--topic", topic, "--partitions", "1"]);
        await run(
          `${TOOLS}.ConsoleProducer`,
          ["--topic", topic, "--reader-property", "parse.key=true"],
          "k1\ta\nk2\tb\nk3\tc\n",
        );
        const consume = ["--topic", topic, "--group", group, "--from-beginning", "--max-messages"];
        expect(await run(CONSOLE_CONSUMER, [...consume, "2"])).toBe("a\nb\n");
        expect(await run(CONSOLE_CONSUMER, [...consume, "1", "--formatter-property", "print.key=true"])).toBe(
          "k3\tc\n",
        );
        expect((await run(GROUPS, ["--list"])).split("\n")).toContain(group);
        const described = linesWith(await run(GROUPS, ["--describe", "--group", group]), topic);
        expect(described[0]!.trim().split(/\s+/).slice(0, 6)).toEqual([group, topic, "0", "3", "3", "0"]);
        expect(await run(GROUPS, ["--describe", "--state", "--group", group])).toContain("Empty");
        const reset = [
          "--reset-offsets",
          "--group",
          group,
          "--topic",
          topic,
          "--to-offset",
          "1",
          "--execute",
        ];
        expect(
          linesWith(await run(GROUPS, reset), topic)[0]!
            .trim()
            .split(/\s+/),
        ).toEqual([group, topic, "0", "1"]);
        await run(GROUPS, ["--delete", "--group", group]);
        expect((await run(GROUPS, ["--list"])).split("\n")).not.toContain(group);
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      "the verifiable clients agree about every record",
      async () => {
        const topic = name("verifiable");
        await run(TOPICS, ["--create", "--topic", topic, "--partitions", "3"]);
        const produced = await run(`${TOOLS}.VerifiableProducer`, [
          "--topic",
          topic,
          "--max-messages",
          "1000",
        ]);
        expect(linesWith(produced, "tool_data").at(-1)).toContain('"sent":1000,"acked":1000');
        const consume = ["--topic", topic, "--group-id", name("verified"), "--max-messages", "1000"];
        const consumed = await run(`${TOOLS}.VerifiableConsumer`, [...consume, "--reset-policy", "earliest"]);
        const counts = linesWith(consumed, "records_consumed").map(
          (line) => JSON.parse(line).count as number,
        );
        expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1000);
        expect(
          linesWith(consumed, "offsets_committed").every((line) => JSON.parse(line).success === true),
        ).toBe(true);
      },
      TIMEOUT_MS,
    );

    test.concurrent(
      "the performance clients, GetOffsetShell, DeleteRecordsCommand and LogDirsCommand find what they look for",
      async () => {
        const topic = name("performance");
        await run(TOPICS, ["--create", "--topic", topic, "--partitions", "1"]);
        const load = ["--num-records", "5000", "--record-size", "100", "--throughput", "-1"];
        const produced = await run(`${TOOLS}.ProducerPerformance`, ["--topic", topic, ...load]);
        expect(produced).toContain("5000 records sent");
        const consumed = await run(`${TOOLS}.ConsumerPerformance`, [
          "--topic",
          topic,
          "--num-records",
          "5000",
        ]);
        expect(consumed.trim().split("\n").at(-1)!.split(", ")[4]).toBe("5000");
        expect(await run(`${TOOLS}.GetOffsetShell`, ["--topic", topic])).toBe(`${topic}:0:5000\n`);
        const file = `/dev/stdin`;
        const records = JSON.stringify({ version: 1, partitions: [{ topic, partition: 0, offset: 4000 }] });
        const deleted = await run(`${TOOLS}.DeleteRecordsCommand`, ["--offset-json-file", file], records);
        expect(deleted).toContain("low_watermark: 4000");
        expect(await run(`${TOOLS}.GetOffsetShell`, ["--topic", topic, "--time", "earliest"])).toBe(
          `${topic}:0:4000\n`,
        );
        const logs = await run(`${TOOLS}.LogDirsCommand`, ["--describe", "--topic-list", topic]);
        const { brokers } = JSON.parse(linesWith(logs, '"brokers"')[0]!) as {
          brokers: { logDirs: { partitions: object[] }[] }[];
        };
        expect(brokers[0]!.logDirs.flatMap(({ partitions }) => partitions)).toMatchObject([
          { partition: `${topic}-0` },
        ]);
      },
      TIMEOUT_MS,
    );
  },
);
