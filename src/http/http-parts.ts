/** What the routes of the HTTP API are built from. The composition root (src/server.ts) fills it. */

import type { Log } from "../base/log.ts";
import type { MemoryBudget } from "../base/memory/memory-budget.ts";
import type { ClusterParts } from "./cluster-parts.ts";
import type { GroupParts } from "./groups/group-parts.ts";
import type { LeasedMembers } from "./lease/leased-members.ts";
import type { MetricsParts } from "./metrics/parts.ts";
import type { Readings } from "./metrics/readings.ts";
import type { Sampler } from "./metrics/sampler.ts";
import type { RequestServers } from "./request-servers.ts";

export interface HttpParts extends MetricsParts, GroupParts, ClusterParts {
  log: Log;
  /** False while the server stops. */
  isReady: () => boolean;
  /** The memory for requests, which all listeners share. */
  requestBudget: MemoryBudget;
  /** The memory for responses, likewise. */
  responseBudget: MemoryBudget;
  /** Of one JSON document, and of one line of a stream. */
  bodyBytesMax: number;
  /** Where it listens, who it is called, and which pages may use it (origin-check.ts). */
  host: string;
  hosts: readonly string[];
  corsOrigins: readonly string[];
  /** Which of Bun's servers each request came through. */
  servers: RequestServers;
  /** Consumers over HTTP. */
  leases: LeasedMembers;
  /** What metrics and the overview tell. */
  readings: Readings;
  sampler: Sampler;
}
