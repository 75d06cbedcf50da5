/** `obelisk produce` as a user meets it: real processes against a real server, from the sources and compiled. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Consumer } from "../../src/client/consumer.ts";
import {
  compiled,
  fromSources,
  type RunOptions,
  runObelisk,
  startObelisk,
} from "../support/obelisk-command.ts";
import { startHere, type TestServer } from "../support/server.ts";

let server: TestServer;
let directory = "";
beforeAll(async () => {
  server = await startHere();
  directory = mkdtempSync(join(tmpdir(), "obelisk-produce-"));
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Every record of a topic, as `key|value|headers`. */
async function recordsOf(topic: string): Promise<string[]> {
  const consumer = await Consumer.connect({ brokers: server.kafka });
  const partitions = await consumer.partitionsOf(topic);
  await consumer.assign(partitions, "earliest");
  const ends = await consumer.endOffsets(partitions);
  const total = ends.reduce((sum, { offset }) => sum + offset, 0);
  const records: string[] = [];
  while (records.length < total) {
    for (const { key, value, headers } of await consumer.poll(5000)) {
      const names = headers.map((header) => `${header.key}=${header.value}`).join(",");
      records.push(`${key ?? "-"}|${value?.toString("latin1") ?? "-"}|${names}`);
    }
  }
  await consumer.close();
  return records;
}

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const suffix = program === compiled ? "compiled" : "sources";
  const produce = (args: string[], options: RunOptions = {}) =>
    runObelisk(["produce", ...args, "--brokers", server.kafka], { program, ...options });

  describe.skipIf(program.missing !== undefined)(`produce, ${title}`, () => {
    test("arguments are records, with a key and headers for all of them", async () => {
      const topic = `arguments-${suffix}`;
      const ended = await produce([
        topic,
        "one",
        "",
        "drei ü",
        "--key=k",
        "--header",
        "a=1",
        "--header=b=2=3",
      ]);
      expect({ ...ended, stdout: ended.stdout.replace(/in \d+ms/, "in Xms") }).toEqual({
        exitCode: 0,
        stdout: `3 records to ${topic}, 13 B in Xms, partition 0, offsets 0 to 2\n`,
        stderr: "",
      });
      const headers = "a=1,b=2=3";
      expect(await recordsOf(topic)).toEqual([
        `k|one|${headers}`,
        `k||${headers}`,
        `k|drei \xc3\xbc|${headers}`,
      ]);
    });

    test("lines of standard input are records: only \\n ends one, the last needs none", async () => {
      const topic = `lines-${suffix}`;
      const { exitCode, stdout } = await produce([`--topic=${topic}`, "--json"], {
        input: "alpha\r\n\nbeta\ngamma",
      });
      const result = JSON.parse(stdout);
      expect({ exitCode, result: { ...result, ms: 0 } }).toEqual({
        exitCode: 0,
        result: {
          event: "produced",
          topic,
          records: 4,
          failed: 0,
          bytes: 15,
          ms: 0,
          partitions: [{ partition: 0, records: 4, firstOffset: 0, lastOffset: 3 }],
        },
      });
      expect(await recordsOf(topic)).toEqual(["-|alpha\r|", "-||", "-|beta|", "-|gamma|"]);
    });

    test("files are read byte for byte, keys split off, empty lines left out on request", async () => {
      const topic = `files-${suffix}`;
      const [first, second] = [join(directory, "first"), join(directory, "second")];
      writeFileSync(first, Buffer.from("k1:\xff\xfe\0\n\nno key\n", "latin1"));
      writeFileSync(second, "k2:v:w");
      const flags = [
        "--file",
        first,
        "-f",
        second,
        "--key-separator=:",
        "--skip-empty",
        "--compression=gzip",
      ];
      expect((await produce([topic, ...flags])).exitCode).toBe(0);
      expect(await recordsOf(topic)).toEqual(["k1|\xff\xfe\0|", "-|no key|", "k2|v:w|"]);
    });

    test("acks 0 and 1 are sent too", async () => {
      const topic = `acks-${suffix}`;
      expect((await produce([topic, "a", "--acks=1"])).exitCode).toBe(0);
      expect((await produce([topic, "b", "--acks=0"])).exitCode).toBe(0);
      expect((await produce([topic, "c"])).exitCode).toBe(0);
      expect(await recordsOf(topic)).toEqual(["-|a|", "-|b|", "-|c|"]);
    });

    test("the native protocol carries keys and values", async () => {
      const topic = `native-${suffix}`;
      const native = `127.0.0.1:${server.nativePort}`;
      const ended = await produce([topic, "a", "b", "--key=k", "--protocol=native", "--native", native]);
      expect([ended.exitCode, ended.stderr]).toEqual([0, ""]);
      expect(await recordsOf(topic)).toEqual(["k|a|", "k|b|"]);
    });

    test("--test=size stores 150 messages and shows each response", async () => {
      const native = `127.0.0.1:${server.nativePort}`;
      const { exitCode, stdout } = await runObelisk(
        ["produce", "--test=size", "--json", "--native", native],
        { program },
      );
      const lines = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect({
        exitCode,
        responses: lines.filter(({ event, stored }) => event === "answer" && stored).length,
      }).toEqual({
        exitCode: 0,
        responses: 150,
      });
      expect(lines.at(-1)).toMatchObject({ event: "scenario", scenario: "size", messages: 150, stored: 150 });
    });

    test("the scenario's messages are consumed once, and again after a reset", async () => {
      const native = `127.0.0.1:${server.nativePort}`;
      const lines = async (mode: string) => {
        const flags = ["--topic=topic-1", `--mode=${mode}`, `--group=${suffix}`, "--brokers", server.kafka];
        const { stdout } = await runObelisk(["consume", ...flags], { program });
        return stdout.split("\n").length - 1;
      };
      await lines("poll"); // What other tests left there.
      expect((await runObelisk(["produce", "--test=size", "--native", native], { program })).exitCode).toBe(
        0,
      );
      expect([await lines("poll"), await lines("poll")]).toEqual([50, 0]);
      expect(await lines("reset")).toBeGreaterThanOrEqual(50);
    });

    test("a record that is too large is refused, and what went before it is reported", async () => {
      const topic = `large-${suffix}`;
      const file = join(directory, "large");
      writeFileSync(file, Buffer.concat([Buffer.from("small\n"), Buffer.alloc(12 * 1024 * 1024, "x")]));
      const { exitCode, stdout, stderr } = await produce([topic, "--file", file]);
      expect([exitCode, stdout.split(",")[0], stderr]).toEqual([
        2,
        `1 record to ${topic}`,
        expect.stringMatching(/^obelisk: .*large-.*\n$/),
      ]);
      expect(await recordsOf(topic)).toEqual(["-|small|"]);
    });

    test("Ctrl-C stops reading, waits for what was sent, reports, and exits 130", async () => {
      const topic = `interrupted-${suffix}`;
      const file = join(directory, "endless");
      writeFileSync(file, "line\n".repeat(5000));
      const child = startObelisk(
        ["produce", topic, "--file", file, "--rate=500/s", "--brokers", server.kafka],
        { program },
      );
      const consumer = await Consumer.connect({ brokers: server.kafka });
      for (let isThere = false; !isThere; ) {
        isThere = await consumer.partitionsOf(topic).then(
          () => true,
          () => false,
        );
      }
      await consumer.assign(await consumer.partitionsOf(topic), "earliest");
      while ((await consumer.poll(1000)).length === 0);
      await consumer.close();
      child.kill("SIGINT");
      const [stdout, exitCode] = await Promise.all([new Response(child.stdout).text(), child.exited]);
      const reported = Number(/^(\d+) record/.exec(stdout)?.[1]);
      expect([exitCode, (await recordsOf(topic)).length]).toEqual([130, reported]);
    });

    test("what cannot work is one clear line", async () => {
      const line = async (args: string[]) => {
        const { exitCode, stderr } = await runObelisk(["produce", ...args], { program });
        return [exitCode, stderr];
      };
      expect(await line([])).toEqual([
        64,
        "obelisk: no topic is given; write `obelisk produce TOPIC MESSAGE`, or --topic=TOPIC\n",
      ]);
      expect(await line(["t", "m", "--brokers=127.0.0.1:1"])).toEqual([
        2,
        "obelisk: cannot connect to the broker: connection refused (address 127.0.0.1:1); " +
          "is the server running? start it with `obelisk serve`\n",
      ]);
      expect(await line(["t", "--file", "/nowhere", "--brokers", server.kafka])).toEqual([
        64,
        "obelisk: /nowhere cannot be read: no such file or directory (ENOENT)\n",
      ]);
      expect((await line(["t", "m", "--partition=7", "--brokers", server.kafka]))[0]).toBe(1);
      expect(await line(["no/good", "m", "--brokers", server.kafka])).toEqual([
        64,
        expect.stringContaining("topic no/good"),
      ]);
    });
  });
}
