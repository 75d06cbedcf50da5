/** One environment serves the server and its clients: everybody takes what is his, and a misspelt variable is nobody's. */

import { describe, expect, test } from "bun:test";
import { ConfigErrors } from "../../src/config/config-errors.ts";
import { loadSettings } from "../../src/config/load.ts";
import { defaultSettings } from "../../src/config/settings.ts";
import { clientVariables, type Environment } from "../../src/config/variables.ts";

const NOTHING = { flags: {}, cwd: "/", files: { exists: () => false, readFile: () => Buffer.alloc(0) } };
const FLAGS = ["topic", "group", "brokers", "native"];

function configErrorsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof ConfigErrors)
      return thrown.errors.map(({ source, message }) => `${source}: ${message}`);
    throw thrown;
  }
  return [];
}

describe("the environment", () => {
  const env: Environment = {
    HOME: "/root",
    OBELISK_BROKERS: "a:1,[::1]:2,c",
    OBELISK_GROUP: "g",
    OBELISK_NATIVE: "n:8080",
    OBELISK_NODE_ID: "7",
    OBELISK_CONFIG: "",
  };

  test("gives the server its settings and passes over those of the commands", () => {
    expect(loadSettings({ ...NOTHING, env }).settings).toEqual(defaultSettings({ nodeId: 7 }));
  });

  test("gives a command the flags that it has and passes over the server's settings, right or wrong", () => {
    const all = { ...env, OBELISK_MEMORY: "none of its business" };
    expect(clientVariables(all, FLAGS)).toEqual({ brokers: "a:1,[::1]:2,c", group: "g", native: "n:8080" });
    expect(clientVariables({ ...all, OBELISK_NATIVE: "?" }, ["brokers"])).toEqual({
      brokers: "a:1,[::1]:2,c",
    });
    expect(clientVariables({ OBELISK_GROUP: "" }, FLAGS)).toEqual({});
  });

  test("names a misspelt variable with the nearest, whoever reads it", () => {
    const misspelt = {
      OBELISK_BROKER: "a:1",
      OBELISK_GRUOP: "g",
      OBELISK_MEMROY: "1GiB",
      OBELISK_XYZZY: "1",
    };
    const words = [
      "OBELISK_BROKER: unknown variable `OBELISK_BROKER`, did you mean `OBELISK_BROKERS`?",
      "OBELISK_GRUOP: unknown variable `OBELISK_GRUOP`, did you mean `OBELISK_GROUP`?",
      "OBELISK_MEMROY: unknown variable `OBELISK_MEMROY`, did you mean `OBELISK_MEMORY`?",
      "OBELISK_XYZZY: unknown variable `OBELISK_XYZZY`",
    ];
    expect(configErrorsOf(() => clientVariables(misspelt, FLAGS))).toEqual(words);
    expect(configErrorsOf(() => loadSettings({ ...NOTHING, env: misspelt }))).toEqual(words);
    expect(configErrorsOf(() => loadSettings({ ...NOTHING, env: misspelt, only: ["data"] }))).toEqual(words);
  });

  test("names the variable whose value is wrong", () => {
    const wrong = { OBELISK_BROKERS: "a:1,b:x", OBELISK_NATIVE: "a:1,b:2", OBELISK_GROUP: "caf\ufffd" };
    expect(configErrorsOf(() => clientVariables(wrong, FLAGS))).toEqual([
      "OBELISK_BROKERS: must be HOST:PORT, not `a:1,b:x`",
      "OBELISK_NATIVE: must be HOST:PORT, not `a:1,b:2`",
      "OBELISK_GROUP: must be UTF-8, not `caf\ufffd`",
    ]);
  });

  test("stops no command that uses one setting by the value of another", () => {
    const other = { OBELISK_DATA: "/srv", OBELISK_MEMORY: "lots", OBELISK_HTTP_PORT: "8080" };
    expect(loadSettings({ ...NOTHING, env: other, only: ["data"] }).settings.data).toBe("/srv");
  });
});
