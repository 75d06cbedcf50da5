/**
 * Metrics for Prometheus, under the names that the Go Obelisk gave them, and those that Obelisk adds. Everything is read from plain
 * counters when a scrape asks; nothing here is called while messages flow.
 */

import { CONNECTION_FAMILIES } from "./families/connections.ts";
import { GROUP_FAMILIES } from "./families/groups.ts";
import { HEALTH_FAMILIES } from "./families/health.ts";
import { LOOP_FAMILIES } from "./families/loop.ts";
import { MEMORY_FAMILIES } from "./families/memory.ts";
import { MESSAGE_FAMILIES } from "./families/messages.ts";
import { PROCESS_FAMILIES } from "./families/process.ts";
import { REQUEST_FAMILIES } from "./families/requests.ts";
import { STORAGE_FAMILIES } from "./families/storage.ts";
import { TOPIC_FAMILIES } from "./families/topics.ts";
import type { Family } from "./family.ts";

export const FAMILIES: readonly Family[] = [
  ...MESSAGE_FAMILIES,
  ...CONNECTION_FAMILIES,
  ...REQUEST_FAMILIES,
  ...TOPIC_FAMILIES,
  ...GROUP_FAMILIES,
  ...MEMORY_FAMILIES,
  ...LOOP_FAMILIES,
  ...HEALTH_FAMILIES,
  ...STORAGE_FAMILIES,
  ...PROCESS_FAMILIES,
];
