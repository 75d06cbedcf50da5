/** What the routes of the HTTP API are built from. The composition root (src/server.ts) fills it. */

import type { Log } from "../base/log.ts";
import type { LoopTurns } from "../base/loop/loop-turns.ts";
import type { HealthParts } from "./health.ts";
import type { ListenerActivity } from "./metrics.ts";
import type { RequestServers } from "./request-servers.ts";

export interface HttpParts extends HealthParts {
  log: Log;
  /** False while the server stops. */
  isReady: () => boolean;
  activity: () => ListenerActivity;
  loopTurns: LoopTurns;
  residentBytes: () => number;
  /** Lines that the log could not write. */
  logLinesLost: () => number;
  /** Which of Bun's servers each request came through. */
  servers: RequestServers;
}
