/** Signals to a real server that are not meant to end it. From the sources, and compiled. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compiled, fromSources, type RunOptions } from "../support/obelisk-command.ts";
import { type RunningServer, startServer } from "../support/obelisk-server.ts";

let directory = "";
const running: RunningServer[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-signals-"));
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

/** Reads a stream line by line. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async next(): Promise<string> {
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`the log ended after "${this.#text}"`);
      this.#text += this.#decoder.decode(value, { stream: true });
    }
    const [line = "", ...rest] = this.#text.split("\n");
    this.#text = rest.join("\n");
    return line;
  }
}

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;

  describe.skipIf(program.missing !== undefined)(`signals, ${title}`, () => {
    const config = () => join(directory, "settings.yaml");
    const serve = async (yaml: string, more: Partial<RunOptions> = {}) => {
      writeFileSync(config(), yaml);
      const flags = ["--config", config(), "--node-id=3"];
      const server = await startServer(join(directory, "data"), flags, { program, ...more });
      running.push(server);
      return { server, log: new Lines(server.child.stderr) };
    };

    test("SIGHUP puts a new log level in force, and names what needs a restart", async () => {
      const { server, log } = await serve("log-level: info\n");
      writeFileSync(config(), "log-level: debug\nmemory: 1GiB\n");
      server.child.kill("SIGHUP");
      expect([await log.next(), await log.next()]).toEqual([
        `WARN  setting changed: it takes effect after a restart setting=memory before=512MiB now=1GiB source=${config()} line 2`,
        `INFO  setting changed setting=log-level before=info now=debug source=${config()} line 1`,
      ]);
      writeFileSync(config(), "log-level: error\n");
      server.child.kill("SIGHUP");
      expect(await log.next()).toBe(
        `INFO  setting changed setting=log-level before=debug now=error source=${config()} line 1`,
      );
      writeFileSync(config(), "log-level: info\n");
      server.child.kill("SIGHUP");
      expect(await log.next()).toContain("before=error now=info");
      server.child.kill("SIGHUP");
      expect(await log.next()).toBe("INFO  settings reloaded: nothing has changed");
      expect(await server.stop()).toBe(0);
    });

    test("SIGHUP logs errors in the settings, and what was in force stays", async () => {
      const { server, log } = await serve("log-level: info\n");
      writeFileSync(config(), "log-level: loud\nmemroy: 1GiB\n");
      server.child.kill("SIGHUP");
      const words = "ERROR reload failed: config error; the settings in force stay reason=";
      const lines = [await log.next(), await log.next()].sort();
      expect(lines).toEqual([
        `${words}${config()} line 1: log-level must be one of error, warn, info, debug, not \`loud\``,
        `${words}${config()} line 2: unknown setting \`memroy\`, did you mean \`memory\`?`,
      ]);
      rmSync(config());
      server.child.kill("SIGHUP");
      expect(await log.next()).toBe(`${words}${config()}: no such file`);
      writeFileSync(config(), "log-level: info\n");
      server.child.kill("SIGHUP");
      expect(await log.next()).toBe("INFO  settings reloaded: nothing has changed");
      expect(await server.stop()).toBe(0);
    });

    test("SIGHUP ends no server, also one that was started with nohup", async () => {
      const nohup = { ...program, command: ["nohup", ...program.command] };
      const { server, log } = await serve("log-level: info\n", { program: nohup });
      server.child.kill("SIGHUP");
      let line = await log.next();
      // nohup says what it does with the output.
      while (line.startsWith("nohup:")) line = await log.next();
      expect(line).toBe("INFO  settings reloaded: nothing has changed");
      expect(await server.stop()).toBe(0);
    });

    test("signals without a meaning are told and end nothing", async () => {
      const { server, log } = await serve("log-level: info\n");
      server.child.kill("SIGPIPE");
      for (const name of ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO"] as const) {
        server.child.kill(name);
        expect(await log.next()).toStartWith(`WARN  ${name} ignored`);
      }
      expect(await server.stop()).toBe(0);
    });
  });
}
