import { describe, expect, test } from "bun:test";
import { areaOf, findViolations } from "../../scripts/layers.ts";

function violations(sources: Record<string, string>): string[] {
  return findViolations(new Map(Object.entries(sources))).map(({ file, why }) => `${file}: ${why}`);
}

describe("import rules", () => {
  test("imports that point down the layers pass", () => {
    expect(
      violations({
        "src/base/bytes.ts": 'import { crc32 } from "@node-rs/crc32";',
        "src/storage/file/log.ts":
          'import { read } from "../../base/bytes.ts";\nimport type { A } from "../contract.ts";',
        "src/storage/contract.ts": "export interface A {}",
        "src/api/kafka/produce.ts":
          'import { x } from "../../protocol/kafka/produce.ts";\nimport { y } from "../../broker/partition.ts";',
        "commands/serve.ts":
          'import { defineCommand } from "citty";\nconst { start } = await import("../src/server.ts");',
      }),
    ).toEqual([]);
  });

  test("an import up the layers is named, also of a type only, a dynamic one and one over several lines", () => {
    expect(
      violations({
        "src/base/a.ts": 'import type { Partition } from "../broker/partition.ts";',
        "src/storage/b.ts": 'const m = await import("../consumer/fetches.ts");',
        "src/broker/c.ts": 'import {\n  one,\n  two,\n} from "../api/dispatch.ts";',
        "src/network/d.ts": 'import "../protocol/kafka/header.ts";',
      }),
    ).toEqual([
      "src/base/a.ts: src/base must not import src/broker (src/broker/partition.ts)",
      "src/storage/b.ts: src/storage must not import src/consumer (src/consumer/fetches.ts)",
      "src/broker/c.ts: src/broker must not import src/api (src/api/dispatch.ts)",
      "src/network/d.ts: src/network must not import src/protocol/kafka (src/protocol/kafka/header.ts)",
    ]);
  });

  test("an implementation of partitions is known to the broker alone, also as a type", () => {
    expect(
      violations({
        "src/broker/broker.ts": 'import { LogPartitions } from "./log-partitions.ts";',
        "src/api/kafka/a.ts": 'import type { LogPartition } from "../../broker/log-partition.ts";',
        "src/consumer/b.ts": 'import { Producers } from "../broker/producers.ts";',
        "src/server.ts": 'import type { OwnedPartition } from "./broker/owned-partition.ts";',
        "src/http/c.ts": 'import type { Partition } from "../broker/partition.ts";',
      }),
    ).toEqual([
      "src/api/kafka/a.ts: imports src/broker/log-partition.ts, which stands behind src/broker/partition.ts",
      "src/consumer/b.ts: imports src/broker/producers.ts, which stands behind src/broker/partition.ts",
      "src/server.ts: imports src/broker/owned-partition.ts, which stands behind src/broker/partition.ts",
    ]);
  });

  test("only server and commands read the configuration", () => {
    expect(
      violations({ "src/broker/a.ts": 'import type { Settings } from "../config/settings.ts";' }),
    ).toEqual(["src/broker/a.ts: src/broker must not import src/config (src/config/settings.ts)"]);
    expect(violations({ "src/server.ts": 'import type { Settings } from "./config/settings.ts";' })).toEqual(
      [],
    );
  });

  test("packages and globals with one home are refused elsewhere", () => {
    expect(
      violations({
        "src/server.ts": 'import { Elysia } from "elysia";',
        "src/broker/a.ts": 'import { readFileSync } from "node:fs";',
        "src/client/b.ts": 'import { defineCommand } from "citty";',
        "src/broker/c.ts": "const at = Date.now();\n// Math.random() in a comment is nothing",
        "src/base/clock.ts": "const at = Date.now();",
        "commands/d.ts": "const at = Date.now();",
      }),
    ).toEqual([
      "src/server.ts: imports elysia, which lives only in src/http/",
      "src/broker/a.ts: imports node:fs, which lives only in src/base/disk.ts, src/base/descriptors/descriptor-limit.ts",
      "src/client/b.ts: imports citty, which lives only in commands/",
      "src/broker/c.ts: uses Date.now(, which lives only in src/base/clock.ts, src/client/process-hold.ts, " +
        "src/http/dashboard/app/base/time.ts",
    ]);
  });

  test("a cycle is named with its whole way", () => {
    expect(
      violations({
        "src/base/a.ts": 'import { b } from "./b.ts";',
        "src/base/b.ts": 'import { c } from "./c.ts";',
        "src/base/c.ts": 'import type { A } from "./a.ts";',
      }),
    ).toEqual([
      "src/base/c.ts: closes a cycle: src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts",
    ]);
  });

  test("barrels and imports without extension are refused", () => {
    expect(
      violations({
        "src/base/index.ts": 'export * from "./a.ts";',
        "src/base/b.ts": 'import { a } from "./a";',
      }),
    ).toEqual([
      "src/base/index.ts: re-exports another file: import from where a thing is defined",
      "src/base/b.ts: imports ./a without its extension",
    ]);
  });

  test("a file belongs to its innermost area", () => {
    expect(
      ["src/protocol/record/batch.ts", "src/server.ts", "src/storage/file/a.ts", "test/a.ts"].map(areaOf),
    ).toEqual(["src/protocol/record", "src/server", "src/storage", undefined]);
  });
});
