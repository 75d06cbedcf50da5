/** Health as numbers. */

import { COMPONENTS, type HealthStatus } from "../../health.ts";
import { type Family, gauge, gaugeBy } from "../family.ts";

const STATUS_VALUES: Record<HealthStatus, number> = { unhealthy: 0, degraded: 0.5, healthy: 1 };

export const HEALTH_FAMILIES: readonly Family[] = [
  gauge(
    "obelisk_health_status",
    "Overall health: 1 healthy, 0.5 degraded, 0 unhealthy.",
    ({ health }) => STATUS_VALUES[health.status],
  ),
  gaugeBy(
    "component",
    "obelisk_component_health",
    "Health of each component, as obelisk_health_status.",
    ({ health }) => COMPONENTS.map((name) => [name, STATUS_VALUES[health.components[name].status]] as const),
  ),
];
