/**
 * The signals that do not end the server.
 *
 *     SIGHUP          reloads the settings: applies what can change while running (the log level), names what needs a
 *                     restart. Config errors are logged, and the settings in force stay
 *     SIGUSR1, ...    nothing: logged, because whoever sent one expected something
 *
 * The system would end the process for each of them, without a graceful shutdown. What ends the server is in interrupt.ts; SIGQUIT
 * is left to the system, as the way out when nothing else works.
 */

import { type LineLog, LOG_LEVELS } from "../src/base/log.ts";
import { ConfigErrors, configErrorWords } from "../src/config/config-errors.ts";
import type { LoadedSettings } from "../src/config/load.ts";
import { changedSettings } from "../src/config/reload.ts";

/**
 * Signals that other programs give a meaning, and whose default action ends a process. SIGPIPE is not among them: the runtime
 * ignores it already, and a line about it could be what brings the next.
 */
const WITHOUT_MEANING = ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO"] as const;

/**
 * Takes over the signals for the life of the process. `loadAgain` reads the settings from the same sources again; what is returned tells
 * which are in force.
 */
export function handleSignals(
  log: LineLog,
  loaded: LoadedSettings,
  loadAgain: () => LoadedSettings,
): () => LoadedSettings {
  let running = loaded;
  process.on("SIGHUP", () => {
    const again = readAgain(log, loadAgain);
    if (again !== undefined) running = putInForce(log, running, again);
  });
  for (const name of WITHOUT_MEANING) {
    process.on(name, () => log.warn(`${name} ignored: SIGHUP reloads the settings, SIGTERM shuts down`));
  }
  return () => running;
}

/** Whatever goes wrong, the server goes on as it is. */
function readAgain(log: LineLog, loadAgain: () => LoadedSettings): LoadedSettings | undefined {
  try {
    return loadAgain();
  } catch (thrown) {
    const reasons = thrown instanceof ConfigErrors ? thrown.errors.map(configErrorWords) : [String(thrown)];
    for (const reason of reasons)
      log.error("reload failed: config error; the settings in force stay", { reason });
    return undefined;
  }
}

/** Returns what the server runs with from now on. */
function putInForce(log: LineLog, running: LoadedSettings, loaded: LoadedSettings): LoadedSettings {
  const changes = changedSettings(running.settings, loaded);
  const { logLevel } = loaded.settings;
  // Logged at the more verbose of both levels, so that a change to `error` is logged too.
  if (LOG_LEVELS.indexOf(logLevel) > LOG_LEVELS.indexOf(log.level)) log.level = logLevel;
  if (changes.length === 0) log.info("settings reloaded: nothing has changed");
  for (const { name, running: before, given, source, isLive } of changes) {
    const facts = { setting: name, before, now: given, source };
    if (isLive) log.info("setting changed", facts);
    else log.warn("setting changed: it takes effect after a restart", facts);
  }
  log.level = logLevel;
  return {
    settings: { ...running.settings, logLevel },
    origins: { ...running.origins, logLevel: loaded.origins.logLevel },
  };
}
