/** The health report in words. */

import type { HealthAnswer, HealthStatus } from "../api/answers.ts";
import { formatBytes } from "../base/format.ts";
import type { Tone } from "../parts/status-badge.tsx";

const NAMES: Readonly<Record<string, string>> = {
  buffer: "Appends",
  batcher: "Syncs and batches",
  storage: "Storage",
  tcp_server: "Listeners",
};

export interface ComponentTold {
  readonly id: string;
  readonly name: string;
  readonly status: HealthStatus;
  /** Why it is not healthy; null when it is, or does not say. */
  readonly reason: string | null;
  /** What to do about it; null when it does not say. */
  readonly remedy: string | null;
  readonly facts: readonly (readonly [name: string, value: string])[];
}

export function toneOf(status: HealthStatus): Tone {
  return status === "healthy" ? "good" : status === "degraded" ? "warning" : "bad";
}

export function componentsOf(health: HealthAnswer): ComponentTold[] {
  return Object.entries(health.components).map(([id, { status, details }]) => {
    const { reason = null, remedy = null, ...facts } = details;
    return {
      id,
      name: NAMES[id] ?? sentence(id),
      status,
      reason: textOf(reason),
      remedy: textOf(remedy),
      facts: Object.entries(facts).map(([name, value]) => [sentence(name), factOf(name, value)] as const),
    };
  });
}

/** Set out as a sentence. */
function textOf(value: string | number | boolean | null): string | null {
  const text = String(value ?? "");
  return text === "" ? null : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function factOf(name: string, value: string | number | boolean | null): string {
  if (value === null) return "none yet";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return value;
  if (name.endsWith("_bytes")) return formatBytes(value);
  return name.endsWith("rate") || name === "threshold"
    ? `${Number((value * 100).toFixed(2))} %`
    : String(value);
}

/** `disk_full` becomes `Disk full`. */
function sentence(name: string): string {
  const words = name
    .replaceAll("_", " ")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
