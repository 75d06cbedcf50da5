import { describe, expect, test } from "bun:test";
import { exposureWarning, startedJson, startedLines } from "../../commands/serve-started.ts";
import { defaultSettings } from "../../src/config/settings.ts";

const STARTED = {
  version: "1.2.3",
  pid: 42,
  directory: "/var/lib/obelisk",
  native: { host: "localhost", port: 8080 },
  http: { host: "localhost", port: 8081 },
  kafka: { host: "::1", port: 9092 },
  advertised: { host: "broker.example", port: 9092 },
  connectionsLeft: null,
  topics: 1,
  partitions: 3,
  findings: [
    { file: "a", position: 1, bytes: 2, kind: "torn-tail" as const, detail: "x" },
    { file: "b", position: 1, bytes: 2, kind: "torn-tail" as const, detail: "x" },
    { file: "c", position: 1, bytes: 2, kind: "damaged-batch" as const, detail: "x" },
  ],
};

describe("what serve says when it is ready", () => {
  test("eleven lines for people", () => {
    expect(
      startedLines(defaultSettings({ durability: { mode: "interval", intervalMs: 50 } }), STARTED),
    ).toEqual([
      "Obelisk 1.2.3 is ready (node 1, process 42)",
      "  native      localhost:8080",
      "  http        localhost:8081",
      "  kafka       [::1]:9092, advertised as broker.example:9092",
      "  data        /var/lib/obelisk: 1 topic, 3 partitions",
      "  durability  interval:50: a power cut can lose the last 50 ms of what was acknowledged",
      "  memory      512 MiB for buffers; batches to 11 MiB, requests to 100 MiB",
      "  limits      1000 connections at each listener, 5000 topics, 10000 partitions",
      "  new topics  created on first use, 1 partition",
      "  retention   records are kept 7d, unless a topic says otherwise",
      "  recovery    3 findings (2 torn-tail, 1 damaged-batch), each in the log",
    ]);
  });

  test("connections are told as what the system leaves, where that is less than the settings allow", () => {
    const lines = startedLines(defaultSettings(), { ...STARTED, connectionsLeft: 12 });
    expect(lines[7]).toBe(
      "  limits      12 connections in all (more with a higher `ulimit -n`), 5000 topics, 10000 partitions",
    );
  });

  test("one object for machines", () => {
    const { directory, ...same } = STARTED;
    expect(startedJson(defaultSettings(), STARTED)).toEqual({
      event: "started",
      ...same,
      data: directory,
      node: 1,
      durability: "fsync",
      memory: 512 * 1024 ** 2,
      retentionMs: 7 * 86_400_000,
      retentionBytes: -1,
    });
  });

  test("what is kept is told as the settings say it", () => {
    const words = (settings: Parameters<typeof defaultSettings>[0]) =>
      startedLines(defaultSettings(settings), STARTED).find((line) => line.startsWith("  retention"));
    expect(words({ retentionMs: -1 })).toBe(
      "  retention   records are kept for ever, unless a topic says otherwise",
    );
    expect(words({ retentionBytes: 1024 ** 3 })).toBe(
      "  retention   records are kept 7d, at most 1 GiB of each partition, unless a topic says otherwise",
    );
  });

  test("listening beyond loopback is warned of, loopback is not", () => {
    expect(["localhost", "127.0.0.1", "127.1.2.3", "::1"].map(exposureWarning)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    for (const host of ["0.0.0.0", "::", "10.0.0.5", "127.example.com"]) {
      expect(exposureWarning(host)).toBe(
        `listening on ${host} without authentication: everyone who reaches these ports can read, write and delete every topic`,
      );
    }
  });

  test("without an advertised host it says that clients are told where they connected to", () => {
    const lines = startedLines(defaultSettings(), { ...STARTED, advertised: { host: null, port: 9092 } });
    expect(lines.join("\n")).toContain("advertised as the address that each client connects to, port 9092");
  });
});
