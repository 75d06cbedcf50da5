/**
 * A whole server on a real file system of a few MiB that is filled to the last byte, or to the last name: topics can be deleted,
 * creations leave nothing, a stop is clean, a start succeeds, and everything goes on when there is room again.
 */

import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ObeliskError, wireCode } from "../../src/base/errors.ts";
import { type Facts, silentLog } from "../../src/base/log.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { Admin } from "../../src/client/admin.ts";
import { defaultSettings } from "../../src/config/settings.ts";
import { produceApi } from "../../src/protocol/kafka/apis/produce.ts";
import { type Server, startServer } from "../../src/server.ts";
import { batchOf } from "../support/batches.ts";
import { WireClient } from "../support/kafka-wire.ts";
import { SmallDisk, smallDiskMissing } from "../support/small-disk.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function smallDisk(bytes: number, files?: number): SmallDisk {
  const disk = new SmallDisk(bytes, files);
  cleanups.push(() => disk[Symbol.dispose]());
  return disk;
}

interface Running {
  server: Server;
  admin: Admin;
  data: string;
  /** Kinds of the findings, from the start to after the stop. */
  findings: unknown[];
  stop(): Promise<void>;
  /** Kafka's error number for a batch of 40 KiB. */
  produce(topic: string): Promise<number>;
  isReady(): Promise<boolean>;
}

async function running(disk: SmallDisk): Promise<Running> {
  const data = join(disk.path, "data");
  const ports = { nativePort: 0, httpPort: 0, kafkaPort: 0 };
  const findings: unknown[] = [];
  const log = {
    ...silentLog,
    warn: (_: string, facts: Facts = {}) => {
      if ("kind" in facts) findings.push(facts["kind"]);
    },
  };
  const server = await startServer(defaultSettings({ data, ...ports, retentionMs: -1 }), log);
  const { kafka, http } = server.addresses;
  const admin = await Admin.connect({ brokers: `127.0.0.1:${kafka.port}`, retryTimeoutMs: 0 });
  const client = await WireClient.connect(kafka.port);
  let hasStopped = false;
  const stop = async () => {
    if (hasStopped) return;
    hasStopped = true;
    client.close();
    await admin.close();
    await server.stop();
  };
  cleanups.push(stop);
  return {
    server,
    admin,
    data,
    findings,
    stop,
    produce: async (name) => {
      const response = await client.ask(produceApi, 8, {
        transactionalId: null,
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name, partitionData: [{ index: 0, records: batchOf(["x".repeat(40 * KiB)]) }] }],
      });
      return response.responses[0]!.partitionResponses[0]!.errorCode;
    },
    isReady: async () => (await fetch(`http://127.0.0.1:${http.port}/health/ready`)).status === 200,
  };
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "";
  } catch (thrown) {
    if (thrown instanceof ObeliskError) return thrown.message;
    throw thrown;
  }
}

const FULL = wireCode("DISK_FULL");
const title = smallDiskMissing === undefined ? "" : ` (skipped: ${smallDiskMissing})`;

describe.skipIf(smallDiskMissing !== undefined)(`a full disk${title}`, () => {
  test("what a topic need not keep makes room by itself when an append is refused", async () => {
    const disk = smallDisk(12 * MiB);
    const { admin, produce } = await running(disk);
    // Its records are of 1970: none of them has to be kept for an hour.
    await admin.createTopic({ name: "large", configs: { "retention.ms": "3600000" } });
    for (let count = 0; count < 50; count += 1) expect(await produce("large")).toBe(0);
    disk.fillBytes();
    expect(await produce("large")).toBe(FULL);
    for (let error = FULL; error !== 0; error = await produce("large")) {
      expect(error).toBe(FULL);
      await Bun.sleep(20);
    }
    const [told] = await admin.deleteRecords([{ topic: "large", partition: 0, offset: 0 }]);
    expect(told).toMatchObject({ topic: "large", partition: 0, offset: 50 });
  });

  test("topics are deleted, and their room lets producers and readiness go on", async () => {
    const disk = smallDisk(12 * MiB);
    const { admin, produce, isReady } = await running(disk);
    for (const name of ["small", "large"]) await admin.createTopic({ name });
    for (let count = 0; count < 50; count += 1) expect(await produce("large")).toBe(0);
    disk.fillBytes();
    expect([await produce("small"), await isReady()]).toEqual([FULL, false]);
    await admin.deleteTopic("large");
    expect([await isReady(), await produce("small")]).toEqual([true, 0]);
    await admin.createTopic({ name: "large" });
    expect(await produce("large")).toBe(0);
  });

  test("a topic that frees nothing is deleted too, for good", async () => {
    const disk = smallDisk(12 * MiB);
    const first = await running(disk);
    for (const name of ["t", "u"]) await first.admin.createTopic({ name });
    disk.fillBytes();
    await first.admin.deleteTopic("t");
    expect((await first.admin.listTopics()).map(({ name }) => name)).toEqual(["u"]);
    await first.stop();
    const second = await running(disk);
    expect((await second.admin.listTopics()).map(({ name }) => name)).toEqual(["u"]);
    disk.empty();
    await second.admin.createTopic({ name: "t" });
    expect(await second.produce("t")).toBe(0);
    expect(readdirSync(join(second.data, "topics")).sort()).toEqual(["t", "u"]);
  });

  test("a stop is clean, and a start on the disk that is still full succeeds, again and again", async () => {
    const disk = smallDisk(12 * MiB);
    const first = await running(disk);
    await first.admin.createTopic({ name: "t" });
    for (let count = 0; count < 50; count += 1) expect(await first.produce("t")).toBe(0);
    disk.fillBytes();
    await first.stop();
    expect(first.findings).toEqual([]);
    for (let start = 0; start < 3; start += 1) {
      disk.fillBytes();
      expect(disk.freeBytes).toBe(0);
      const next = await running(disk);
      disk.fillBytes();
      expect(await next.produce("t")).toBe(FULL);
      await next.stop();
      expect(next.findings).toEqual([]);
    }
    disk.fillBytes();
    const last = await running(disk);
    await last.admin.deleteTopic("t");
    await last.admin.createTopic({ name: "t" });
    expect(await last.produce("t")).toBe(0);
  });

  test("a creation that finds no name for its files leaves nothing, and succeeds when there are some", async () => {
    const disk = smallDisk(12 * MiB, 60);
    const { admin, data, produce } = await running(disk);
    await admin.createTopic({ name: "t" });
    disk.fillNames();
    expect(await refusalOf(admin.createTopic({ name: "u", partitions: 3 }))).toContain("disk");
    expect((await admin.listTopics()).map(({ name }) => name)).toEqual(["t"]);
    expect(existsSync(join(data, "topics/u"))).toBe(false);
    disk.empty();
    await admin.createTopic({ name: "u", partitions: 3 });
    expect(await produce("u")).toBe(0);
  });

  test("a server starts when the names have run out, and deletes a topic", async () => {
    const disk = smallDisk(12 * MiB, 60);
    const first = await running(disk);
    await first.admin.createTopic({ name: "t" });
    await first.stop();
    disk.fillNames();
    const second = await running(disk);
    expect(second.findings).toEqual([]);
    disk.fillNames();
    await second.admin.deleteTopic("t");
    expect(await second.admin.listTopics()).toEqual([]);
  });
});
