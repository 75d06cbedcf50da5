/** Connections by listener. */

import { counterBy, type Family, gaugeBy, type Row, rows } from "../family.ts";

export const CONNECTION_FAMILIES: readonly Family[] = [
  gaugeBy("door", "obelisk_active_connections", "Open connections.", function* ({ parts }) {
    for (const { name, connectionsActive } of parts.listeners()) yield [name, connectionsActive];
  }),
  counterBy("door", "obelisk_connections_total", "Connections accepted.", function* ({ parts }) {
    for (const { name, connectionsTotal } of parts.listeners()) yield [name, connectionsTotal];
  }),
  counterBy(
    "door",
    "obelisk_connection_errors_total",
    "Connections refused or broken.",
    function* ({ parts }) {
      for (const { name, connectionErrors } of parts.listeners()) yield [name, connectionErrors];
    },
  ),
  rows(
    "counter",
    "obelisk_connections_refused_total",
    "Connections refused: cause connections-max (the setting), or descriptors (`ulimit -n` leaves no place).",
    function* ({ parts }): Generator<Row> {
      for (const { name, connectionsRefused } of parts.listeners())
        for (const [cause, count] of Object.entries(connectionsRefused)) yield [{ door: name, cause }, count];
    },
  ),
  counterBy(
    "door",
    "obelisk_connection_bytes_in_total",
    "Bytes that came over connections.",
    function* ({ parts }) {
      for (const { name, bytesIn } of parts.listeners()) if (bytesIn !== null) yield [name, bytesIn];
    },
  ),
  counterBy(
    "door",
    "obelisk_connection_bytes_out_total",
    "Bytes that went over connections.",
    function* ({ parts }) {
      for (const { name, bytesOut } of parts.listeners()) if (bytesOut !== null) yield [name, bytesOut];
    },
  ),
];
