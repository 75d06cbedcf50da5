/**
 * `obelisk serve` as a real process: what it says when it is ready, how it ends, and how it refuses to start. From the
 * sources, and compiled.
 */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json" with { type: "json" };
import { KiB, MiB } from "../../src/base/units.ts";
import {
  compiled,
  fromSources,
  type RunOptions,
  runObelisk,
  startObelisk,
} from "../support/obelisk-command.ts";
import { FREE_PORTS, type RunningServer, startServer } from "../support/obelisk-server.ts";

let directory = "";
const running: RunningServer[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "obelisk-serve-"));
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop("SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

for (const program of [fromSources, compiled]) {
  const title =
    program.missing === undefined ? program.name : `${program.name} (skipped: ${program.missing})`;
  const options: RunOptions = { program };

  /** A server that is ready, and is ended with the test. */
  const serve = async (...flags: string[]) => {
    const server = await startServer(directory, flags, options);
    running.push(server);
    return server;
  };

  describe.skipIf(program.missing !== undefined)(`serve, ${title}`, () => {
    test("says in one JSON line what it chose, with the ports that it took, and listens there", async () => {
      const { child, started, stop } = await serve();
      const { native, http, kafka, connectionsLeft, ...rest } = started;
      // A number where the system allows this process fewer descriptors than the settings want.
      expect(connectionsLeft === null || Number(connectionsLeft) > 0).toBe(true);
      expect(rest).toEqual({
        event: "started",
        version,
        pid: child.pid,
        node: 1,
        advertised: kafka,
        data: directory,
        durability: "fsync",
        memory: 512 * 1024 ** 2,
        retentionMs: 7 * 86_400_000,
        retentionBytes: -1,
        topics: 0,
        partitions: 0,
        findings: [],
      });
      for (const { host, port } of [native, http, kafka]) {
        for (const address of [host, "127.0.0.1"]) {
          const socket = await Bun.connect({ hostname: address, port, socket: { data() {} } });
          socket.end();
        }
      }
      expect(await stop()).toBe(0);
    });

    test("without --json it says it in eleven lines", async () => {
      const child = startObelisk(["serve", "--data", directory, ...FREE_PORTS], options);
      let text = "";
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        text += decoder.decode(chunk);
        if (text.split("\n").length > 11) child.kill("SIGINT");
      }
      expect(await child.exited).toBe(0);
      const lines = text.trimEnd().split("\n");
      expect(lines.length).toBe(11);
      expect(lines[0]).toBe(`Obelisk ${version} is ready (node 1, process ${child.pid})`);
    });

    test("a graceful shutdown leaves a directory that starts again without findings", async () => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        const { started, stop } = await serve();
        expect(started["findings"]).toEqual([]);
        expect(await stop(signal)).toBe(0);
      }
    });

    test("a second server on the same directory is refused in one line", async () => {
      await serve();
      const second = await runObelisk(["serve", "--data", directory, ...FREE_PORTS], options);
      expect({ exitCode: second.exitCode, stdout: second.stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(second.stderr).toMatch(/^obelisk: .*running server.*\n$/);
      expect(second.stderr).toContain(directory);
    });

    test("a port in use is refused in one line that names it", async () => {
      const { started } = await serve();
      const port = started.kafka.port;
      const flags = ["--native-port=0", "--http-port=0", `--kafka-port=${port}`];
      const second = await runObelisk(["serve", "--data", join(directory, "other"), ...flags], options);
      expect({ exitCode: second.exitCode, stdout: second.stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(second.stderr).toMatch(new RegExp(`^obelisk: .*${port}.*\\n$`));
    });

    test("a data directory that cannot be used is refused in one line that names it", async () => {
      const file = join(directory, "file");
      writeFileSync(file, "not a directory");
      const { exitCode, stdout, stderr } = await runObelisk(
        ["serve", "--data", join(file, "data"), ...FREE_PORTS],
        options,
      );
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toMatch(/^obelisk: .*\n$/);
      expect(stderr).toContain(file);
    });

    test("every spelling of all addresses is advertised as the address that each client came to", async () => {
      for (const [spelling, host] of [
        ["*", "::"],
        ["0", "0.0.0.0"],
        ["::0", "::"],
        ["[::]", "::"],
      ] as const) {
        const { child, started, stop } = await serve("--host", spelling);
        const { kafka, advertised } = started;
        expect([spelling, kafka.host, advertised]).toEqual([
          spelling,
          host,
          { host: null, port: kafka.port },
        ]);
        expect(await stop()).toBe(0);
        expect(await new Response(child.stderr).text()).toContain(
          `listening on ${host} without authentication`,
        );
      }
    });

    test("an address in brackets is listened on, and one that clients cannot use is not advertised", async () => {
      const { started, stop } = await serve("--host=[::1]");
      expect([started.kafka.host, started["advertised"]]).toEqual([
        "::1",
        { host: "::1", port: started.kafka.port },
      ]);
      expect(await stop()).toBe(0);
      for (const flags of [
        "--host=localhost:1",
        "--host=127.1",
        "--advertise=*:9092",
        "--advertise=[::0]:1",
        "--advertise=a:0",
      ]) {
        const { exitCode, stderr } = await runObelisk(["serve", flags], options);
        expect([flags, exitCode, stderr.startsWith(`obelisk: ${flags.split("=")[0]}: `)]).toEqual([
          flags,
          64,
          true,
        ]);
      }
    });

    test("the smallest memory is enough by itself, for the largest message too", async () => {
      const { started, stop } = await serve("--memory=64MiB");
      const message = join(directory, "message");
      writeFileSync(message, Buffer.alloc(10 * MiB - KiB, "x"));
      const words = ["produce", "large", "--protocol=native", `--native=127.0.0.1:${started.native.port}`];
      const { exitCode, stderr } = await runObelisk([...words, "--file", message], options);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(await stop()).toBe(0);
    });

    test("listening beyond loopback is warned of", async () => {
      const { child, stop } = await serve("--host=0.0.0.0");
      expect(await stop()).toBe(0);
      expect(await new Response(child.stderr).text()).toContain(
        "listening on 0.0.0.0 without authentication",
      );
    });
  });
}
