/** The process, in the names that Prometheus' own libraries give, and which build it is. */

import { SECOND_MS } from "../../../base/units.ts";
import { counter, type Family, gauge, rows } from "../family.ts";

export const PROCESS_FAMILIES: readonly Family[] = [
  rows(
    "gauge",
    "obelisk_build_info",
    "Always 1; the labels say which build runs.",
    ({ parts: { build } }) => [[{ version: build.version, runtime: build.runtime }, 1]],
  ),
  counter("obelisk_log_lines_lost_total", "Lines of the log that could not be written.", ({ parts }) =>
    parts.logLinesLost(),
  ),
  gauge(
    "process_start_time_seconds",
    "When the process started, by the Unix epoch.",
    ({ parts }) => parts.process.startedAtMs / SECOND_MS,
  ),
  counter("process_cpu_seconds_total", "Seconds of processor time, of all threads.", ({ parts }) =>
    parts.process.cpuSeconds(),
  ),
  gauge("process_resident_memory_bytes", "Resident memory of the process.", ({ parts }) =>
    parts.process.residentBytes(),
  ),
  gauge("process_open_fds", "Descriptors that are open.", ({ openDescriptors }) => openDescriptors),
  gauge("process_max_fds", "Descriptors that there may be.", ({ parts }) => parts.process.descriptorLimit()),
];
