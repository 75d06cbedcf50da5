/**
 * kcat (librdkafka) as a judge: it produces and consumes through the Kafka API of a whole server, and what comes out is
 * compared byte for byte with what went in.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deleteRecordsApi } from "../../src/protocol/kafka/apis/delete-records.ts";
import { Wire } from "../crash/wire.ts";
import { realLines } from "../support/real-text.ts";
import { SERVERS, type TestServer } from "../support/server.ts";

const CODECS = ["none", "gzip", "snappy", "lz4", "zstd"];
const LINES = 100_000;
const kcat = Bun.which("kcat");

for (const kind of SERVERS) {
  const reason = kcat === null ? "kcat is not installed" : kind.missing;
  describe.skipIf(reason !== undefined)(
    `kcat, server ${kind.name}${reason ? ` (skipped: ${reason})` : ""}`,
    () => {
      let server: TestServer;
      const textFile = join(tmpdir(), `obelisk-text-${process.pid}-${kind.name.length}`);
      beforeAll(async () => {
        server = await kind.start();
        writeFileSync(textFile, `${realLines(LINES).join("\n")}\n`);
      });
      afterAll(async () => {
        await server.stop();
        rmSync(textFile, { force: true });
      });

      async function run(args: string[], input = ""): Promise<Buffer> {
        const child = Bun.spawn([kcat!, "-b", server.kafka, ...args], {
          stdin: new TextEncoder().encode(input),
          stdout: "pipe",
          stderr: "pipe",
        });
        const [stdout, stderr, exitCode] = await Promise.all([
          new Response(child.stdout).arrayBuffer(),
          new Response(child.stderr).text(),
          child.exited,
        ]);
        if (exitCode !== 0) throw new Error(`kcat ${args.join(" ")} ended with ${exitCode}: ${stderr}`);
        return Buffer.from(stdout);
      }

      const consume = (topic: string, ...more: string[]) => run(["-C", "-t", topic, "-e", "-q", ...more]);

      for (const codec of CODECS) {
        test(`a real text of ${LINES} lines comes out byte for byte with codec ${codec}`, async () => {
          await run(["-P", "-t", `text-${codec}`, "-z", codec, "-l", textFile]);
          expect((await consume(`text-${codec}`)).equals(readFileSync(textFile))).toBe(true);
        }, 60_000);
      }

      test("an idempotent producer's text comes out once", async () => {
        await run(["-P", "-t", "idempotent", "-X", "enable.idempotence=true", "-l", textFile]);
        expect((await consume("idempotent")).equals(readFileSync(textFile))).toBe(true);
      }, 60_000);

      test("a consumer below the log start goes on where its auto.offset.reset says", async () => {
        await run(["-P", "-t", "trimmed"], "a\nb\nc\nd\n");
        const wire = await Wire.kafka(Number(server.kafka.split(":").at(-1)));
        const topics = [{ name: "trimmed", partitions: [{ partitionIndex: 0, offset: 2 }] }];
        const { parts } = deleteRecordsApi.encodeRequest(1, 1, "test", { topics, timeoutMs: 10_000 });
        const response = await wire.call(Buffer.concat(parts));
        wire.close();
        const told = deleteRecordsApi.decodeResponse(1, response, 4, response.length);
        expect(told.topics[0]!.partitions).toEqual([{ partitionIndex: 0, lowWatermark: 2, errorCode: 0 }]);
        const from = (reset: string) =>
          consume("trimmed", "-o", "0", "-X", `auto.offset.reset=${reset}`, "-f", "%o %s\\n");
        expect((await from("earliest")).toString()).toBe("2 c\n3 d\n");
        expect((await from("latest")).toString()).toBe("");
      }, 30_000);

      test("keys, headers, null values and empty values come out as they went in", async () => {
        await run(
          ["-P", "-t", "fields", "-K", ":", "-Z", "-H", "a=1", "-H", "b=two"],
          "key:value\nnull:\n:nokey\n",
        );
        const lines = await consume("fields", "-f", "%k|%K|%s|%S|%h\\n");
        expect(lines.toString()).toBe(
          "key|3|value|5|a=1,b=two\nnull|4||-1|a=1,b=two\n|-1|nokey|5|a=1,b=two\n",
        );
      });

      test("offsets, tails and times lead to the right record", async () => {
        await run(["-P", "-t", "places"], "a\nb\nc\n");
        const betweenMs = Date.now() + 2;
        while (Date.now() <= betweenMs) await Bun.sleep(1);
        await run(["-P", "-t", "places"], "d\ne\n");
        expect((await consume("places", "-o", "1", "-c", "1")).toString()).toBe("b\n");
        expect((await consume("places", "-o", "-2")).toString()).toBe("d\ne\n");
        expect((await consume("places", "-o", `s@${betweenMs}`)).toString()).toBe("d\ne\n");
        expect((await consume("places", "-o", "end")).toString()).toBe("");
        expect((await run(["-Q", "-t", `places:0:${betweenMs}`])).toString()).toContain("offset 3");
      });

      test("acks 0 and 1 are stored", async () => {
        await run(["-P", "-t", "acks", "-X", "acks=0"], "a\n");
        await run(["-P", "-t", "acks", "-X", "acks=1"], "b\n");
        expect((await consume("acks")).toString()).toBe("a\nb\n");
      });

      test("the broker and its topics are listed", async () => {
        await run(["-P", "-t", "listed"], "a\n");
        const listed = JSON.parse((await run(["-L", "-J"])).toString()) as {
          brokers: { id: number; name: string }[];
          controllerid: number;
          topics: { topic: string; partitions: { leader: number }[] }[];
        };
        expect(listed.brokers.length).toBe(1);
        expect(listed.controllerid).toBe(listed.brokers[0]!.id);
        const topic = listed.topics.find(({ topic: name }) => name === "listed");
        expect(topic?.partitions.map(({ leader }) => leader)).toEqual([listed.controllerid]);
      });

      test("a name that cannot be a topic is refused", async () => {
        await expect(run(["-P", "-t", "a/b", "-X", "message.timeout.ms=2000"], "a\n")).rejects.toThrow(
          /topic/i,
        );
      });
    },
  );
}
