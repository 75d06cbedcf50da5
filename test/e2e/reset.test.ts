/** `obelisk reset` as a user meets it: the change is shown, made only when confirmed, and seen by the next consumer. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { FakeBroker } from "../client/fake-broker.ts";
import { compiled, fromSources, runObelisk } from "../support/obelisk-command.ts";
import { startHere, type TestServer } from "../support/server.ts";

let server: TestServer;
let admin: Admin;
beforeAll(async () => {
  server = await startHere();
  admin = await Admin.connect({ brokers: server.kafka });
  await admin.createTopic({ name: "t", partitions: 2 });
  const producer = await Producer.connect({ brokers: server.kafka });
  for (let index = 0; index < 10; index += 1)
    await producer.send("t", { value: `${index}`, partition: 0, timestampMs: 1000 + index });
  await producer.send("t", { value: "other", partition: 1, timestampMs: 5000 });
  await producer.close();
});
afterAll(async () => {
  await admin.close();
  await server.stop();
});

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const reset = (...args: string[]) =>
    runObelisk(["reset", "--topic=t", "--brokers", server.kafka, ...args], { program });

  describe.skipIf(program.missing !== undefined)(`reset, ${title}`, () => {
    test("shows the change, makes it with --yes, and the next consumer goes on from there", async () => {
      const group = `moves-${program.name}`;
      await admin.setGroupOffsets(group, [{ topic: "t", partition: 0, offset: 10 }]);
      expect(await reset("--group", group, "--to=1007ms", "--yes")).toEqual({
        exitCode: 0,
        stdout: [
          `group ${group}`,
          "topic  partition  from  to",
          "t              0    10   7",
          "t              1  none   0",
          "done",
          "",
        ].join("\n"),
        stderr: "",
      });
      const consumed = await runObelisk(
        ["consume", "t", "--group", group, "--partition=0", "--brokers", server.kafka],
        { program },
      );
      expect(consumed.stdout).toBe("7\n8\n9\n");
    });

    test("keeps offsets within the partition and says so, as JSON too", async () => {
      const group = `clamps-${program.name}`;
      const { exitCode, stdout } = await reset(
        "--group",
        group,
        "--to=99",
        "--partition=0",
        "--yes",
        "--json",
      );
      expect([exitCode, JSON.parse(stdout)]).toEqual([
        0,
        {
          event: "reset",
          group,
          changed: true,
          partitions: [{ topic: "t", partition: 0, from: -1, to: 10, note: "99 is after the end offset" }],
        },
      ]);
      const again = await reset("--group", group, "--to=latest", "--partition=0", "--yes");
      expect(again.stdout).toEndWith("nothing to change\n");
    });

    test("without a terminal and --yes nothing happens", async () => {
      const group = `asks-${program.name}`;
      expect(await reset("--group", group, "--to=earliest")).toEqual({
        exitCode: 64,
        stdout: "",
        stderr:
          "obelisk: cannot ask for confirmation: standard input is not a terminal; add --yes to reset without asking\n",
      });
      expect(await admin.groupOffsets(group, null)).toEqual([]);
    });

    test("a group with active members is refused, and says what to do", async () => {
      using broker = new FakeBroker();
      const place = { partitionIndex: 0, errorCode: 0 };
      const topicOf = (partition: object) => [{ name: "t", partitions: [partition] }];
      broker.on("FindCoordinator", () => ({
        response: { coordinators: [{ key: "g", nodeId: 1, ...broker.advertised, errorCode: 0 }] },
      }));
      broker.on("OffsetFetch", () => ({
        response: {
          groups: [{ groupId: "g", topics: topicOf({ ...place, committedOffset: 5, metadata: "" }) }],
        },
      }));
      broker.on("ListOffsets", () => ({ response: { topics: topicOf({ ...place, offset: 9 }) } }));
      broker.on("OffsetCommit", () => ({ response: { topics: topicOf({ ...place, errorCode: 25 }) } }));
      const flags = ["--topic=t", "--group=g", "--to=latest", "--yes", "--brokers", broker.address];
      const { exitCode, stderr } = await runObelisk(["reset", ...flags], { program });
      expect([exitCode, stderr]).toEqual([
        2,
        "obelisk: the group g has active members, which would overwrite the change; stop its consumers, then try again\n",
      ]);
    });

    test("no such topic and no such partition are exit code 1", async () => {
      const line = async (...args: string[]) => {
        const { exitCode, stderr } = await runObelisk(
          ["reset", "--brokers", server.kafka, "--to=1", "--yes", ...args],
          { program },
        );
        return [exitCode, stderr];
      };
      expect(await line("--topic=nowhere")).toEqual([1, "obelisk: topic nowhere does not exist\n"]);
      expect(await line("--topic=t", "--partition=2")).toEqual([
        1,
        "obelisk: the topic has 2 partitions, numbered from 0 (partition t-2)\n",
      ]);
    });
  });
}
