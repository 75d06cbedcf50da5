/**
 * What is in deploy/ for Prometheus and Grafana, against a running server and Prometheus' own checker: expressions parse, every metric and
 * label in them is there, each alert has a case in which it fires and one in which it does not.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTopic, fetchOnce, produceBatch, Wire } from "../crash/wire.ts";
import { batchOf } from "../support/batches.ts";
import { dashboard, panels, panelTargets, withVariables } from "../support/grafana.ts";
import { promtool, promtoolMissing } from "../support/promtool.ts";
import { startHere, type TestServer } from "../support/server.ts";

const DEPLOY = join(import.meta.dir, "../../deploy");
const RULES = join(DEPLOY, "prometheus/alerts.yml");
const CASES = join(DEPLOY, "prometheus/alerts.test.yml");
/** The width of a dashboard, in its own unit. */
const GRID_WIDTH = 24;
/** Made by Prometheus itself for each job. */
const FOREIGN_METRICS = new Set(["up"]);
/** The variable, as Grafana writes it. */
const DATASOURCE = "\u0024{datasource}";
/** Labels that Prometheus adds. */
const TARGET_LABELS = new Set(["job", "instance"]);

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; remedy: string };
}

interface Case {
  name: string;
  alert_rule_test: { alertname: string; exp_alerts: unknown[] }[];
}

const rules = (Bun.YAML.parse(readFileSync(RULES, "utf8")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
let server: TestServer;
/** Of each metric the labels of its samples. */
const labelsOf = new Map<string, Set<string>>();

beforeAll(async () => {
  server = await startHere({ data: "memory:" });
  const wire = await Wire.kafka(server.kafkaPort);
  await createTopic(wire, "orders");
  await produceBatch(wire, "orders", batchOf(["a"]));
  await fetchOnce(wire, "orders", 0);
  wire.close();
  const scrape = async () => await (await fetch(`http://127.0.0.1:${server.httpPort}/metrics`)).text();
  await scrape(); // the next one tells of this answer
  const text = await scrape();
  for (const line of text.split("\n")) {
    const [, declared] = /^# TYPE (\w+)/.exec(line) ?? [];
    if (declared !== undefined) labelsOf.set(declared, new Set());
    const [, name, labels = ""] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined || line.startsWith("#")) continue;
    const known = labelsOf.get(name) ?? new Set();
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
    labelsOf.set(name, known);
  }
});
afterAll(() => server.stop());

/** Metrics that an expression names. */
function metricsIn(expr: string): string[] {
  const withoutStrings = expr.replaceAll(/"[^"]*"/g, '""');
  return [...withoutStrings.matchAll(/\b(obelisk_\w+|process_\w+|up)\b/g)].map(([, name]) => name!);
}

test("every metric in an alert or a panel is on /metrics of a running server", () => {
  const exprs = [...rules.map(({ expr }) => expr), ...panelTargets.map(({ expr }) => expr)];
  const named = new Set(exprs.flatMap(metricsIn));
  expect(named.size).toBeGreaterThan(40);
  expect([...named].filter((name) => !labelsOf.has(name) && !FOREIGN_METRICS.has(name))).toEqual([]);
});

test("every label that a panel's legend names is on the metrics that it shows", () => {
  const strange = panelTargets.filter(({ expr, legendFormat }) => {
    const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    const sampled = metricsIn(expr).filter((name) => (labelsOf.get(name)?.size ?? 0) > 0);
    return sampled.some((name) => legend.some((label) => !labelsOf.get(name)!.has(label)));
  });
  expect(strange).toEqual([]);
});

test("every alert says what is wrong and what to do, and how severe it is", () => {
  for (const { alert, labels, annotations } of rules) {
    expect([alert, labels.severity]).toEqual([
      expect.any(String),
      expect.stringMatching(/^(critical|warning|info)$/),
    ]);
    expect([alert, Object.keys(annotations)]).toEqual([alert, ["summary", "remedy"]]);
  }
  const names = rules.map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
});

test("every alert has a case in which it fires, and one in which it does not", () => {
  const { tests } = Bun.YAML.parse(readFileSync(CASES, "utf8")) as { tests: Case[] };
  const cases = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
  const kinds = (alert: string) =>
    cases
      .filter(({ alertname }) => alertname === alert)
      .map(({ exp_alerts }) => exp_alerts.length > 0)
      .sort();
  expect(rules.map(({ alert }) => [alert, kinds(alert)])).toEqual(
    rules.map(({ alert }) => [alert, [false, true]]),
  );
});

test("an alert's summary names only labels that its metrics have", () => {
  for (const { alert, expr, annotations } of rules) {
    const told = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!);
    const sampled = metricsIn(expr).filter((name) => (labelsOf.get(name)?.size ?? 0) > 0);
    const known = new Set([...TARGET_LABELS, ...sampled.flatMap((name) => [...labelsOf.get(name)!])]);
    if (sampled.length > 0) expect([alert, told.filter((label) => !known.has(label))]).toEqual([alert, []]);
  }
});

describe("the dashboard", () => {
  test("has what Grafana needs to load it", () => {
    expect(dashboard).toMatchObject({ uid: "obelisk", title: "Obelisk", schemaVersion: 38 });
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ["datasource", "datasource"],
      ["job", "query"],
      ["instance", "query"],
    ]);
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { title, description, datasource, targets: own = [] } of panels) {
      expect([title, (description ?? "").length > 0, own.length > 0]).toEqual([title, true, true]);
      const uids = [datasource, ...own.map((target) => target.datasource)].map((source) => source?.uid);
      expect([title, ...new Set(uids)]).toEqual([title, DATASOURCE]);
      expect([title, new Set(own.map(({ refId }) => refId)).size]).toEqual([title, own.length]);
    }
  });

  test("has no panels that lie on each other, or beyond its width", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect([title, gridPos.x + gridPos.w <= GRID_WIDTH]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect([`${x},${y}`, taken.get(`${x},${y}`), title]).toEqual([`${x},${y}`, undefined, title]);
          taken.set(`${x},${y}`, title);
        }
    }
  });
});

describe.skipIf(promtoolMissing !== undefined)(
  promtoolMissing === undefined ? "promtool" : `promtool (skipped: ${promtoolMissing})`,
  () => {
    test("takes the alerts, and every case of them comes out as it says", async () => {
      expect(await promtool(["check", "rules", RULES])).toMatchObject({
        exitCode: 0,
        said: expect.stringContaining(`${rules.length} rules found`),
      });
      expect(await promtool(["test", "rules", CASES])).toMatchObject({
        exitCode: 0,
        said: expect.stringContaining("SUCCESS"),
      });
    });

    test("takes every expression of the dashboard", async () => {
      const directory = mkdtempSync(join(tmpdir(), "obelisk-rules-"));
      const file = join(directory, "panels.yml");
      const recorded = panelTargets.map(({ expr }, index) => ({
        record: `panel_${index}`,
        expr: withVariables(expr),
      }));
      writeFileSync(file, JSON.stringify({ groups: [{ name: "panels", rules: recorded }] }));
      try {
        expect(await promtool(["check", "rules", file])).toMatchObject({ exitCode: 0 });
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  },
);
