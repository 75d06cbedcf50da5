/**
 * `GET /connections`: who is connected to the Kafka API and to the native protocol, and what each has done. Of the HTTP API Bun tells
 * how many there are, not which.
 */

import type { Clock } from "../base/clock.ts";
import { ObeliskError } from "../base/errors.ts";
import { TurnShare } from "../base/loop/turn-share.ts";

/** Connections of one page, some 250 bytes each. */
export const CONNECTIONS_PAGE_MAX = 10_000;
/** Connections between two looks at the clock. */
const AT_ONCE = 128;

/** A connection of a listener (network/connection.ts). */
export interface OpenConnection {
  readonly id: number;
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly openedAtMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly frames: number;
  readonly outstanding: number;
  readonly outputBytes: number;
  closeNow(): void;
}

/** What a client calls itself; empty: it does not say. */
export interface ClientNames {
  readonly clientId: string;
  readonly software: string;
}

export interface ConnectionSource {
  readonly listener: string;
  /** In the order in which they were accepted. */
  connections(): Iterable<{ readonly connection: OpenConnection; readonly names: ClientNames }>;
}

export interface ListedConnection {
  readonly id: string;
  readonly listener: string;
  readonly host: string;
  readonly port: number;
  readonly clientId: string | null;
  readonly software: string | null;
  readonly since: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly requests: number;
  readonly requestsUnderWay: number;
  readonly unsentBytes: number;
}

export interface ConnectionQuery {
  readonly listener?: string | undefined;
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/** @throws ObeliskError INVALID_REQUEST for an `after` that is no id */
export async function listConnections(
  sources: readonly ConnectionSource[],
  { listener, after, limit = CONNECTIONS_PAGE_MAX }: ConnectionQuery,
  clock: Clock,
): Promise<{ connections: ListedConnection[]; next?: string }> {
  const share = new TurnShare(clock);
  const begin = after === undefined ? null : placeOf(sources, after);
  const listed: ListedConnection[] = [];
  for (const [index, source] of sources.entries()) {
    if (listener !== undefined && source.listener !== listener) continue;
    if (begin !== null && index < begin.index) continue;
    const afterId = begin?.index === index ? begin.id : 0;
    for (const { connection, names } of source.connections()) {
      if (connection.id <= afterId) continue;
      if (listed.length === limit) return { connections: listed, next: listed.at(-1)!.id };
      if (listed.length % AT_ONCE === 0 && share.isUsedUp) await share.rest();
      listed.push(describe(source.listener, connection, names));
    }
  }
  return { connections: listed };
}

/** @throws ObeliskError NOT_FOUND */
export function closeConnection(sources: readonly ConnectionSource[], id: string): void {
  for (const { listener, connections } of sources) {
    if (!id.startsWith(`${listener}-`)) continue;
    for (const { connection } of connections()) {
      if (idOf(listener, connection) !== id) continue;
      connection.closeNow();
      return;
    }
  }
  throw new ObeliskError("NOT_FOUND", { detail: `there is no connection ${JSON.stringify(id)}` });
}

function describe(listener: string, connection: OpenConnection, names: ClientNames): ListedConnection {
  const { remoteHost, remoteAddress, openedAtMs, bytesIn, bytesOut, frames, outstanding, outputBytes } =
    connection;
  return {
    id: idOf(listener, connection),
    listener,
    host: remoteHost,
    port: Number(remoteAddress.slice(remoteAddress.lastIndexOf(":") + 1)),
    clientId: names.clientId || null,
    software: names.software || null,
    since: openedAtMs,
    bytesIn,
    bytesOut,
    requests: frames,
    requestsUnderWay: outstanding,
    unsentBytes: outputBytes,
  };
}

function idOf(listener: string, { id }: OpenConnection): string {
  return `${listener}-${id}`;
}

function placeOf(sources: readonly ConnectionSource[], text: string): { index: number; id: number } {
  const [, name, digits] = /^([a-z]+)-(\d{1,15})$/.exec(text) ?? [];
  const index = sources.findIndex(({ listener }) => listener === name);
  if (index === -1)
    throw new ObeliskError("INVALID_REQUEST", { detail: `after cannot be ${JSON.stringify(text)}` });
  return { index, id: Number(digits) };
}
