/** The dashboard in deploy/grafana as tests read it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  datasource?: { uid: string };
  targets?: { expr: string; legendFormat: string; refId: string; datasource: { uid: string } }[];
}

const FILE = join(import.meta.dir, "../../deploy/grafana/obelisk.json");

export const dashboard = JSON.parse(readFileSync(FILE, "utf8")) as {
  uid: string;
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string; type: string }[] };
};

/** Without the rows that group them. */
export const panels: readonly Panel[] = dashboard.panels.filter(({ type }) => type !== "row");

/** Each expression, with the title of its panel. */
export const panelTargets = panels.flatMap(({ title, targets = [] }) =>
  targets.map((target) => ({ title, ...target })),
);

/** As Prometheus gets it, with something in the place of each variable. */
export function withVariables(expr: string, instance = "a:8081"): string {
  return expr
    .replaceAll("$__rate_interval", "5m")
    .replaceAll("$job", "obelisk")
    .replaceAll("$instance", instance);
}
