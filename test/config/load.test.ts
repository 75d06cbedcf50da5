import { describe, expect, test } from "bun:test";
import { KiB, MiB } from "../../src/base/units.ts";
import { type ConfigError, ConfigErrors } from "../../src/config/config-errors.ts";
import { loadSettings, type SettingSources } from "../../src/config/load.ts";
import { defaultSettings, SETTING_KEYS, SETTINGS } from "../../src/config/settings.ts";

/** Sources with the given files, by absolute path; everything else is empty. */
function sources(
  given: Partial<SettingSources> & { disk?: Record<string, string | Buffer> } = {},
): SettingSources {
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

function configErrorsOf(given: Parameters<typeof sources>[0]): readonly ConfigError[] {
  try {
    loadSettings(sources(given));
  } catch (thrown) {
    if (thrown instanceof ConfigErrors) return thrown.errors;
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
          "http-hosts": " obelisk.example, [::1],10.0.0.1 ,",
          "http-cors-origins": "https://Console.example/,http://localhost:3000,*",
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
        httpHosts: ["obelisk.example", "::1", "10.0.0.1"],
        httpCorsOrigins: ["https://console.example", "http://localhost:3000", "*"],
      }),
    );
  });

  test("a list with something that does not belong there is refused", () => {
    const refused = (name: string, text: string) =>
      expect(() => loadSettings(sources({ flags: { [name]: text } }))).toThrow(`${name} must be `);
    for (const text of ["*", "obelisk.example:80", "a b", "http://a.example"]) refused("http-hosts", text);
    for (const text of [
      "a.example",
      "ftp://a.example",
      "https://a.example/path",
      "https://u@a.example",
      "https://",
    ])
      refused("http-cors-origins", text);
  });

  test("a value of a file is the text that stands there, not what YAML makes of it", () => {
    const text = 'data: 007 # ours\nauto-create: True\n"log-format": json\nhost: "10.0.0.1"\n';
    const { settings } = loadSettings(sources({ disk: { "/home/user/obelisk.yaml": text } }));
    const expected = { data: "007", autoCreate: true, logFormat: "json", host: "10.0.0.1" } as const;
    expect(settings).toEqual(defaultSettings(expected));
  });

  test("a byte order mark at the start of a file is no part of it", () => {
    const disk = { "/home/user/obelisk.yaml": "\ufeffnode-id: 2\n" };
    expect(loadSettings(sources({ disk })).settings.nodeId).toBe(2);
  });

  test("every size may be given alone down to its lowest, and the defaults beside it follow", () => {
    const sizes = SETTING_KEYS.filter((key) => SETTINGS[key].kind.hint.startsWith("a size"));
    expect(sizes.length).toBeGreaterThan(5);
    for (const key of sizes) {
      const { name, kind } = SETTINGS[key];
      const lowest = kind.range.split(" to ")[0]!;
      const { settings } = loadSettings(sources({ flags: { [name]: lowest } }));
      expect([name, (kind.format as (value: unknown) => string)(settings[key])]).toEqual([
        name,
        lowest.replace(/^(\d+) (B?)/, "$1"),
      ]);
    }
  });

  test("a default that follows says what it fits, and what was set is not touched", () => {
    const small = loadSettings(sources({ flags: { memory: "64MiB", "frame-bytes-max": "512KiB" } }));
    expect(small.settings).toEqual(
      defaultSettings({
        memoryBytes: 64 * MiB,
        frameBytesMax: 512 * KiB,
        recentBytes: 8 * MiB,
        messageBytesMax: 512 * KiB,
        batchBytes: 512 * KiB,
      }),
    );
    const { origins } = small;
    expect([origins.recentBytes, origins.messageBytesMax, origins.batchBytes, origins.frameBytesMax]).toEqual(
      [
        "default, to fit memory",
        "default, to fit frame-bytes-max",
        "default, to fit message-bytes-max",
        "--frame-bytes-max",
      ],
    );
    const both = loadSettings(sources({ flags: { memory: "64MiB", "recent-bytes": "20MiB" } }));
    expect([both.settings.recentBytes, both.origins.recentBytes]).toEqual([20 * MiB, "--recent-bytes"]);
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

describe("errors in settings", () => {
  test("all of them are reported together, each with its place", () => {
    const errors = configErrorsOf({
      disk: {
        "/home/user/obelisk.yaml": "memori: 1GiB\ndurability: sometimes\nsegment-bytes:\n  - 1\nhost:\n",
      },
      env: { OBELISK_KAFKA_PORTS: "1", OBELISK_BATCH_COUNT: "many" },
      flags: { "native-port": "70000", databases: "3" },
    });
    expect(errors).toEqual([
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
    expect(configErrorsOf({ env: { OBELISK_MEMORY: "lots" }, flags: { memory: "1GiB" } })).toEqual([
      {
        source: "OBELISK_MEMORY",
        message:
          "memory must be a size in whole bytes such as 64KiB or 512MiB, from 64 MiB to 1024 GiB, not `lots`",
      },
    ]);
  });

  test("what would be kept as another value is an error: fractions, other notations, bytes that are not UTF-8", () => {
    const lines = [
      "partitions: 1.5",
      "batch-bytes: 1024.5",
      "linger-ms: 0.5",
      "node-id: 0x10",
      "kafka-port: 1e3",
    ];
    const errors = configErrorsOf({
      disk: { "/home/user/obelisk.yaml": lines.join("\n") },
      env: { OBELISK_DATA: "a\ufffdb", OBELISK_BATCH_COUNT: "10.0" },
      flags: { "segment-ms": "60000.5ms", "health-window": "7.2", durability: "interval:1.5" },
    });
    expect(errors.map(({ source, message }) => `${source}: ${message}`)).toEqual([
      "obelisk.yaml line 1: partitions must be a whole number from 1 to 10000, not `1.5`",
      "obelisk.yaml line 2: batch-bytes must be a size in whole bytes such as 64KiB or 512MiB, from 1 KiB to 64 MiB, not `1024.5`",
      "obelisk.yaml line 3: linger-ms must be a duration in whole milliseconds such as 250ms, 30s or 1h, from 0ms to 10s, not `0.5`",
      "obelisk.yaml line 4: node-id must be a whole number from 0 to 2147483647, not `0x10`",
      "obelisk.yaml line 5: kafka-port must be a whole number from 0 to 65535, not `1e3`",
      "OBELISK_DATA: data must be UTF-8, not `a\ufffdb`",
      "OBELISK_BATCH_COUNT: batch-count must be a whole number from 1 to 100000, not `10.0`",
      "--segment-ms: segment-ms must be a duration in whole milliseconds such as 250ms, 30s or 1h, from 1m to 365d, not `60000.5ms`",
      "--health-window: health-window must be a whole number from 1 to 100000, not `7.2`",
      "--durability: durability must be fsync, interval:MS or os (1 to 60000 milliseconds), not `interval:1.5`",
    ]);
  });

  test("a file with bytes that are no UTF-8 is refused at their line", () => {
    const bytes = Buffer.concat([Buffer.from("node-id: 1\r\ndata: caf"), Buffer.of(0xe9), Buffer.from("\n")]);
    expect(configErrorsOf({ disk: { "/home/user/obelisk.yaml": bytes } })).toEqual([
      { source: "obelisk.yaml line 2", message: "is not UTF-8" },
    ]);
  });

  test("a file that is missing, not YAML or not a mapping is named", () => {
    expect(configErrorsOf({ flags: { config: "gone.yaml" } })).toEqual([
      { source: "gone.yaml", message: "no such file" },
    ]);
    const disk = { "/home/user/obelisk.yaml": "- a\n- b\n", "/home/user/bad.yaml": "a: [1\n" };
    expect(configErrorsOf({ disk })).toEqual([
      { source: "obelisk.yaml", message: "must be a mapping of setting names to values" },
    ]);
    expect(configErrorsOf({ disk, flags: { config: "bad.yaml" } })[0]?.message).toStartWith(
      "is not valid YAML: ",
    );
  });

  test("a duplicate key is an error with both lines", () => {
    expect(configErrorsOf({ disk: { "/home/user/obelisk.yaml": "host: a\nnode-id: 1\nhost: b\n" } })).toEqual(
      [{ source: "obelisk.yaml line 3", message: "duplicate key host, first in line 1" }],
    );
  });

  test("settings that contradict each other are named at the one that was set", () => {
    expect(
      configErrorsOf({
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
    expect(configErrorsOf({ flags })).toEqual([
      {
        source: "--message-bytes-max",
        message:
          "message-bytes-max (40 MiB) must not be more than what a request may have, which is a third of memory without recent-bytes (21.3 MiB)",
      },
    ]);
  });

  test("port 0 may be set for every listener", () => {
    const flags = { "native-port": "0", "http-port": "0", "kafka-port": "0" };
    expect(configErrorsOf({ flags })).toEqual([]);
  });
});
