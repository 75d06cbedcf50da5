/**
 * Commands against a broker whose disk is full: they say once what they wait for and for how long, go on when it passes, and an
 * interrupt ends the wait at once, far before its time limit.
 */

import { describe, expect, test } from "bun:test";
import { FakeBroker, type Reply } from "../client/fake-broker.ts";
import { batchOf } from "../support/batches.ts";
import { compiled, fromSources, startObelisk } from "../support/obelisk-command.ts";

const STORAGE_ERROR = 56;
const FULL = "storage error at the broker: its disk is full, or cannot be written or read";
/** Far below the 30 s and more that the commands would wait, far above what they need to end. */
const ENDS_WITHIN_MS = 5000;

/** A broker with the topic `t` of three records, that keeps the offsets of groups; what writes fails while its disk is full. */
class FullBroker extends FakeBroker {
  isFull = true;

  constructor() {
    super();
    const node = { nodeId: 1, host: "127.0.0.1", port: this.port, errorCode: 0 };
    const one = (entry: object) => [{ partitionIndex: 0, ...entry }];
    this.on("FindCoordinator", () => ({ response: { coordinators: [{ key: "g", ...node }] } }));
    this.on("ListOffsets", ({ topics }) => {
      const offset = topics[0].partitions[0].timestamp === -1 ? 3 : 0;
      return {
        response: { topics: [{ name: "t", partitions: one({ errorCode: 0, offset, timestamp: -1 }) }] },
      };
    });
    this.on("OffsetFetch", () => ({ response: { groups: [{ groupId: "g", topics: [], errorCode: 0 }] } }));
    this.on("OffsetCommit", () => ({
      response: { topics: [{ name: "t", partitions: one({ errorCode: this.#error }) }] },
    }));
    this.on("Fetch", (body) => this.#fetch(body));
    this.on("Produce", ({ topicData }) => ({
      response: {
        responses: topicData.map(({ name }: { name: string }) => ({
          name,
          partitionResponses: [{ index: 0, errorCode: this.#error, baseOffset: 0 }],
        })),
      },
    }));
  }

  get #error(): number {
    return this.isFull ? STORAGE_ERROR : 0;
  }

  /** A topic that does not exist yet cannot be created. */
  refuseTopics(): void {
    this.on("Metadata", (body) => {
      const names = (body.topics ?? []).map(({ name }: { name: string }) => name);
      if (names.length === 0 || !this.isFull) return { response: this.metadata(names) };
      const topics = [{ errorCode: STORAGE_ERROR, name: names[0], partitions: [] }];
      return { response: { ...this.metadata([]), topics } };
    });
  }

  async #fetch(body: { topics: { partitions: { fetchOffset: number }[] }[] }): Promise<Reply> {
    const isStart = body.topics[0]!.partitions[0]!.fetchOffset === 0;
    if (!isStart) await Bun.sleep(100); // as a broker that waits for records
    const records = isStart ? batchOf(["0", "1", "2"]) : null;
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 3, records };
    return { response: { errorCode: 0, responses: [{ topic: "t", partitions: [partition] }] } };
  }
}

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;

  /** Runs a command until it says something, does `then`, and returns how it ended. */
  async function waiting(args: string[], broker: FullBroker, then: "frees the disk" | NodeJS.Signals) {
    const child = startObelisk([...args, "--brokers", broker.address], { program });
    const decoder = new TextDecoder();
    const stdout = new Response(child.stdout).text();
    let stderr = "";
    let endsAtMs = 0;
    for await (const chunk of child.stderr) {
      stderr += decoder.decode(chunk);
      if (endsAtMs > 0 || !stderr.includes("\n")) continue;
      endsAtMs = performance.now();
      if (then === "frees the disk") broker.isFull = false;
      else child.kill(then);
    }
    const exitCode = await child.exited;
    const isSoon = performance.now() - endsAtMs < ENDS_WITHIN_MS;
    return { exitCode, isSoon, stdout: await stdout, said: stderr.split("\n").slice(0, -1) };
  }

  describe.skipIf(program.missing !== undefined)(`a full disk, ${title}`, () => {
    const partition = "(partition t-0)";
    const stopping = "stopping: waiting for outstanding records; Ctrl-C again exits at once";

    test("reset says what it waits for and goes on", async () => {
      using broker = new FullBroker();
      const ended = await waiting(
        ["reset", "--topic=t", "--group=g", "--to=latest", "--yes", "--json"],
        broker,
        "frees the disk",
      );
      expect([ended.exitCode, ended.isSoon, ended.said]).toEqual([
        0,
        true,
        [`obelisk: ${FULL} ${partition}; retrying for up to 30s`],
      ]);
    });

    test("reset is ended by an interrupt as by the system", async () => {
      using broker = new FullBroker();
      const args = ["reset", "--topic=t", "--group=g", "--to=latest", "--yes"];
      const { exitCode, isSoon } = await waiting(args, broker, "SIGINT");
      expect([exitCode, isSoon]).toEqual([130, true]);
    });

    test("the creation of a topic is waited for, and an interrupt ends that", async () => {
      using broker = new FullBroker();
      broker.refuseTopics();
      const said = `obelisk: ${FULL} (topic t); retrying for up to 30s`;
      expect(await waiting(["produce", "t", "hello"], broker, "frees the disk")).toEqual({
        exitCode: 0,
        isSoon: true,
        stdout: expect.stringContaining("1 record"),
        said: [said],
      });
      broker.isFull = true;
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const ended = await waiting(["produce", "t", "hello"], broker, signal);
        expect([ended.exitCode, ended.isSoon, ended.said]).toEqual([
          130,
          true,
          [said, stopping, `obelisk: ${FULL} (topic t); interrupted, so it is not retried`],
        ]);
      }
    });

    test("a batch is waited for, and an interrupt ends that", async () => {
      using broker = new FullBroker();
      const ended = await waiting(["produce", "t", "hello"], broker, "SIGINT");
      expect([ended.exitCode, ended.isSoon, ended.said]).toEqual([
        130,
        true,
        [
          `obelisk: ${FULL} ${partition}; retrying for up to 2m0s`,
          stopping,
          `obelisk: ${FULL} ${partition}; interrupted, so it is not retried`,
        ],
      ]);
    });

    test("the commit of consume is waited for, and an interrupt ends that with an error", async () => {
      using broker = new FullBroker();
      const said = `obelisk: ${FULL} ${partition}; retrying for up to 30s`;
      const args = ["consume", "t"];
      expect(await waiting(args, broker, "frees the disk")).toEqual({
        exitCode: 0,
        isSoon: true,
        stdout: "0\n1\n2\n",
        said: [said],
      });
      for (const mode of ["poll", "continuous"]) {
        broker.isFull = true;
        expect(await waiting([...args, `--mode=${mode}`], broker, "SIGTERM")).toEqual({
          exitCode: 2,
          isSoon: true,
          stdout: "0\n1\n2\n",
          said: [said, `obelisk: ${FULL} ${partition}; interrupted, so it is not retried`],
        });
      }
    });
  });
}
