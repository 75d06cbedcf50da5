/**
 * What a real Prometheus with the alerts of deploy/ says while real faults happen to the compiled server. Those without a duration fire;
 * the others are pending, since nobody waits minutes for them here (their durations are in deploy/prometheus/alerts.test.yml).
 */

import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB } from "../../src/base/units.ts";
import { FailingCalls, failingCallsMissing, titled } from "../support/failing-calls.ts";
import { compiled } from "../support/obelisk-command.ts";
import { type Alert, Prometheus, prometheusMissing } from "../support/prometheus.ts";
import { SmallDisk, smallDiskMissing } from "../support/small-disk.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench } from "./support.ts";

const missing = compiled.missing ?? prometheusMissing;
const missingSync = missing ?? failingCallsMissing;
const missingDisk = missing ?? smallDiskMissing;
const STALL_MS = 1500;

function targetOf(observed: Observed): string {
  return `127.0.0.1:${observed.server.started.http.port}`;
}

/** Until there are enough scrapes for a rate. */
async function untilScraped(prometheus: Prometheus): Promise<void> {
  while (((await prometheus.query("count_over_time(up[1m]) > 2"))[0]?.value ?? 0) === 0) await Bun.sleep(50);
}

/** The alerts with these names, once all of them are there. */
async function alerted(prometheus: Prometheus, ...names: string[]): Promise<Alert[]> {
  for (;;) {
    const alerts = await prometheus.alerts();
    const own = alerts.filter(({ name }) => names.includes(name));
    if (new Set(own.map(({ name }) => name)).size === names.length) return own;
    await Bun.sleep(50);
  }
}

/** Others may be pending for the sake of this machine: its disk is not empty, its processors have much to do. */
async function firing(prometheus: Prometheus): Promise<string[]> {
  return (await prometheus.alerts()).filter(({ state }) => state === "firing").map(({ name }) => name);
}

async function noMore(prometheus: Prometheus, name: string): Promise<void> {
  while ((await prometheus.alerts()).some((alert) => alert.name === name)) await Bun.sleep(50);
}

test.concurrent.skipIf(missingSync !== undefined)(
  titled("a sync that fails raises alerts for it and for the partition that is offline", missingSync),
  async () => {
    await using bench = new Bench();
    const observed = await Observed.start(bench, []);
    const target = targetOf(observed);
    const [ill, neighbour] = [new Ledger("ill"), new Ledger("neighbour")];
    for (const ledger of [ill, neighbour]) {
      await ledger.create(observed.wire);
      await ledger.fill(observed.wire, 1, 100);
    }
    await using prometheus = await Prometheus.start(targetOf(observed));
    await untilScraped(prometheus);
    expect(await firing(prometheus)).toEqual([]);
    const logs = readdirSync(join(bench.data, "topics/ill/0")).filter((name) => name.endsWith(".log"));
    {
      const { pid } = observed.server.child;
      const file = join(bench.data, "topics/ill/0", logs[0]!);
      await using _ = await FailingCalls.attach(pid, [{ calls: "fdatasync", error: "EIO" }], [file]);
      await ill.sendUntilRefused(observed.wire, 16 * KiB);
    }
    expect(await alerted(prometheus, "ObeliskSyncFailed", "ObeliskPartitionsOffline")).toEqual([
      {
        name: "ObeliskPartitionsOffline",
        state: "pending",
        summary: `1 partitions of Obelisk at ${target} are offline`,
      },
      { name: "ObeliskSyncFailed", state: "firing", summary: `A sync of Obelisk at ${target} has failed` },
    ]);
    const degraded = await alerted(prometheus, "ObeliskDegraded");
    expect(degraded.map(({ state, summary }) => [state, summary])).toContainEqual([
      "pending",
      `storage of Obelisk at ${target} is degraded`,
    ]);
    expect(await firing(prometheus)).toEqual(["ObeliskDamageFound", "ObeliskSyncFailed"]);
    await observed.stop();
    expect(await alerted(prometheus, "ObeliskDown")).toMatchObject([{ state: "pending" }]);
  },
);

test.concurrent.skipIf(missingDisk !== undefined)(
  titled("a full disk raises an alert that fires at once, and ends when there is room", missingDisk),
  async () => {
    using disk = new SmallDisk(12 * MiB);
    await using bench = new Bench(join(disk.path, "data"));
    const observed = await Observed.start(bench, []);
    const ledger = new Ledger("full");
    await ledger.create(observed.wire);
    await using prometheus = await Prometheus.start(targetOf(observed));
    await untilScraped(prometheus);
    disk.fillBytes();
    await ledger.sendUntilRefused(observed.wire, 64 * KiB);
    const alerts = await alerted(prometheus, "ObeliskDiskFull", "ObeliskDiskLow", "ObeliskUnhealthy");
    expect(alerts.map(({ name, state }) => [name, state])).toEqual([
      ["ObeliskDiskFull", "firing"],
      ["ObeliskDiskLow", "pending"],
      ["ObeliskUnhealthy", "pending"],
    ]);
    disk.empty();
    await noMore(prometheus, "ObeliskDiskFull");
    await noMore(prometheus, "ObeliskUnhealthy");
    await observed.stop();
  },
);

test.concurrent.skipIf(missing !== undefined)(
  titled("an event loop that stands still raises an alert for the listeners behind it", missing),
  async () => {
    await using bench = new Bench();
    const observed = await Observed.start(bench, []);
    await using prometheus = await Prometheus.start(targetOf(observed));
    await untilScraped(prometheus);
    const { pid } = observed.server.child;
    process.kill(pid, "SIGSTOP");
    await Bun.sleep(STALL_MS);
    process.kill(pid, "SIGCONT");
    expect(await alerted(prometheus, "ObeliskDegraded")).toEqual([
      {
        name: "ObeliskDegraded",
        state: "pending",
        summary: `tcp_server of Obelisk at ${targetOf(observed)} is degraded`,
      },
    ]);
    await observed.stop();
  },
);
