/**
 * `obelisk consume --group` as a member of a group, beside other members: two of its own kind, and kafkajs. Against our server and
 * against Apache Kafka. Every record is printed by one member, and what one gives up the next one goes on with.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Kafka, logLevel } from "kafkajs";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { FakeBroker } from "../client/fake-broker.ts";
import { BROKER_KINDS, type RunningBroker } from "../support/broker-kinds.ts";
import { compiled, fromSources, runObelisk, startObelisk } from "../support/obelisk-command.ts";
import { RunningReader } from "../support/running-reader.ts";

const program = compiled.missing === undefined ? compiled : fromSources;
const start = (args: readonly string[]) => new RunningReader(startObelisk(args, { program }));

for (const kind of BROKER_KINDS) {
  const title = kind.missing === undefined ? kind.name : `${kind.name} (skipped: ${kind.missing})`;

  describe.skipIf(kind.missing !== undefined)(`a member of a group of ${title}`, () => {
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

    const read = (topic: string, group: string, ...more: string[]) =>
      start([
        "consume",
        topic,
        "--mode=continuous",
        `--group=${group}`,
        "--brokers",
        broker.address,
        ...more,
      ]);
    /** One record for each partition. */
    const produce = async (topic: string, partitions: number, value: string) => {
      for (let partition = 0; partition < partitions; partition += 1)
        await producer.send(topic, { value: `${value}-${partition}`, partition });
    };

    test("two share the partitions, and who is left goes on with all of them", async () => {
      await admin.createTopic({ name: "shared", partitions: 4 });
      const first = read("shared", "g");
      await first.until(() => first.stderr.includes("reading shared 0-3\n"));
      const second = read("shared", "g");
      await second.until(() => second.stderr.includes("reading shared"));
      await first.until(() => first.stderr.split("reading shared").length === 3);
      await produce("shared", 4, "both");
      await first.until(() => first.lines.length === 2);
      await second.until(() => second.lines.length === 2);
      expect([...first.lines, ...second.lines].toSorted()).toEqual(["both-0", "both-1", "both-2", "both-3"]);

      expect(await second.interrupt()).toBe(0);
      await first.until(() => first.stderr.split("reading shared 0-3\n").length === 3);
      await produce("shared", 4, "one");
      await first.until(() => first.lines.length === 6);
      expect(first.lines.slice(2).toSorted()).toEqual(["one-0", "one-1", "one-2", "one-3"]);
      expect(first.stderr).toContain("obelisk: group g: rebalancing\n");
      expect(await first.interrupt()).toBe(0);
      const committed = await admin.groupOffsets("g", null);
      expect(committed.map(({ offset }) => offset)).toEqual([2, 2, 2, 2]);
    }, 60_000);

    test("a member of mode poll ends at the end offsets, and the next one goes on after it", async () => {
      await admin.createTopic({ name: "polled", partitions: 2 });
      await produce("polled", 2, "a");
      const poll = () =>
        runObelisk(["consume", "polled", "--group=p", "--brokers", broker.address], { program });
      const first = await poll();
      expect([first.exitCode, first.stdout.trimEnd().split("\n").toSorted(), first.stderr]).toEqual([
        0,
        ["a-0", "a-1"],
        "",
      ]);
      await producer.send("polled", { value: "later", partition: 1 });
      expect(await poll()).toEqual({ exitCode: 0, stdout: "later\n", stderr: "" });
      const { stdout } = await runObelisk(
        ["consume", "polled", "--group=p", "--from=earliest", "--brokers", broker.address],
        { program },
      );
      expect(stdout.trimEnd().split("\n")).toHaveLength(3);
    }, 60_000);

    test("it shares a group with kafkajs, whoever leads", async () => {
      await admin.createTopic({ name: "mixed", partitions: 4 });
      const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING });
      for (const leads of ["obelisk", "kafkajs"] as const) {
        const group = `mixed-${leads}`;
        const seen: string[] = [];
        const consumer = kafka.consumer({ groupId: group, rebalanceTimeout: 20_000, heartbeatInterval: 500 });
        const startKafkajs = async () => {
          const joined = Promise.withResolvers<void>();
          consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
          await consumer.connect();
          await consumer.subscribe({ topics: ["mixed"], fromBeginning: false });
          await consumer.run({
            eachMessage: async ({ message }) => {
              seen.push(`${message.value}`);
            },
          });
          await joined.promise;
        };
        let own: RunningReader;
        if (leads === "obelisk") {
          own = read("mixed", group, "--from=latest");
          await own.until(() => own.stderr.includes("reading mixed 0-3\n"));
          await startKafkajs();
          await own.until(() => own.stderr.split("reading mixed").length === 3);
        } else {
          await startKafkajs();
          own = read("mixed", group, "--from=latest");
          await own.until(() => own.stderr.includes("reading mixed"));
        }
        const description = await admin.describeGroup(group);
        expect(description).toMatchObject({ state: "Stable", assignor: "RoundRobinAssigner" });
        expect(description?.members.map(({ partitions }) => partitions?.length)).toEqual([2, 2]);
        // kafkajs looks up its start when it first fetches: what comes before that is not latest to it.
        await produce("mixed", 4, leads);
        await own.until(() => own.lines.length === 2);
        expect(own.lines.every((line) => line.startsWith(leads))).toBe(true);
        await consumer.disconnect();
        await own.until(() => own.stderr.trimEnd().endsWith("reading mixed 0-3"));
        expect(await own.interrupt()).toBe(0);
      }
    }, 90_000);

    test("a static member comes back to its partitions without a rebalance", async () => {
      await admin.createTopic({ name: "static", partitions: 2 });
      const first = read("static", "s", "--instance=one");
      await first.until(() => first.stderr.includes("generation 1"));
      expect((await admin.describeGroup("s"))?.members).toMatchObject([{ instanceId: "one" }]);
      await first.interrupt();
      const again = read("static", "s", "--instance=one");
      await again.until(() => again.stderr.includes("reading static 0-1\n"));
      expect(again.stderr).toContain("generation 1 ");
      await again.interrupt();
    }, 60_000);
  });
}

describe("a broker without group membership", () => {
  test("is read as by a group without members, with a line that says so; a static member is refused", async () => {
    using broker = new FakeBroker();
    const place = { partitionIndex: 0, errorCode: 0 };
    const topics = (partition: object) => [{ name: "t", partitions: [partition] }];
    broker.on("FindCoordinator", () => ({
      response: { coordinators: [{ key: "g", nodeId: 1, ...broker.advertised, errorCode: 0 }] },
    }));
    broker.on("OffsetFetch", () => ({ response: { groups: [{ groupId: "g", topics: [] }] } }));
    broker.on("ListOffsets", () => ({ response: { topics: topics({ ...place, offset: 0 }) } }));
    broker.on("Fetch", () => "silence");
    const args = ["consume", "t", "--mode=continuous", "--group=g", "--brokers", broker.address];
    const reader = start(args);
    await reader.until(() => reader.stderr.includes("\n"));
    expect(reader.stderr).toBe(
      "obelisk: the broker has no group membership: reading all partitions, and committing for the group g as for one without members\n",
    );
    expect(await reader.interrupt()).toBe(0);
    expect(await runObelisk([...args, "--instance=one"], { program })).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: "obelisk: the broker has no group membership (JoinGroup); leave out --instance\n",
    });
  });
});
