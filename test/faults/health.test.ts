/**
 * The health of the compiled server under real faults: a sync that fails, a full disk, a partition that cannot be opened, a loop that
 * stands still. Held to: the component that it concerns says why and what to do, the numbers in the metrics agree, the others are as they
 * were, and it is healthy again when the cause is gone.
 */

import { describe, expect, test } from "bun:test";
import { readdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { wireCode } from "../../src/base/errors.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import type { ComponentName, HealthReport } from "../../src/http/health.ts";
import { deleteTopic } from "../crash/wire.ts";
import { FailingCalls, failingCallsMissing, titled } from "../support/failing-calls.ts";
import { compiled } from "../support/obelisk-command.ts";
import { SmallDisk, smallDiskMissing } from "../support/small-disk.ts";
import { Ledger } from "./ledger.ts";
import { Observed } from "./observed.ts";
import { Bench } from "./support.ts";

const WINDOW = 20;
const FLAGS = [`--health-window=${WINDOW}`];
/** Longer than the event loop may stand still without being told of. */
const STALL_MS = 1500;

/** What each component says of itself, where it is not healthy. */
type Told = Partial<Record<ComponentName, [status: string, reason: unknown, remedy: unknown]>>;

async function told(observed: Observed): Promise<Told> {
  const response = await fetch(`http://127.0.0.1:${observed.server.started.http.port}/health`);
  const { components } = (await response.json()) as HealthReport;
  const rows = Object.entries(components).filter(([, { status }]) => status !== "healthy");
  return Object.fromEntries(
    rows.map(([name, { status, details }]) => [name, [status, details["reason"], details["remedy"]]]),
  );
}

async function metric(observed: Observed, series: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${observed.server.started.http.port}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return Number(line?.split(" ").at(-1));
}

/** Of the report, of readiness and of liveness. */
async function statuses(observed: Observed): Promise<number[]> {
  const origin = `http://127.0.0.1:${observed.server.started.http.port}`;
  const paths = ["/health", "/health/ready", "/health/live"];
  return await Promise.all(paths.map(async (path) => (await fetch(origin + path)).status));
}

async function created(observed: Observed, ...topics: string[]): Promise<Ledger[]> {
  const ledgers = topics.map((topic) => new Ledger(topic));
  for (const ledger of ledgers) {
    await ledger.create(observed.wire);
    await ledger.fill(observed.wire, 1, 100);
  }
  return ledgers;
}

const missing = compiled.missing;

describe.skipIf((missing ?? failingCallsMissing) !== undefined)(
  titled("a sync that fails", missing, failingCallsMissing),
  () => {
    test("degrades the syncs and the storage, until they succeed again and the partition is gone", async () => {
      await using bench = new Bench();
      const observed = await Observed.start(bench, FLAGS);
      const [ill, neighbour] = await created(observed, "ill", "neighbour");
      expect(await told(observed)).toEqual({});
      const logs = readdirSync(join(bench.data, "topics/ill/0")).filter((name) => name.endsWith(".log"));
      {
        const file = join(bench.data, "topics/ill/0", logs[0]!);
        await using _ = await FailingCalls.attach(
          observed.server.child.pid,
          [{ calls: "fdatasync", error: "EIO" }],
          [file],
        );
        await ill!.sendUntilRefused(observed.wire, 16 * KiB);
      }
      const { batcher, storage, ...others } = await told(observed);
      expect(others).toEqual({});
      expect(batcher).toEqual([
        "degraded",
        expect.stringMatching(/^of the latest syncs \d+% have succeeded$/),
        "storage says what is wrong with the disk",
      ]);
      expect(storage).toEqual([
        "degraded",
        "ill-0: the partition is offline after a disk error",
        "see to the disk (the log has the error), run `obelisk verify`, then restart the server",
      ]);
      expect(await statuses(observed)).toEqual([200, 200, 200]);
      expect(await metric(observed, 'obelisk_component_health{component="storage"}')).toBe(0.5);
      expect(await metric(observed, "obelisk_offline_partitions")).toBe(1);
      expect(await metric(observed, "obelisk_sync_failures_total")).toBeGreaterThan(0);
      await neighbour!.fill(observed.wire, WINDOW, 100);
      expect(Object.keys(await told(observed))).toEqual(["storage"]);
      expect(await deleteTopic(observed.wire, "ill")).toBe(0);
      expect(await told(observed)).toEqual({});
      expect(await metric(observed, "obelisk_health_status")).toBe(1);
      await observed.stop();
    });
  },
);

describe.skipIf((missing ?? smallDiskMissing) !== undefined)(
  titled("a full disk", missing, smallDiskMissing),
  () => {
    test("makes the storage unhealthy until there is room, although nobody appends", async () => {
      using disk = new SmallDisk(12 * MiB);
      await using bench = new Bench(join(disk.path, "data"));
      const observed = await Observed.start(bench, FLAGS);
      const [ledger] = await created(observed, "full");
      disk.fillBytes();
      expect(new Set(await ledger!.sendUntilRefused(observed.wire, 64 * KiB))).toEqual(
        new Set([wireCode("DISK_FULL")]),
      );
      const { storage } = await told(observed);
      expect(storage).toEqual([
        "unhealthy",
        expect.stringMatching(/^the disk is full: \S+ \S+ are free$/),
        "make room: delete topics, or other files on this file system; nothing needs a restart",
      ]);
      expect(await statuses(observed)).toEqual([503, 503, 200]);
      expect(await metric(observed, "obelisk_disk_full")).toBe(1);
      expect(await metric(observed, "obelisk_disk_refusals_total")).toBeGreaterThan(0);
      expect(await metric(observed, "obelisk_health_status")).toBe(0);
      disk.empty();
      const { storage: emptied } = await told(observed);
      expect([emptied, await statuses(observed)]).toEqual([undefined, [200, 200, 200]]);
      expect(await metric(observed, "obelisk_disk_full")).toBe(0);
      await ledger!.fill(observed.wire, WINDOW, 100);
      expect(await told(observed)).toEqual({});
      await observed.stop();
    });
  },
);

describe.skipIf(missing !== undefined)(titled("a partition on a disk that is not mounted", missing), () => {
  test("degrades the storage from the start on, until the disk is there at another start", async () => {
    await using bench = new Bench();
    const first = await Observed.start(bench, FLAGS);
    await created(first, "ill", "neighbour");
    expect(await first.stop()).toBe(0);
    const [place, elsewhere] = [join(bench.data, "topics/ill/0"), join(bench.directory, "elsewhere")];
    renameSync(place, elsewhere);
    symlinkSync(join(bench.directory, "not-mounted"), place);
    const second = await Observed.start(bench, FLAGS);
    expect(await told(second)).toEqual({
      storage: [
        "degraded",
        "ill-0: the partition is offline: it could not be opened at the start",
        "see to the disk (the log has the error), run `obelisk verify`, then restart the server",
      ],
    });
    expect(await statuses(second)).toEqual([200, 200, 200]);
    expect(await metric(second, "obelisk_offline_partitions")).toBe(1);
    await second.stop();
    renameSync(elsewhere, join(bench.directory, "not-mounted"));
    const third = await Observed.start(bench, FLAGS);
    expect(await told(third)).toEqual({});
    await third.stop();
  });
});

describe.skipIf(missing !== undefined)(titled("a data directory that is taken away", missing), () => {
  test("makes the storage unhealthy until the server is started on it again", async () => {
    await using bench = new Bench();
    const first = await Observed.start(bench, FLAGS);
    await created(first, "orders");
    const elsewhere = join(bench.directory, "elsewhere");
    renameSync(bench.data, elsewhere);
    while ((await told(first)).storage === undefined) await Bun.sleep(50);
    expect(await told(first)).toEqual({
      storage: [
        "unhealthy",
        expect.stringContaining(bench.data),
        "bring the data directory back as it was, then restart the server",
      ],
    });
    expect(await statuses(first)).toEqual([503, 503, 200]);
    expect(await metric(first, "obelisk_health_status")).toBe(0);
    await first.stop();
    renameSync(elsewhere, bench.data);
    const second = await Observed.start(bench, FLAGS);
    expect([await told(second), await statuses(second)]).toEqual([{}, [200, 200, 200]]);
    await second.stop();
  });
});

describe.skipIf(missing !== undefined)(titled("an event loop that stands still", missing), () => {
  test("degrades the listeners, and is forgotten after some seconds without another one", async () => {
    await using bench = new Bench();
    const observed = await Observed.start(bench, FLAGS);
    const { pid } = observed.server.child;
    process.kill(pid, "SIGSTOP");
    await Bun.sleep(STALL_MS);
    process.kill(pid, "SIGCONT");
    while ((await told(observed)).tcp_server === undefined);
    expect(await told(observed)).toEqual({
      tcp_server: [
        "degraded",
        expect.stringMatching(/^the event loop stood still for 1\S* \(\w+\): everybody has waited$/),
        "obelisk_loop_turn_seconds_recent tells which work; `other` is a machine that paused or has no processor left",
      ],
    });
    expect(await statuses(observed)).toEqual([200, 200, 200]);
    expect(await metric(observed, 'obelisk_component_health{component="tcp_server"}')).toBe(0.5);
    expect(await metric(observed, 'obelisk_loop_delay_seconds_bucket{le="1"}')).toBeLessThan(
      await metric(observed, "obelisk_loop_delay_seconds_count"),
    );
    while ((await told(observed)).tcp_server !== undefined) await Bun.sleep(200);
    expect(await told(observed)).toEqual({});
    await observed.stop();
  }, 30_000);
});
