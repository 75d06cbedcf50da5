import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type LoadedSettings, loadSettings } from "../../src/config/load.ts";
import { printManual } from "../../src/config/manual.ts";
import { defaultSettings, SETTING_KEYS, SETTINGS, type Settings } from "../../src/config/settings.ts";

function readBack(manual: string): Settings {
  const files = { exists: () => true, readFile: () => Buffer.from(manual) };
  return loadSettings({ flags: {}, env: {}, cwd: "/", files }).settings;
}

function loaded(settings: Settings): LoadedSettings {
  const { origins } = loadSettings({
    flags: {},
    env: {},
    cwd: "/",
    files: { exists: () => false, readFile: () => Buffer.alloc(0) },
  });
  return { settings, origins };
}

describe("the manual of the settings", () => {
  test("read back as a file it gives the defaults", () => {
    expect(readBack(printManual(loaded(defaultSettings())))).toEqual(defaultSettings());
  });

  test("read back as a file it gives the same settings, whatever they are", () => {
    const word = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom("yes", "null", "0x10", "1e3", "~", "007", "- a", "a: b", "#", "'"),
    );
    const arbitrary = fc.record({
      data: word.filter((text) => text.trim() !== ""),
      memoryBytes: fc.integer({ min: 128 * 1024 ** 2, max: 2 ** 40 }),
      durability: fc.oneof(
        fc.constant({ mode: "os" as const, intervalMs: 0 }),
        fc.integer({ min: 1, max: 60_000 }).map((intervalMs) => ({ mode: "interval" as const, intervalMs })),
      ),
      advertise: fc.option(
        fc.record({
          host: fc.constantFrom("a.example", "::1", "10.0.0.1"),
          port: fc.integer({ min: 1, max: 65_535 }),
        }),
      ),
      autoCreate: fc.boolean(),
      httpHosts: fc.array(fc.constantFrom("a.example", "::1", "10.0.0.1")),
      httpCorsOrigins: fc.array(fc.constantFrom("https://a.example", "http://localhost:3000", "*", "null")),
      segmentMs: fc.integer({ min: 60_000, max: 86_400_000 }),
      healthThreshold: fc.integer({ min: 0, max: 1000 }).map((value) => value / 1000),
    });
    fc.assert(
      fc.property(arbitrary, (overrides) => {
        const settings = defaultSettings(overrides);
        expect(readBack(printManual(loaded(settings)))).toEqual(settings);
      }),
    );
  });

  test("names each setting with default, range, flag, variable and origin", () => {
    const { settings, origins } = loaded(defaultSettings({ segmentBytes: 1024 ** 3 }));
    const manual = printManual({ settings, origins: { ...origins, segmentBytes: "--segment-bytes" } });
    expect(manual).toContain(
      [
        "# Default: 256MiB. Takes a size such as 64KiB, 512MiB or 1GiB; 1 MiB to 1 GiB.",
        "# Flag --segment-bytes, variable OBELISK_SEGMENT_BYTES. Set by: --segment-bytes.",
        "segment-bytes: 1GiB",
      ].join("\n"),
    );
    for (const key of SETTING_KEYS) expect(manual).toMatch(new RegExp(`^${SETTINGS[key].name}: `, "m"));
  });

  test("each default lies in its own range", () => {
    for (const key of SETTING_KEYS) {
      const { kind, default: defaultValue } = SETTINGS[key] as {
        kind: { parse(text: string): unknown; format(value: unknown): string };
        default: unknown;
      };
      expect(kind.parse(kind.format(defaultValue))).toEqual(defaultValue);
    }
  });
});
