/**
 * `obelisk serve`: settings, then the server, then one place that waits for the end.
 *
 *   - standard output gets what was chosen (eleven lines, or with --json one line) once every listener is open; the log goes to
 *     standard error. Neither has to be writable: what cannot be written is lost, and the server goes on
 *   - the first SIGTERM or Ctrl-C shuts down gracefully (completes requests under way, syncs, sets the clean-shutdown flag) and
 *     exits 0; the second leaves at once with 143 or 130; a shutdown that takes longer than `shutdown-timeout` exits 2
 *   - SIGHUP reloads the settings (serve-signals.ts)
 *   - --print-config prints the manual of the settings instead
 */

import { resolve } from "node:path";
import { defineCommand } from "citty";
import { version } from "../package.json" with { type: "json" };
import { systemClock } from "../src/base/clock.ts";
import { createDisk } from "../src/base/disk.ts";
import { LineLog, type Log } from "../src/base/log.ts";
import { type ConfigError, ConfigErrors } from "../src/config/config-errors.ts";
import { CONFIG_FLAG, type LoadedSettings, loadSettings } from "../src/config/load.ts";
import { printManual } from "../src/config/manual.ts";
import { SETTING_KEYS, SETTINGS, type Settings } from "../src/config/settings.ts";
import { flagValues } from "./arguments.ts";
import { catchInterrupt } from "./interrupt.ts";
import { EXIT, output } from "./output.ts";
import { handleSignals } from "./serve-signals.ts";
import { exposureWarning, startedJson, startedLines } from "./serve-started.ts";

export const serveExamples = [
  "obelisk serve",
  "obelisk serve --data /var/lib/obelisk --host 0.0.0.0 --advertise broker.example:9092",
  "obelisk serve --native-port 0 --http-port 0 --kafka-port 0 --json",
  "obelisk serve --print-config > obelisk.yaml",
];

/** A flag for each setting, as texts: `loadSettings` understands them. */
const settingFlags = Object.fromEntries(
  SETTING_KEYS.map((key) => {
    const { name, kind, advice } = SETTINGS[key];
    const format = kind.format as (value: unknown) => string;
    const defaultValue = format(SETTINGS[key].default);
    const description = `${firstSentence(advice)}${defaultValue === "" ? "" : ` Default: ${defaultValue}.`}`;
    return [
      name,
      {
        type: kind.isSwitch ? "boolean" : "string",
        valueHint: kind.isSwitch ? "" : valueWord(name),
        description,
      },
    ];
  }),
) as Record<string, { type: "string"; valueHint: string; description: string }>;

const serveArgs = {
  ...settingFlags,
  [CONFIG_FLAG]: {
    type: "string",
    valueHint: "FILE",
    description: "A YAML file of settings, instead of ./obelisk.yaml.",
  },
  "print-config": {
    type: "boolean",
    description: "Print every setting with its value, range and advice, and exit.",
  },
  json: { type: "boolean", description: "Print what was started as one line of JSON." },
} as const;

export const serveCommand = defineCommand({
  meta: { name: "serve", description: "Runs the broker until it is stopped." },
  args: serveArgs,
  run: async ({ rawArgs }) => {
    const { "print-config": isPrinted, json, ...flags } = flagValues(serveArgs, rawArgs);
    // As it is now: it may be removed while the server runs.
    const cwd = process.cwd();
    const loaded = load(flags, cwd);
    if (isPrinted === "true") {
      output.write(printManual(loaded));
      return EXIT.yes;
    }
    return serve(loaded, () => load(flags, cwd), json === "true");
  },
});

/** The config errors in settings, for a command line that has errors of its own. */
export function serveConfigErrors(rawArgs: readonly string[]): readonly ConfigError[] {
  const { "print-config": _isPrinted, json: _json, ...flags } = flagValues(serveArgs, rawArgs);
  try {
    load(flags, process.cwd());
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigErrors) return thrown.errors;
    throw thrown;
  }
}

function load(flags: Record<string, string>, cwd: string): LoadedSettings {
  return loadSettings({ flags, env: process.env, cwd, files: createDisk() });
}

/** `loadAgain` reads the same sources once more. */
async function serve(
  loaded: LoadedSettings,
  loadAgain: () => LoadedSettings,
  json: boolean,
): Promise<number> {
  const { settings } = loaded;
  const log = new LineLog(settings.logLevel, settings.logFormat);
  const interrupt = catchInterrupt();
  const loadedNow = handleSignals(log, loaded, loadAgain);
  warn(log, exposureWarning(settings.host));
  // Sockets keep the process alive; this does so while none is open: at the start, and while stopping.
  setInterval(() => {}, HOLD_MS);
  const { startServer } = await import("../src/server.ts");
  const server = await startServer(settings, log, systemClock, {
    logLinesLost: () => log.linesLost,
    loaded: loadedNow,
  });
  const { native, http, kafka } = server.addresses;
  const started = {
    version,
    pid: process.pid,
    directory: placeOf(settings.data),
    native,
    http,
    kafka,
    ...server.describe(),
  };
  whenAborted(output.closed, () =>
    log.warn("standard output cannot be written; the server goes on", {
      reason: (output.closed.reason as Error).message,
    }),
  );
  if (json) output.json(startedJson(settings, started));
  else for (const line of startedLines(settings, started)) output.line(line);
  output.flush();
  await new Promise<void>((done) => whenAborted(interrupt.signal, done));
  const exitCode = await stop(server, settings, log, String(interrupt.signal.reason));
  output.abandon();
  return exitCode;
}

/** Any long time; a timer takes up to 2^31 ms. */
const HOLD_MS = 2 ** 30;

/** The graceful shutdown, within its time limit. */
async function stop(
  server: { stop(): Promise<void> },
  settings: Settings,
  log: Log,
  reason: string,
): Promise<number> {
  log.info("shutting down", { reason });
  const late = new Promise<"late">((done) =>
    systemClock.after(settings.shutdownTimeoutMs, () => done("late")),
  );
  const outcome = await Promise.race([server.stop(), late]);
  if (outcome === "late") {
    log.error("graceful shutdown timed out; the next start recovers", {
      "shutdown-timeout": `${settings.shutdownTimeoutMs}ms`,
    });
    return EXIT.failed;
  }
  log.info("shut down");
  return EXIT.yes;
}

/** The data directory as an absolute path; `memory:` stays as it is. */
function placeOf(data: string): string {
  return data === "memory:" ? data : resolve(data.replace(/^file:/, ""));
}

function warn(log: Log, warning: string | undefined): void {
  if (warning !== undefined) log.warn(warning);
}

function whenAborted(signal: AbortSignal, callback: () => void): void {
  if (signal.aborted) callback();
  else signal.addEventListener("abort", callback);
}

function firstSentence(text: string): string {
  return `${text.split(/\.\s/)[0]!.replace(/\.$/, "")}.`;
}

function valueWord(name: string): string {
  if (name === "advertise") return "HOST:PORT";
  return name.split("-").at(-1)!.toUpperCase();
}
