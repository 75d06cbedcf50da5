/**
 * `obelisk consume` meets batches that were acknowledged and do not open, output that cannot be written, a reader that does not
 * read, and partitions that do not hold what was requested.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { batchOf } from "../support/batches.ts";
import { sendBatch, undecodableBatch, understatedBatch } from "../support/garbled-batches.ts";
import { compiled, fromSources, runObelisk, startObelisk } from "../support/obelisk-command.ts";
import { startHere, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startHere();
});
afterAll(() => server.stop());

async function create(topic: string, partitions = 1): Promise<void> {
  const admin = await Admin.connect({ brokers: server.kafka });
  await admin.createTopic({ name: topic, partitions });
  await admin.close();
}

async function fill(topic: string, counts: readonly number[]): Promise<void> {
  await create(topic, counts.length);
  const producer = await Producer.connect({ brokers: server.kafka });
  await Promise.all(
    counts.flatMap((count, partition) =>
      Array.from({ length: count }, (_, index) =>
        producer.send(topic, { value: `${partition}/${index}`, partition }),
      ),
    ),
  );
  await producer.close();
}

/** One good record, a batch that cannot be read, one good record. */
async function fillAround(topic: string, bad: Buffer): Promise<void> {
  await create(topic);
  await sendBatch(server.kafkaPort, topic, batchOf(["before"]));
  await sendBatch(server.kafkaPort, topic, bad);
  await sendBatch(server.kafkaPort, topic, batchOf(["after"]));
}

for (const program of [fromSources, compiled]) {
  const suffix = program === compiled ? "compiled" : "sources";
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const consume = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await runObelisk(["consume", "--brokers", server.kafka, ...args], {
      program,
    });
    return [exitCode, stdout, stderr];
  };

  describe.skipIf(program.missing !== undefined)(`consume, ${title}`, () => {
    test("a batch that holds more records than it says is reported once, and skipped on request", async () => {
      const topic = `understated-${suffix}`;
      await fillAround(topic, understatedBatch());
      const words = `record 1 cannot be read: the batch does not decode, as its producer sent it (bytes follow the last record) (partition ${topic}-0)`;
      const remedy = "add --skip-unreadable to skip such batches";
      expect(await consume(topic)).toEqual([2, "before\n", `obelisk: ${words}; ${remedy}\n`]);
      // What was printed is committed, and nothing beyond: the next one meets the batch again.
      expect(await consume(topic)).toEqual([2, "", `obelisk: ${words}; ${remedy}\n`]);
      expect(await consume(topic, "--skip-unreadable")).toEqual([
        0,
        "after\n",
        `obelisk: skipped: ${words}\n`,
      ]);
      expect(await consume(topic)).toEqual([0, "", ""]);
    });

    test("a group goes on after a batch that was skipped, also when nothing follows it", async () => {
      const topic = `undecodable-${suffix}`;
      await create(topic);
      await sendBatch(server.kafkaPort, topic, undecodableBatch(5));
      const [exitCode, stdout, stderr] = await consume(topic, "--skip-unreadable");
      expect([exitCode, stdout]).toEqual([0, ""]);
      expect(stderr).toStartWith(
        "obelisk: skipped: records 0 to 4 cannot be read: the batch does not decode",
      );
      expect(await consume(topic)).toEqual([0, "", ""]);
    });

    test("output that is closed or full is a failure, and nothing is committed", async () => {
      const topic = `output-${suffix}`;
      await fill(topic, [3]);
      const line = [...program.command, "consume", "--brokers", server.kafka, topic]
        .map((word) => `'${word}'`)
        .join(" ");
      for (const [redirection, reason] of [
        [">&-", "it is closed"],
        [">/dev/full", "ENOSPC: no space left on device"],
      ]) {
        const child = Bun.spawn(["bash", "-c", `${line} ${redirection}`], { stderr: "pipe" });
        const stderr = await new Response(child.stderr).text();
        expect(await child.exited).toBe(2);
        expect(stderr).toStartWith(`obelisk: standard output cannot be written: ${reason}`);
        expect(stderr.split("\n").length).toBe(2);
      }
      expect(await consume(topic)).toEqual([0, "0/0\n0/1\n0/2\n", ""]);
    });

    test("SIGTERM ends it while nobody reads its output, and what nobody took is not committed", async () => {
      const topic = `stuck-${suffix}`;
      await create(topic);
      const producer = await Producer.connect({ brokers: server.kafka });
      const value = "x".repeat(10_000);
      await Promise.all(Array.from({ length: 500 }, () => producer.send(topic, { value })));
      await producer.close();
      const args = ["consume", "--brokers", server.kafka, topic, "--mode=continuous", "--group=stuck"];
      const child = startObelisk(args, { program });
      const reader = child.stdout.getReader();
      await reader.read();
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
      expect(await new Response(child.stderr).text()).toContain(
        "has not taken everything; the rest is not committed",
      );
      const [exitCode, stdout] = await consume(topic, "--group=stuck");
      expect([exitCode, (stdout as string).length]).toEqual([0, 500 * 10_001]);
    });

    test("an offset that some partitions do not hold is read from the others, and told", async () => {
      const topic = `short-${suffix}`;
      await fill(topic, [5, 2]);
      expect(await consume(topic, "--from=3", "--no-commit")).toEqual([
        0,
        "0/3\n0/4\n",
        `obelisk: partition ${topic}-1 does not hold offset 3; reading from its end offset, 2\n`,
      ]);
      expect(await consume(topic, "--from=6", "--no-commit")).toEqual([
        2,
        "",
        `obelisk: the longest partition ends at offset 5 (partition ${topic}-0, offset 6)\n`,
      ]);
    });

    test("the environment says where and for whom, a flag says it louder, and settings of the server are passed over", async () => {
      const topic = `environment-${suffix}`;
      await fill(topic, [2]);
      const env = {
        OBELISK_BROKERS: server.kafka,
        OBELISK_GROUP: `of-env-${suffix}`,
        OBELISK_MEMORY: "none of its business",
      };
      const run = async (...args: string[]) => {
        const { exitCode, stdout, stderr } = await runObelisk(["consume", topic, ...args], { program, env });
        return [exitCode, stdout, stderr];
      };
      expect(await run()).toEqual([0, "0/0\n0/1\n", ""]);
      expect(await run()).toEqual([0, "", ""]);
      expect(await run(`--group=of-flag-${suffix}`)).toEqual([0, "0/0\n0/1\n", ""]);
      const misspelt = await runObelisk(["consume", topic], {
        program,
        env: { OBELISK_BROKER: server.kafka },
      });
      expect([misspelt.exitCode, misspelt.stderr]).toEqual([
        64,
        "obelisk: OBELISK_BROKER: unknown variable `OBELISK_BROKER`, did you mean `OBELISK_BROKERS`?\n",
      ]);
    });
  });
}
