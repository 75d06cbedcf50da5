/** What the HTTP API is given to bound requests, and to tell about the server, in tests that are about something else. */

import type { Clock } from "../../src/base/clock.ts";
import { MemoryBudget } from "../../src/base/memory/memory-budget.ts";
import { MiB } from "../../src/base/units.ts";
import type { ClusterParts } from "../../src/http/cluster-parts.ts";
import type { HttpParts } from "../../src/http/http-parts.ts";

export function requestParts(
  clock: Clock,
): Pick<HttpParts, "requestBudget" | "responseBudget" | "bodyBytesMax" | "hosts" | "corsOrigins"> &
  ClusterParts {
  return {
    requestBudget: new MemoryBudget(64 * MiB, clock),
    responseBudget: new MemoryBudget(64 * MiB, clock),
    bodyBytesMax: 10 * MiB,
    hosts: [],
    corsOrigins: [],
    settings: () => [],
    connections: [],
    advertised: { host: null, port: 9092 },
    features: [],
  };
}
