/** What the routes about the server as a whole are built from. */

import type { ConnectionSource } from "./connection-list.ts";

/** A setting of the server as it is now (config/readings.ts). */
export interface SettingReading {
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly source: string;
  readonly number: number | null;
  readonly unit: "bytes" | "ms" | null;
  readonly takes: string;
  readonly range: string;
  readonly advice: string;
  readonly variable: string;
  readonly isLive: boolean;
}

export interface ClusterParts {
  settings: () => readonly SettingReading[];
  connections: readonly ConnectionSource[];
  /** What Kafka clients are told to connect to; null: the host that they have connected to. */
  advertised: { readonly host: string | null; readonly port: number };
  /** Of the Kafka API. */
  features: readonly { readonly name: string; readonly level: number }[];
}
