/**
 * A real Prometheus (Debian: prometheus) that scrapes one target some times a second, with the alerts of deploy/, on a port of its own.
 * It takes 5 s until it knows its target: tests that need one run beside each other.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail } from "../../src/base/assert.ts";

const PROGRAM = Bun.which("prometheus");
const RULES = join(import.meta.dir, "../../deploy/prometheus/alerts.yml");
/** Of scrapes, and of the rules; short, so that nobody waits long. */
const EVERY = "200ms";
const LISTENING = /msg="Listening on" address=(\S+)/;
const READY = "Server is ready";

/** Why there is none here; undefined when there can be one. */
export const prometheusMissing: string | undefined =
  PROGRAM === null ? "prometheus is not installed (Debian: prometheus)" : undefined;

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The summary is what an operator reads first. */
export interface Alert {
  readonly name: string;
  readonly state: "pending" | "firing";
  readonly summary: string;
}

export class Prometheus implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #directory: string;
  readonly #address: string;

  private constructor(child: Bun.Subprocess<"ignore", "ignore", "pipe">, directory: string, address: string) {
    this.#child = child;
    this.#directory = directory;
    this.#address = address;
  }

  /** `target`: HOST:PORT, scraped as the job `obelisk`. */
  static async start(target: string): Promise<Prometheus> {
    const directory = mkdtempSync(join(tmpdir(), "obelisk-prometheus-"));
    const config = join(directory, "prometheus.yml");
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: EVERY, scrape_timeout: EVERY, evaluation_interval: EVERY },
        rule_files: [RULES],
        scrape_configs: [{ job_name: "obelisk", static_configs: [{ targets: [target] }] }],
      }),
    );
    const words = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      "--web.listen-address=127.0.0.1:0",
    ];
    const child = Bun.spawn([PROGRAM ?? fail("prometheus is not here"), ...words], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    return new Prometheus(child, directory, await listening(child));
  }

  /** What an expression gives now. @throws when it is none */
  async query(expr: string): Promise<Series[]> {
    const { result } = await this.#ask<{
      result: { metric: Record<string, string>; value: [number, string] }[];
    }>(`query?${new URLSearchParams({ query: expr })}`);
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async alerts(): Promise<Alert[]> {
    interface Told {
      labels: { alertname: string };
      annotations: { summary: string };
      state: Alert["state"];
    }
    const { alerts } = await this.#ask<{ alerts: Told[] }>("alerts");
    return alerts
      .map(({ labels, annotations, state }) => ({
        name: labels.alertname,
        state,
        summary: annotations.summary,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #ask<Data>(path: string): Promise<Data> {
    const response = await fetch(`http://${this.#address}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: Data; error?: string };
    if (status !== "success") throw new Error(`Prometheus refuses ${path}: ${error}`);
    return data;
  }
}

/** Its address, once it answers; from its log, which is read to the end. */
async function listening(child: Bun.Subprocess<"ignore", "ignore", "pipe">): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  void (async () => {
    let log = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      log += decoder.decode(chunk, { stream: true });
      const address = LISTENING.exec(log)?.[1];
      if (address !== undefined && log.includes(READY)) resolve(address);
    }
    reject(new Error(`Prometheus ended: ${log}`));
  })();
  return await promise;
}
