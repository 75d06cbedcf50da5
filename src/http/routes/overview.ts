/**
 * What the dashboard's first page shows.
 *
 *   GET /overview           totals since the start, and what is so in this moment
 *   GET /overview/history   the last quarter of an hour, a sample each five seconds
 */

import { type AnyElysia, Elysia } from "elysia";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { HISTORY_STEP_MS } from "../metrics/history.ts";
import { overviewOf } from "../metrics/overview.ts";
import { HISTORY, HISTORY_EXAMPLE, OVERVIEW, OVERVIEW_EXAMPLE } from "../openapi/schemas/health.ts";

export function overviewRoutes(parts: HttpParts): AnyElysia {
  const { sampler } = parts;
  return new Elysia()
    .get(
      "/overview",
      () => overviewOf(parts, sampler),
      documented({
        access: ["describe", "cluster"],
        tag: "cluster",
        summary: "The whole server at a glance",
        description:
          "Totals count since the start; latencies are those of the last five seconds, in milliseconds, null where there were none; `produce` has Kafka's requests and those over HTTP. " +
          "Lag, disk and the sum of all logs are some seconds old.",
        responses: {
          200: {
            description: "Totals, latencies, health, connections, disk, memory and lag.",
            schema: OVERVIEW,
            example: OVERVIEW_EXAMPLE,
          },
        },
      }),
    )
    .get(
      "/overview/history",
      () => ({ stepMs: HISTORY_STEP_MS, ...sampler.history.read() }),
      documented({
        access: ["describe", "cluster"],
        tag: "cluster",
        summary: "The last quarter of an hour",
        description:
          "One list for each series, the oldest sample first, null where a value is not known. The series are totals since the start, as " +
          "in /overview, and values of the moment; lagByGroup has the groups that lag most.",
        responses: { 200: { description: "Series of samples.", schema: HISTORY, example: HISTORY_EXAMPLE } },
      }),
    );
}
