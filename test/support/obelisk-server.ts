/** A server as a real process, started on free ports, for tests that meet it from outside. */

import { type RunOptions, startObelisk } from "./obelisk-command.ts";

export const FREE_PORTS = ["--native-port=0", "--http-port=0", "--kafka-port=0"];

interface Place {
  readonly host: string;
  readonly port: number;
}

/** The line that `serve --json` prints. */
export interface StartedLine {
  readonly native: Place;
  readonly http: Place;
  readonly kafka: Place;
  readonly [key: string]: unknown;
}

export interface RunningServer {
  readonly child: ReturnType<typeof startObelisk>;
  readonly started: StartedLine;
  /** Ends it with a signal; its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts `obelisk serve`, on free ports where `flags` name none, and waits until it is ready. Kills what still runs when disposed. */
export async function startServer(
  directory: string,
  flags: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunningServer> {
  const ports = FREE_PORTS.filter((port) => !flags.some((flag) => flag.startsWith(port.slice(0, -1))));
  const child = startObelisk(["serve", "--json", "--data", directory, ...ports, ...flags], options);
  let line = "";
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  while (!line.includes("\n")) {
    const { value, done } = await reader.read();
    if (done)
      throw new Error(
        `the server ended with ${await child.exited}, not ready: ${await new Response(child.stderr).text()}`,
      );
    line += decoder.decode(value, { stream: true });
  }
  if (!line.includes('"started"')) throw new Error(`the server did not start: ${line}`);
  const stop = (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return child.exited;
  };
  return {
    child,
    started: JSON.parse(line) as StartedLine,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop("SIGKILL");
    },
  };
}
