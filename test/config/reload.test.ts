import { expect, test } from "bun:test";
import { loadSettings } from "../../src/config/load.ts";
import { changedSettings } from "../../src/config/reload.ts";

function load(yaml: string) {
  return loadSettings({
    flags: { "node-id": "3" },
    env: {},
    cwd: "/",
    files: { exists: () => true, readFile: () => Buffer.from(yaml) },
  });
}

test("names what differs from what runs, where it stands, and whether it needs a restart", () => {
  const { settings } = load("log-level: warn\nmemory: 1GiB\ndurability: os\n");
  expect(changedSettings(settings, load("log-level: debug\ndurability: os\nnode-id: 9\n"))).toEqual([
    { name: "memory", running: "1GiB", given: "512MiB", source: "default", isLive: false },
    { name: "log-level", running: "warn", given: "debug", source: "obelisk.yaml line 1", isLive: true },
  ]);
});

test("names nothing when every value is what runs, however it is written", () => {
  const { settings } = load("memory: 1024MiB\n");
  expect(changedSettings(settings, load("memory: 1GiB # the same\n"))).toEqual([]);
});
