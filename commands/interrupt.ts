/**
 * Ctrl-C and SIGTERM for commands that run for long. The first requests a graceful shutdown (the signal is aborted: stop taking
 * work, finish what is under way, commit, disconnect); the second leaves at once with 128 + the signal's number.
 * Commands that end by themselves do not use this, and the system's default action ends them.
 */

import { EXIT, note } from "./output.ts";

export interface Interrupt {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  release(): void;
}

/** Takes over both signals. `hint` is printed on standard error at the first one. */
export function catchInterrupt(hint?: string): Interrupt {
  const controller = new AbortController();
  const onSignal = (name: "SIGINT" | "SIGTERM") => {
    if (controller.signal.aborted) process.exit(name === "SIGINT" ? EXIT.interrupted : EXIT.terminated);
    if (hint !== undefined) note(hint);
    controller.abort(name);
  };
  const onInterrupt = () => onSignal("SIGINT");
  const onTerminate = () => onSignal("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  return {
    signal: controller.signal,
    release: () => {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
}
