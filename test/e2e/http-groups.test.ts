/** Consumers over HTTP beside a Kafka client in one group, and across a crash of the server, on the program as it is shipped. */

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kafka, logLevel } from "kafkajs";
import { compiled, fromSources } from "../support/obelisk-command.ts";
import { startServer } from "../support/obelisk-server.ts";

const program = compiled.missing === undefined ? compiled : fromSources;

interface Polled {
  readonly member: string;
  readonly messages: readonly { readonly value: string }[];
  readonly offsets: readonly object[];
}

function clientOf(origin: string) {
  const post = async (path: string, body: unknown): Promise<[number, unknown]> => {
    const response = await fetch(origin + path, { method: "POST", body: JSON.stringify(body) });
    return [response.status, await response.json()];
  };
  const poll = async (body: object): Promise<Polled> => {
    const [status, polled] = await post("/groups/g/poll", body);
    expect([status, polled]).toEqual([200, polled]);
    return polled as Polled;
  };
  const commit = async ({ member, offsets }: Polled): Promise<number> =>
    offsets.length === 0 ? 200 : (await post("/groups/g/commit", { member, offsets }))[0];
  return { post, poll, commit };
}

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-http-groups-"));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test("a Kafka client and a consumer over HTTP share a group: every message goes to one of them", async () => {
  await inDirectory(async (directory) => {
    await using server = await startServer(directory, ["--group-consumer-assignment-interval=0ms"], {
      program,
    });
    const { post, poll, commit } = clientOf(`http://127.0.0.1:${server.started.http.port}`);
    await post("/topics", { name: "t", partitions: 4 });
    const produce = (name: string) =>
      post(
        "/topics/t/messages",
        Array.from({ length: 40 }, (_, index) => ({ value: `${name}${index}`, partition: index % 4 })),
      );
    const brokers = [`127.0.0.1:${server.started.kafka.port}`];
    const consumer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).consumer({
      groupId: "g",
      heartbeatInterval: 100,
      maxWaitTimeInMs: 100,
    });
    const [ofKafka, ofHttp]: [string[], string[]] = [[], []];
    let assigned: number[] = [];
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      assigned = payload.memberAssignment["t"] ?? [];
    });
    let isOver = false;
    const polling = (async () => {
      let member = "worker";
      while (!isOver) {
        const polled = await poll({ topics: ["t"], member, waitMs: 200 });
        member = polled.member;
        for (const { value } of polled.messages) ofHttp.push(value);
        expect(await commit(polled)).toBe(200);
      }
    })();
    try {
      await consumer.connect();
      await consumer.subscribe({ topic: "t" });
      await consumer.run({
        eachMessage: async ({ message }) => void ofKafka.push(String(message.value)),
      });
      while (assigned.length !== 2) await Bun.sleep(20);
      await produce("both");
      while (ofKafka.length + ofHttp.length < 40) await Bun.sleep(20);
      expect([ofKafka.length, ofHttp.length, new Set([...ofKafka, ...ofHttp]).size]).toEqual([20, 20, 40]);
      const group = (await (await fetch(`http://127.0.0.1:${server.started.http.port}/groups/g`)).json()) as {
        members: { clientId: string; partitions: object[] }[];
      };
      expect(group.members.map(({ clientId, partitions }) => [clientId, partitions.length]).sort()).toEqual([
        ["kafkajs", 2],
        ["obelisk-http", 2],
      ]);
      await consumer.disconnect();
      await produce("alone");
      while (new Set(ofHttp.filter((value) => value.startsWith("alone"))).size < 40) await Bun.sleep(20);
    } finally {
      isOver = true;
      await consumer.disconnect();
      await polling;
    }
  });
}, 60_000);

test("a consumer over HTTP goes on after a crash of the server, and what it had committed stays", async () => {
  await inDirectory(async (directory) => {
    const ports = { http: 0 };
    const start = () => startServer(directory, [`--http-port=${ports.http}`], { program });
    let server = await start();
    try {
      ports.http = server.started.http.port;
      const { post, poll, commit } = clientOf(`http://127.0.0.1:${ports.http}`);
      await post("/topics", { name: "t", partitions: 1 });
      await post("/topics/t/messages", [{ value: "a" }, { value: "b" }, { value: "c" }]);
      const first = await poll({ topics: ["t"], max: 1 });
      expect(await commit(first)).toBe(200);
      const second = await poll({ member: first.member, max: 1 });
      expect(second.messages).toMatchObject([{ value: "b" }]);
      await server.stop("SIGKILL");
      server = await start();
      // It was at work while the server was away; its place in the group was kept for it.
      expect(await commit(second)).toBe(200);
      const third = await poll({ member: first.member, max: 1 });
      expect([third.member, third.messages]).toMatchObject([first.member, [{ value: "c" }]]);
      await server.stop("SIGKILL");
      server = await start();
      expect((await poll({ member: first.member })).messages).toMatchObject([{ value: "c" }]);
    } finally {
      await server.stop("SIGKILL");
    }
  });
}, 60_000);
