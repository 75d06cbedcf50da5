/**
 * Probes and metrics.
 *
 *   GET /health         the whole report; 503 when unhealthy
 *   GET /health/live    200 as long as the process responds
 *   GET /health/ready   200 when messages are accepted; 503 while stopping or unhealthy
 *   GET /metrics        Prometheus text, or OpenMetrics for who asks for it
 */

import { type AnyElysia, Elysia } from "elysia";
import { documented } from "../access.ts";
import { reportHealth } from "../health.ts";
import type { HttpParts } from "../http-parts.ts";
import { expose } from "../metrics/exposition.ts";
import { FAMILIES } from "../metrics/metrics.ts";
import { HEALTH, HEALTH_EXAMPLE, PROBE } from "../openapi/schemas/health.ts";

export function healthRoutes(parts: HttpParts): AnyElysia {
  const { clock } = parts;
  const nowMs = () => clock.nowMs();
  const timestamp = () => new Date(nowMs()).toISOString();
  return new Elysia()
    .get(
      "/health",
      ({ set }) => {
        const report = reportHealth(parts, nowMs());
        if (report.status === "unhealthy") set.status = 503;
        return report;
      },
      documented({
        access: ["none", "server"],
        tag: "health",
        summary: "The health of every component",
        responses: {
          200: { description: "Healthy or degraded.", schema: HEALTH, example: HEALTH_EXAMPLE },
          503: { description: "Unhealthy.", schema: HEALTH },
        },
      }),
    )
    .get(
      "/health/live",
      () => ({ status: "alive", timestamp: timestamp() }),
      documented({
        access: ["none", "server"],
        tag: "health",
        summary: "Whether the process responds",
        responses: {
          200: {
            description: "It does.",
            schema: PROBE,
            example: { status: "alive", timestamp: HEALTH_EXAMPLE.timestamp },
          },
        },
      }),
    )
    .get(
      "/health/ready",
      ({ set }) => {
        const isReady = parts.isReady() && reportHealth(parts, nowMs()).status !== "unhealthy";
        if (!isReady) set.status = 503;
        return { status: isReady ? "ready" : "not ready", timestamp: timestamp() };
      },
      documented({
        access: ["none", "server"],
        tag: "health",
        summary: "Whether messages are accepted",
        responses: {
          200: {
            description: "They are.",
            schema: PROBE,
            example: { status: "ready", timestamp: HEALTH_EXAMPLE.timestamp },
          },
          503: { description: "Stopping, or unhealthy.", schema: PROBE },
        },
      }),
    )
    .get(
      "/metrics",
      async ({ request }) => {
        const reading = await parts.readings.read();
        const { contentType, text } = await expose(FAMILIES, reading, request.headers.get("accept"));
        return new Response(text, { headers: { "content-type": contentType } });
      },
      documented({
        access: ["none", "server"],
        tag: "health",
        summary: "Metrics as Prometheus text, or as OpenMetrics",
        responses: {
          200: {
            description: "Prometheus text.",
            mediaType: "text/plain",
            example: "# TYPE obelisk_messages_stored_total counter\nobelisk_messages_stored_total 4711\n",
            also: { "application/openmetrics-text": { schema: { type: "string" } } },
          },
        },
      }),
    );
}
