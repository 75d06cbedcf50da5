/** `obelisk consume` as a user meets it: what goes in as lines comes out as lines, once for each group. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Admin } from "../../src/client/admin.ts";
import { Producer } from "../../src/client/producer.ts";
import { CODECS } from "../../src/protocol/record/compression.ts";
import { compiled, fromSources, runObelisk, startObelisk } from "../support/obelisk-command.ts";
import { realLines } from "../support/real-text.ts";
import { startHere, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startHere();
});
afterAll(async () => {
  await server.stop();
});

async function fill(topic: string, values: readonly string[], partitions = 1): Promise<void> {
  const admin = await Admin.connect({ brokers: server.kafka });
  await admin.createTopic({ name: topic, partitions });
  await admin.close();
  const producer = await Producer.connect({ brokers: server.kafka });
  await Promise.all(
    values.map((value, index) =>
      producer.send(topic, { value, partition: index % partitions, timestampMs: 1000 + index }),
    ),
  );
  await producer.close();
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `${from + index}`);
const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const suffix = program === compiled ? "compiled" : "sources";
  const consume = async (...args: string[]) => {
    const ended = await runObelisk(["consume", "--brokers", server.kafka, ...args], { program });
    expect(ended.stderr).toBe("");
    return [ended.exitCode, ended.stdout];
  };

  describe.skipIf(program.missing !== undefined)(`consume, ${title}`, () => {
    test("poll prints what is there once for each group, reset prints it again", async () => {
      const topic = `modes-${suffix}`;
      await fill(topic, numbers(50));
      const all = [0, text(numbers(50))];
      expect(await consume(`--topic=${topic}`, "--mode=poll")).toEqual(all);
      expect(await consume(`--topic=${topic}`, "--mode=poll")).toEqual([0, ""]);
      expect(await consume(topic, "--group=other")).toEqual(all);
      expect(await consume(`--topic=${topic}`, "--mode=reset")).toEqual(all);
      expect(await consume(`--topic=${topic}`, "--mode=poll")).toEqual([0, ""]);
    });

    test("--max commits what was printed and no more, also in the middle of a batch", async () => {
      const topic = `max-${suffix}`;
      await fill(topic, numbers(10));
      expect(await consume(topic, "--max=3")).toEqual([0, text(["0", "1", "2"])]);
      expect(await consume(topic, "--max=4", "--no-commit")).toEqual([0, text(["3", "4", "5", "6"])]);
      expect(await consume(topic)).toEqual([0, text(numbers(7, 3))]);
    });

    test("--filter prints what matches, and shows where it is not understood", async () => {
      const topic = `filter-${suffix}`;
      await fill(topic, ['{"n":1}', "text", '{"n":12}', '{"n":"12"}'], 2);
      const filtered = (filter: string, ...args: string[]) =>
        consume(topic, "--no-commit", `--filter=${filter}`, ...args);
      expect(await filtered("value.n > 5")).toEqual([0, '{"n":12}\n']);
      expect(await filtered("partition == 1 and not exists(value.n)")).toEqual([0, "text\n"]);
      expect(await filtered("value.n == 12", "--format=%o")).toEqual([0, "1"]);
      expect(await consume(topic, "--group=members", "--filter=value.n == 1")).toEqual([0, '{"n":1}\n']);
      expect(await consume(topic, "--group=members")).toEqual([0, ""]);
      const refused = await runObelisk(
        ["consume", "--brokers", server.kafka, topic, "--filter=value.n = 5"],
        {
          program,
        },
      );
      expect([refused.exitCode, refused.stdout, refused.stderr]).toEqual([
        64,
        "",
        "value.n = 5\n        ^\nobelisk: filter: a single = (position 8); write == to compare\n",
      ]);
    });

    test("--from begins where it says and leaves no trace with --no-commit", async () => {
      const topic = `from-${suffix}`;
      await fill(topic, numbers(10));
      expect(await consume(topic, "--from=8", "--no-commit")).toEqual([0, text(["8", "9"])]);
      expect(await consume(topic, "--from=-1", "--no-commit")).toEqual([0, "9\n"]);
      expect(await consume(topic, "--from=1007ms", "--no-commit")).toEqual([0, text(["7", "8", "9"])]);
      expect(await consume(topic, "--from=latest", "--no-commit")).toEqual([0, ""]);
      const beyond = await runObelisk(["consume", "--brokers", server.kafka, topic, "--from=11"], {
        program,
      });
      expect([beyond.exitCode, beyond.stderr]).toEqual([
        2,
        `obelisk: the partition ends at offset 10 (partition ${topic}-0, offset 11)\n`,
      ]);
    });

    test("--partition, --format and --json show records as requested", async () => {
      const topic = `formats-${suffix}`;
      await fill(topic, numbers(4), 2);
      expect(await consume(topic, "--partition=1", "--format=%t/%p/%o=%s %S\\n")).toEqual([
        0,
        `${topic}/1/0=1 1\n${topic}/1/1=3 1\n`,
      ]);
      expect(await consume(topic, "--partition=0", "--max=1", "--json")).toEqual([
        0,
        `${JSON.stringify({ topic, partition: 0, offset: 0, timestamp: 1000, key: null, value: "0" })}\n`,
      ]);
    });

    test("a text comes out as it went in, with every codec", async () => {
      const lines = text(realLines(20_000));
      for (const codec of CODECS) {
        const topic = `text-${codec}-${suffix}`;
        const args = ["produce", "--brokers", server.kafka, `--topic=${topic}`, `--compression=${codec}`];
        expect((await runObelisk(args, { program, input: lines })).exitCode).toBe(0);
        const [exitCode, output] = await consume(topic);
        expect([exitCode, output === lines]).toEqual([0, true]);
      }
    }, 60_000);

    test("a reader that leaves is a normal end", async () => {
      const topic = `pipe-${suffix}`;
      await fill(topic, numbers(50_000));
      const words = [...program.command, "consume", "--brokers", server.kafka, topic].map(
        (word) => `'${word}'`,
      );
      const child = Bun.spawn(["bash", "-c", `${words.join(" ")} | head -2; echo "\${PIPESTATUS[0]}"`], {
        stderr: "pipe",
      });
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
      ]);
      expect([stdout, stderr]).toEqual(["0\n1\n0\n", ""]);
    });

    test("continuous waits for the topic and for records, and Ctrl-C commits and ends with 0", async () => {
      const topic = `continuous-${suffix}`;
      const child = startObelisk(["consume", "--brokers", server.kafka, topic, "--mode=continuous"], {
        program,
      });
      const errors = child.stderr.getReader();
      const { value: waiting } = await errors.read();
      expect(new TextDecoder().decode(waiting)).toBe(
        `obelisk: topic ${topic} does not exist yet; waiting for it\n`,
      );
      await fill(topic, numbers(3));
      const reader = child.stdout.getReader();
      let printed = "";
      while (printed.length < 6) printed += new TextDecoder().decode((await reader.read()).value);
      child.kill("SIGINT");
      expect([printed, await child.exited]).toEqual([text(numbers(3)), 0]);
      expect(await consume(topic)).toEqual([0, ""]);
    });

    test("no such topic is exit code 1, no server is 2, each in one line", async () => {
      const line = async (...args: string[]) => {
        const { exitCode, stdout, stderr } = await runObelisk(["consume", ...args], { program });
        return [exitCode, stdout, stderr];
      };
      expect(await line("nowhere", "--brokers", server.kafka)).toEqual([
        1,
        "",
        "obelisk: topic nowhere does not exist; `obelisk produce nowhere MESSAGE` creates it\n",
      ]);
      expect((await line("nowhere", "--brokers=127.0.0.1:1"))[0]).toBe(2);
      expect((await line("nowhere", "--format=%q"))[0]).toBe(64);
    });
  });
}
