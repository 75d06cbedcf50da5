/**
 * `obelisk consume --group` in one group with kcat (librdkafka) and the console consumer of Apache Kafka:
 * three members, each with its share, two of them leave one by one. Against our server and against Apache Kafka.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { BROKER_KINDS, type RunningBroker } from "../support/broker-kinds.ts";
import { KAFKA_TOOLS } from "../support/foreign-clients.ts";
import { compiled, fromSources, startObelisk } from "../support/obelisk-command.ts";
import { RunningReader } from "../support/running-reader.ts";

const PARTITIONS = 6;
const RECORDS = 120;
const WAIT_MS_MAX = 40_000;
const program = compiled.missing === undefined ? compiled : fromSources;
const kcat = Bun.which("kcat");
const clientMissing = kcat === null ? "kcat is not installed" : KAFKA_TOOLS.missing;

for (const kind of BROKER_KINDS) {
  const reason = kind.missing ?? clientMissing;
  const title = reason === undefined ? kind.name : `${kind.name} (skipped: ${reason})`;

  describe.skipIf(reason !== undefined)(`a group of ${title}`, () => {
    let broker: RunningBroker;
    let admin: Admin;
    let producer: Producer;
    beforeAll(async () => {
      broker = await kind.start();
      admin = await Admin.connect({ brokers: broker.address });
      producer = await Producer.connect({ brokers: broker.address });
    }, 60_000);
    afterAll(async () => {
      await producer.close();
      await admin.close();
      await broker.stop();
    });

    test("its records come once, to obelisk consume, kcat or the Java console, while they join and leave", async () => {
      const topic = "foreign";
      const group = "shared";
      await admin.createTopic({ name: topic, partitions: PARTITIONS });
      const own = new RunningReader(
        startObelisk(
          ["consume", topic, "--mode=continuous", `--group=${group}`, "--brokers", broker.address],
          { program },
        ),
      );
      await own.until(() => own.stderr.includes(`reading ${topic} 0-5\n`));
      const others = [startKcat(topic, group), startConsole(topic, group)];
      const members = [own, ...others];
      await shares(group, [2, 2, 2]);
      await produce(topic, 0);
      await until("the first records", () => numbersOf(members).length >= RECORDS);
      expect(members.map(({ lines }) => lines.length)).toEqual([RECORDS / 3, RECORDS / 3, RECORDS / 3]);
      await others[0]!.interrupt();
      await shares(group, [3, 3]);
      await produce(topic, RECORDS);
      await until("the second records", () => numbersOf(members).length >= 2 * RECORDS);
      await others[1]!.interrupt();
      await own.until(() => own.stderr.trimEnd().endsWith(`reading ${topic} 0-5`));
      await produce(topic, 2 * RECORDS);
      await until("the third records", () => numbersOf(members).length >= 3 * RECORDS);
      expect(await own.interrupt()).toBe(0);
      expect(numbersOf(members).toSorted((one, other) => one - other)).toEqual(
        Array.from({ length: 3 * RECORDS }, (_, index) => index),
      );
      expect(own.stderr).toContain(`obelisk: group ${group}: rebalancing\n`);
      const committed = await admin.groupOffsets(group, null);
      expect(committed.reduce((sum, { offset }) => sum + offset, 0)).toBe(3 * RECORDS);
    }, 120_000);

    function startKcat(topic: string, group: string): RunningReader {
      const command = [
        kcat!,
        "-b",
        broker.address,
        "-u",
        "-X",
        "auto.offset.reset=earliest",
        "-G",
        group,
        topic,
      ];
      return startOther(command);
    }

    function startConsole(topic: string, group: string): RunningReader {
      const from = [
        "--bootstrap-server",
        broker.address,
        "--topic",
        topic,
        "--group",
        group,
        "--from-beginning",
      ];
      return startOther(KAFKA_TOOLS.commandOf("org.apache.kafka.tools.consumer.ConsoleConsumer", from));
    }

    function startOther(command: string[]): RunningReader {
      return new RunningReader(Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" }));
    }

    /** Numbers from `first` on, as many in each partition. */
    async function produce(topic: string, first: number): Promise<void> {
      for (let index = 0; index < RECORDS; index += 1)
        await producer.send(topic, { value: `${first + index}`, partition: index % PARTITIONS });
    }

    async function shares(group: string, expected: readonly number[]): Promise<void> {
      await until(`shares of ${expected}`, async () => {
        const description = await admin.describeGroup(group);
        const counts = description?.members.map(({ partitions }) => partitions?.length ?? 0) ?? [];
        return description?.state === "Stable" && `${counts}` === `${expected}`;
      });
    }
  });
}

function numbersOf(members: readonly RunningReader[]): number[] {
  return members.flatMap(({ lines }) => lines.map(Number));
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await Bun.sleep(20);
  }
}
