/**
 * `obelisk topic`, `group` and `cluster` as a user meets them, against our server and against Apache Kafka: what is printed for
 * people, what for --json, the exit codes, and what the broker has afterwards.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { consumerGroupHeartbeatApi } from "../../src/protocol/kafka/apis/consumer-group-heartbeat.ts";
import { BROKER_KINDS, type RunningBroker } from "../support/broker-kinds.ts";
import { compiled, type Ended, fromSources, runObelisk } from "../support/obelisk-command.ts";

/** Many processes one after another, on a machine that is busy. */
setDefaultTimeout(60_000);

for (const kind of BROKER_KINDS) {
  const title = kind.missing === undefined ? kind.name : `${kind.name} (skipped: ${kind.missing})`;

  describe.skipIf(kind.missing !== undefined)(`commands against ${title}`, () => {
    let broker: RunningBroker;
    let admin: Admin;
    beforeAll(async () => {
      broker = await kind.start();
      admin = await Admin.connect({ brokers: broker.address });
    }, 60_000);
    afterAll(async () => {
      await admin.close();
      await broker.stop();
    });

    const run = (...args: string[]): Promise<Ended> => runObelisk([...args, "--brokers", broker.address]);
    const lines = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await run(...args);
      expect([exitCode, stderr]).toEqual([0, ""]);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    };
    /** Kafka's brokers hear of a topic later than whoever created it. */
    const untilListed = async (stdout: string) => {
      for (;;) if ((await run("topic", "list", "--regex", "^made-")).stdout === stdout) return;
    };
    const fill = async (topic: string, count: number) => {
      const producer = await Producer.connect({ brokers: broker.address });
      for (let index = 0; index < count; index += 1)
        await producer.send(topic, { value: `${index}`, partition: 0, timestampMs: 1000 + index });
      await producer.close();
    };

    test("topics are created, listed and deleted", async () => {
      expect(await run("topic", "create", "made-1", "made-2", "--partitions=2", "--replicas=1")).toEqual({
        exitCode: 0,
        stdout: "created topic made-1\ncreated topic made-2\n",
        stderr: "",
      });
      await untilListed(
        "topic   partitions  replicas\nmade-1           2         1\nmade-2           2         1\n",
      );
      expect(await lines("topic", "list", "made-1", "--json")).toEqual([
        { topic: "made-1", id: expect.any(String), partitions: 2, replicas: 1, isInternal: false },
      ]);
      expect((await run("topic", "delete", "--regex", "^made-", "--yes")).stdout).toBe(
        "deleted topic made-1\ndeleted topic made-2\n",
      );
      await untilListed("");
    });

    test("a topic that is there already is exit code 1, unless it may be; the others are created", async () => {
      await admin.createTopic({ name: "there", partitions: 1 });
      const again = await run("topic", "create", "there", "beside", "--json");
      expect([again.exitCode, again.stderr]).toEqual([1, expect.stringContaining("there")]);
      expect(
        again.stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ).toEqual([
        { topic: "there", error: { code: "TOPIC_ALREADY_EXISTS", message: expect.any(String) } },
        { topic: "beside", created: true, dryRun: false },
      ]);
      expect(await lines("topic", "create", "there", "--if-not-exists", "--json")).toEqual([
        { topic: "there", created: false, dryRun: false },
      ]);
      expect(await lines("topic", "create", "dry", "--dry-run", "--json")).toEqual([
        { topic: "dry", created: false, dryRun: true },
      ]);
      expect(await admin.describeTopic("dry")).toBeUndefined();
    });

    test("a setting is changed and shown with its source", async () => {
      await admin.createTopic({ name: "set", partitions: 1, configs: { "retention.ms": "60000" } });
      expect(
        (await run("topic", "alter", "set", "--set=segment.ms=70000", "--unset=retention.ms")).stdout,
      ).toBe("altered topic set\n");
      const [described] = await lines("topic", "describe", "set", "--json");
      const { settings } = described as { settings: { name: string; value: string; source: string }[] };
      const found = (name: string) => settings.find((one) => one.name === name);
      expect([found("segment.ms"), found("retention.ms")]).toMatchObject([
        { value: "70000", source: "topic" },
        { value: "604800000" },
      ]);
      const wrong = await run("topic", "alter", "set", "--set=nonsense=1");
      expect([wrong.exitCode, wrong.stderr]).toEqual([64, expect.stringContaining("nonsense")]);
    });

    test("a topic is described with leaders, offsets and sizes", async () => {
      await admin.createTopic({ name: "shown", partitions: 2 });
      await fill("shown", 3);
      const [described] = await lines("topic", "describe", "shown", "--json");
      expect(described).toMatchObject({
        topic: "shown",
        size: expect.any(Number),
        partitions: [
          { partition: 0, leader: expect.any(Number), start: 0, end: 3, size: expect.any(Number) },
          { partition: 1, start: 0, end: 0 },
        ],
      });
      const { stdout } = await run("topic", "describe", "shown");
      expect(stdout).toMatch(/^topic {7}shown\nid {10}\S+\npartitions {2}2\nreplicas {4}1\nsize {8}\d+ B\n/);
      expect(stdout).toMatch(/\ncleanup\.policy +delete +default\n/);
      const nowhere = await run("topic", "describe", "nowhere");
      expect([nowhere.exitCode, nowhere.stderr]).toEqual([
        1,
        "obelisk: topic nowhere does not exist; `obelisk topic list` shows those that there are\n",
      ]);
    });

    test("partitions are added, and never taken away", async () => {
      await admin.createTopic({ name: "grows", partitions: 1 });
      expect((await run("topic", "add-partitions", "grows", "--num=2")).stdout).toBe(
        "topic grows: from 1 to 3 partitions\n",
      );
      expect(await lines("topic", "add-partitions", "grows", "--to=5", "--json", "--dry-run")).toEqual([
        { topic: "grows", from: 3, to: 5, dryRun: true },
      ]);
      expect((await admin.describeTopic("grows"))?.partitions).toHaveLength(3);
      expect((await run("topic", "add-partitions", "grows", "--to=2")).exitCode).toBe(64);
    });

    test("records before an offset are deleted, and what would go is shown", async () => {
      await admin.createTopic({ name: "long", partitions: 2 });
      await fill("long", 5);
      expect(await run("topic", "trim", "long", "--before=1002ms", "--yes")).toEqual({
        exitCode: 0,
        stdout: [
          "topic  partition  start  new start  end",
          "long           0      0          2    5",
          "long           1      0          0    0  no record is that new",
          "done",
          "",
        ].join("\n"),
        stderr: "",
      });
      expect(
        await lines("topic", "trim", "long", "--before=latest", "--partition=0", "--yes", "--json"),
      ).toEqual([
        {
          topic: "long",
          trimmed: true,
          partitions: [{ partition: 0, start: 2, end: 5, to: 5, records: 3, note: "" }],
        },
      ]);
      expect((await run("topic", "trim", "long", "--before=latest")).exitCode).toBe(64);
    });

    test("a group without members is listed, described, moved and deleted", async () => {
      await admin.createTopic({ name: "read", partitions: 2 });
      await fill("read", 4);
      await admin.setGroupOffsets("readers", [{ topic: "read", partition: 0, offset: 3 }]);
      const listed = await lines("group", "list", "--json");
      expect(listed.find(({ group }: { group: string }) => group === "readers")).toMatchObject({
        state: "Empty",
      });
      expect(await lines("group", "describe", "readers", "--json")).toEqual([
        {
          group: "readers",
          type: "classic",
          state: "Empty",
          protocolType: expect.any(String),
          assignor: "",
          coordinator: expect.stringMatching(new RegExp(`:${broker.address.split(":")[1]}$`)),
          members: [],
          lag: 1,
          isLagComplete: true,
          partitions: [{ topic: "read", partition: 0, committed: 3, end: 4, lag: 1, memberId: null }],
        },
      ]);
      expect((await run("group", "seek", "readers", "--by=-2", "--yes")).stdout).toBe(
        "group readers\ntopic  partition  from  to\nread           0     3   1\ndone\n",
      );
      expect(
        await lines("group", "seek", "readers", "--to=latest", "--topic=read", "--yes", "--json"),
      ).toEqual([
        {
          group: "readers",
          changed: true,
          partitions: [
            { topic: "read", partition: 0, from: 1, to: 4, note: "" },
            { topic: "read", partition: 1, from: -1, to: 0, note: "" },
          ],
        },
      ]);
      expect(await run("group", "delete", "readers", "nobody", "--yes")).toEqual({
        exitCode: 1,
        stdout: "deleted group readers\n",
        stderr: "obelisk: group nobody does not exist; `obelisk group list` shows those that there are\n",
      });
    });

    test("a group of the newer protocol is described with its members, and not moved under them", async () => {
      await admin.createTopic({ name: "next", partitions: 2 });
      const connection = await admin.cluster.attempt(() => admin.cluster.coordinator("newer"));
      // Kafka's coordinator may hear of the topic later than we.
      for (let memberEpoch = 0, hasPartitions = false; !hasPartitions; ) {
        const heartbeat = await connection.request(consumerGroupHeartbeatApi, {
          groupId: "newer",
          memberId: "AAAAAAAAAAAAAAAAAAAAAA",
          memberEpoch,
          rebalanceTimeoutMs: 30_000,
          subscribedTopicNames: ["next"],
          topicPartitions: [],
        });
        expect(heartbeat.errorCode).toBe(0);
        memberEpoch = heartbeat.memberEpoch;
        hasPartitions = (heartbeat.assignment?.topicPartitions.length ?? 0) > 0;
        if (!hasPartitions) await Bun.sleep(20);
      }
      const [group] = await lines("group", "describe", "newer", "--json");
      expect(group).toMatchObject({
        type: "consumer",
        assignor: "uniform",
        lag: null,
        members: [
          { memberId: "AAAAAAAAAAAAAAAAAAAAAA", clientId: "obelisk", partitions: [{ topic: "next" }, {}] },
        ],
        partitions: [
          { topic: "next", partition: 0, committed: null, end: 0, lag: null },
          { topic: "next", partition: 1, committed: null, end: 0, lag: null },
        ],
      });
      expect(await run("group", "seek", "newer", "--to=latest", "--topic=next", "--yes")).toEqual({
        exitCode: 2,
        stdout: "",
        stderr:
          "obelisk: the group newer has active members, which would overwrite the change; stop its consumers, then try again\n",
      });
    });

    test("the cluster and its settings are shown", async () => {
      const [info] = await lines("cluster", "info", "--json");
      const port = broker.address.split(":")[1];
      expect(info).toMatchObject({
        clusterId: expect.any(String),
        brokers: [{ id: expect.any(Number), host: expect.any(String), port: Number(port), rack: null }],
        topics: expect.any(Number),
        partitions: expect.any(Number),
        apis: expect.arrayContaining([{ key: 18, name: "ApiVersions", versionMin: 0, versionMax: 4 }]),
      });
      expect((await run("cluster", "info", "--apis")).stdout).toMatch(/\n {1,4}\d+ {2}ApiVersions +0-4\n/);
      expect((await run("cluster", "config", "list")).stdout).toMatch(/^setting +value +source\n/);
      const retention = await run("cluster", "config", "get", "log.retention.ms");
      expect(retention.exitCode).toBe(0);
      const wrong = await run("cluster", "config", "get", "log.retention.mss");
      expect(wrong).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: "obelisk: there is no setting log.retention.mss, did you mean log.retention.ms?\n",
      });
    });
  });
}

for (const program of [fromSources, compiled]) {
  describe.skipIf(program.missing !== undefined)(`groups of commands, ${program.name}`, () => {
    test("a group without a command shows its help, an unknown command the nearest", async () => {
      const alone = await runObelisk(["topic"], { program });
      expect([alone.exitCode, alone.stdout]).toEqual([64, ""]);
      expect(alone.stderr).toStartWith("List, describe, create, change and delete topics.\n\nUsage\n");
      for (const args of [
        ["topic", "--help"],
        ["help", "topic"],
      ])
        expect((await runObelisk(args, { program })).stdout).toBe(alone.stderr);
      expect((await runObelisk(["cluster", "config", "lst"], { program })).stderr).toBe(
        "obelisk: unknown command `cluster config lst`; did you mean `cluster config list`?\n",
      );
      const help = await runObelisk(["topic", "trim", "--help"], { program });
      expect(help.stdout).toContain("Usage\n  obelisk topic trim [FLAGS] TOPIC\n");
    });

    test("nothing is taken away without --yes or a terminal, before any connection", async () => {
      for (const args of [
        ["topic", "delete", "t"],
        ["topic", "trim", "t", "--before=latest"],
        ["group", "delete", "g"],
        ["group", "seek", "g", "--to=latest"],
      ]) {
        expect(await runObelisk([...args, "--brokers=127.0.0.1:1"], { program })).toEqual({
          exitCode: 64,
          stdout: "",
          stderr:
            "obelisk: cannot ask for confirmation: standard input is not a terminal; add --yes to do it without asking\n",
        });
      }
    });
  });
}
