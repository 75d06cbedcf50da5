import { describe, expect, test } from "bun:test";
import { loadSettings, type SettingSources } from "../../src/config/load.ts";
import { type Mistake, MistakesError } from "../../src/config/mistakes.ts";
import { defaultSettings } from "../../src/config/settings.ts";

/** Sources with the given files, by absolute path; everything else is empty. */
function sources(given: Partial<SettingSources> & { disk?: Record<string, string> } = {}): SettingSources {
  const disk = given.disk ?? {};
  return {
    flags: given.flags ?? {},
    env: given.env ?? {},
    cwd: "/home/user",
    files: {
      exists: (path) => path in disk,
      readFile: (path) => {
        if (!(path in disk)) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
        return Buffer.from(disk[path]!);
      },
    },
  };
}

function mistakesOf(given: Parameters<typeof sources>[0]): readonly Mistake[] {
  try {
    loadSettings(sources(given));
  } catch (thrown) {
    if (thrown instanceof MistakesError) return thrown.mistakes;
    throw thrown;
  }
  return [];
}

describe("sources of settings", () => {
  test("without any source everything has its default", () => {
    const { settings, origins } = loadSettings(sources());
    expect(settings).toEqual(defaultSettings());
    expect(new Set(Object.values(origins))).toEqual(new Set(["default"]));
  });

  test("a file beats defaults, a variable beats the file, a flag beats the variable", () => {
    const { settings, origins } = loadSettings(
      sources({
        disk: { "/home/user/obelisk.yaml": "# mine\nmemory: 1GiB\nnode-id: 2\npartitions: 3\n" },
        env: { OBELISK_NODE_ID: "4", OBELISK_PARTITIONS: "5" },
        flags: { partitions: "6" },
      }),
    );
    expect(settings).toEqual(defaultSettings({ memoryBytes: 1024 ** 3, nodeId: 4, partitions: 6 }));
    expect([origins.memoryBytes, origins.nodeId, origins.partitions, origins.host]).toEqual([
      "obelisk.yaml line 2",
      "OBELISK_NODE_ID",
      "--partitions",
      "default",
    ]);
  });

  test("--config names the file, and then obelisk.yaml is not read", () => {
    const disk = {
      "/home/user/obelisk.yaml": "nonsense: 1",
      "/etc/o.yaml": "host: 0.0.0.0",
      "/home/user/near.yaml": "host: ::1",
    };
    expect(loadSettings(sources({ disk, flags: { config: "/etc/o.yaml" } })).settings.host).toBe("0.0.0.0");
    expect(loadSettings(sources({ disk, env: { OBELISK_CONFIG: "near.yaml" } })).settings.host).toBe("::1");
  });

  test("every kind of value is read as it is written", () => {
    const { settings } = loadSettings(
      sources({
        flags: {
          durability: "interval:200",
          advertise: "[::1]:9999",
          "auto-create": "false",
          "linger-ms": "0",
          "segment-ms": "2h",
          "health-threshold": "0.5",
          "log-level": "debug",
          "batch-bytes": "64k",
        },
      }),
    );
    expect(settings).toEqual(
      defaultSettings({
        durability: { mode: "interval", intervalMs: 200 },
        advertise: { host: "::1", port: 9999 },
        autoCreate: false,
        lingerMs: 0,
        segmentMs: 7_200_000,
        healthThreshold: 0.5,
        logLevel: "debug",
        batchBytes: 65_536,
      }),
    );
  });

  test("an empty variable counts as not set", () => {
    expect(loadSettings(sources({ env: { OBELISK_HOST: "", OBELISK_NONSENSE: "" } })).settings).toEqual(
      defaultSettings(),
    );
  });

  test("variables that Kubernetes makes for a service named obelisk are nobody's setting", () => {
    const env = {
      OBELISK_SERVICE_HOST: "10.0.0.1",
      OBELISK_SERVICE_PORT: "9092",
      OBELISK_SERVICE_PORT_KAFKA: "9092",
      OBELISK_PORT: "tcp://10.0.0.1:9092",
      OBELISK_PORT_9092_TCP_ADDR: "10.0.0.1",
      OBELISK_KAFKA_PORT: "tcp://10.0.0.1:9092",
    };
    expect(loadSettings(sources({ env })).settings).toEqual(defaultSettings());
  });
});

describe("mistakes in settings", () => {
  test("all of them are reported together, each with its place", () => {
    const mistakes = mistakesOf({
      disk: {
        "/home/user/obelisk.yaml": "memori: 1GiB\ndurability: sometimes\nsegment-bytes:\n  - 1\nhost:\n",
      },
      env: { OBELISK_KAFKA_PORTS: "1", OBELISK_BATCH_COUNT: "many" },
      flags: { "native-port": "70000", databases: "3" },
    });
    expect(mistakes).toEqual([
      {
        source: "obelisk.yaml line 3",
        message: "segment-bytes must be a plain value, not a list or a mapping",
      },
      { source: "obelisk.yaml line 5", message: "host has no value" },
      { source: "obelisk.yaml line 1", message: "unknown setting `memori`, did you mean `memory`?" },
      {
        source: "OBELISK_KAFKA_PORTS",
        message: "unknown variable `OBELISK_KAFKA_PORTS`, did you mean `OBELISK_KAFKA_PORT`?",
      },
      { source: "--databases", message: "unknown setting `--databases`" },
      {
        source: "obelisk.yaml line 2",
        message: "durability must be fsync, interval:MS or os (1 to 60000 milliseconds), not `sometimes`",
      },
      {
        source: "OBELISK_BATCH_COUNT",
        message: "batch-count must be a whole number from 1 to 100000, not `many`",
      },
      { source: "--native-port", message: "native-port must be from 0 to 65535, not `70000`" },
    ]);
  });

  test("a wrong value is reported although a stronger source replaces it", () => {
    expect(mistakesOf({ env: { OBELISK_MEMORY: "lots" }, flags: { memory: "1GiB" } })).toEqual([
      {
        source: "OBELISK_MEMORY",
        message: "memory must be a size such as 64KiB or 512MiB, from 64 MiB to 1024 GiB, not `lots`",
      },
    ]);
  });

  test("a file that is missing, not YAML or not a mapping is named", () => {
    expect(mistakesOf({ flags: { config: "gone.yaml" } })).toEqual([
      { source: "gone.yaml", message: "there is no such file" },
    ]);
    const disk = { "/home/user/obelisk.yaml": "- a\n- b\n", "/home/user/bad.yaml": "a: [1\n" };
    expect(mistakesOf({ disk })).toEqual([
      { source: "obelisk.yaml", message: "must be a mapping of setting names to values" },
    ]);
    expect(mistakesOf({ disk, flags: { config: "bad.yaml" } })[0]?.message).toStartWith(
      "is not valid YAML: ",
    );
  });

  test("a key that stands twice is a mistake with both lines", () => {
    expect(mistakesOf({ disk: { "/home/user/obelisk.yaml": "host: a\nnode-id: 1\nhost: b\n" } })).toEqual([
      { source: "obelisk.yaml line 3", message: "host stands twice, first in line 1" },
    ]);
  });

  test("settings that contradict each other are named at the one that was set", () => {
    expect(
      mistakesOf({
        flags: {
          "message-bytes-max": "20MiB",
          "frame-bytes-max": "10MiB",
          "http-port": "8080",
          "recent-bytes": "1GiB",
        },
      }),
    ).toEqual([
      {
        source: "--message-bytes-max",
        message:
          "message-bytes-max must not be larger than frame-bytes-max (20 MiB against 10 MiB): a batch arrives in one request",
      },
      {
        source: "--recent-bytes",
        message: "recent-bytes (1 GiB) must not be more than half of memory (512 MiB)",
      },
      { source: "--http-port", message: "native-port and http-port are both 8080" },
    ]);
  });

  test("a message must fit into the memory that is left for requests", () => {
    const flags = { memory: "128MiB", "recent-bytes": "64MiB", "message-bytes-max": "40MiB" };
    expect(mistakesOf({ flags })).toEqual([
      {
        source: "--message-bytes-max",
        message:
          "message-bytes-max (40 MiB) must not be more than the memory for requests, which is half of memory without recent-bytes (32 MiB)",
      },
    ]);
  });

  test("port 0 may be asked for at every door", () => {
    const flags = { "native-port": "0", "http-port": "0", "kafka-port": "0" };
    expect(mistakesOf({ flags })).toEqual([]);
  });
});
