/** Who is connected, and how much they do. */

import { useMemo, useState } from "preact/hooks";
import { askAllPages } from "../api/all-pages.ts";
import type { ConnectionAnswer } from "../api/answers.ts";
import { ask, routeOf } from "../api/ask.ts";
import { type Resource, useResource } from "../api/resource.ts";
import { formatBytes, formatCount, formatDuration, plural, UNKNOWN } from "../base/format.ts";
import { query, setQuery } from "../base/router.ts";
import { nowMs } from "../base/time.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { ordered } from "../parts/ordered.ts";
import { Page } from "../parts/page.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { tell } from "../parts/toast.tsx";
import { type Column, type Order, VirtualRows } from "../parts/virtual-rows.tsx";
import { visibleText } from "../values/visible-text.ts";

const EVERY_MS = 3000;

const columns = (onClose: (connection: ConnectionAnswer) => void): readonly Column<ConnectionAnswer>[] => [
  {
    id: "host",
    label: "Address",
    width: "minmax(0, 1fr)",
    isKept: true,
    canSort: true,
    cell: ({ host, port }) => <span class="data">{addressOf({ host, port })}</span>,
  },
  {
    id: "client",
    label: "Client",
    width: "minmax(0, 1.6fr)",
    isKept: true,
    canSort: true,
    cell: ({ clientId, software }) => (
      <>
        <span class="data">{visibleText(clientId ?? UNKNOWN)}</span>{" "}
        <span class="muted">{visibleText(software ?? "")}</span>
      </>
    ),
  },
  { id: "listener", label: "Listener", width: "5.5rem", canSort: true, cell: ({ listener }) => listener },
  {
    id: "since",
    label: "Open for",
    width: "7rem",
    isNumber: true,
    canSort: true,
    cell: ({ since }) => formatDuration(nowMs() - since),
  },
  {
    id: "requests",
    label: "Requests",
    width: "7rem",
    isNumber: true,
    canSort: true,
    cell: ({ requests }) => formatCount(requests),
  },
  {
    id: "in",
    label: "Bytes in",
    width: "6rem",
    isNumber: true,
    canSort: true,
    cell: ({ bytesIn }) => formatBytes(bytesIn),
  },
  {
    id: "out",
    label: "Bytes out",
    width: "6rem",
    isNumber: true,
    canSort: true,
    cell: ({ bytesOut }) => formatBytes(bytesOut),
  },
  {
    id: "close",
    label: "Close",
    width: "4.5rem",
    isNumber: true,
    cell: (connection) => (
      <button
        type="button"
        class="button quiet small danger-quiet"
        aria-label={`Close ${addressOf(connection)}`}
        onClick={() => onClose(connection)}
      >
        Close
      </button>
    ),
  },
];

function addressOf({ host, port }: Pick<ConnectionAnswer, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Those that say no name are one each. */
function clientsOf(connections: readonly ConnectionAnswer[]): number {
  return new Set(
    connections.map(({ id, host, clientId }) => (clientId === null ? id : `${host}/${clientId}`)),
  ).size;
}

function useConnections(): Resource<readonly ConnectionAnswer[]> {
  return useResource(routeOf(["connections"]), EVERY_MS, load);
}

function load(path: string, signal: AbortSignal): Promise<ConnectionAnswer[]> {
  return askAllPages(path, "connections", signal);
}

export function ConnectionsPage() {
  const { data: connections, refusal, reload } = useConnections();
  const [closing, setClosing] = useState<ConnectionAnswer | null>(null);
  const shownColumns = useMemo(() => columns(setClosing), []);
  const [order, setOrder] = useState<Order>({ by: "since", isDescending: false });
  const search = query.value.get("search") ?? "";
  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    const found = (connections ?? []).filter(({ host, clientId, software, listener }) =>
      [host, clientId ?? "", software ?? "", listener].some((text) => text.toLowerCase().includes(wanted)),
    );
    return ordered(found, order, {
      host: ({ host }) => host,
      client: ({ clientId }) => clientId,
      listener: ({ listener }) => listener,
      since: ({ since }) => -since,
      requests: ({ requests }) => requests,
      in: ({ bytesIn }) => bytesIn,
      out: ({ bytesOut }) => bytesOut,
    });
  }, [connections, search, order]);
  return (
    <Page
      title="Connections"
      lead={
        connections === null
          ? ""
          : `${plural(connections.length, "connection")} of ${plural(clientsOf(connections), "client")}, by Kafka's and the native protocol`
      }
    >
      <div class="toolbar">
        <SearchBox
          label="Search connections"
          value={search}
          onChange={(value) => setQuery({ search: value })}
        />
      </div>
      <Refused refusal={refusal} />
      {connections === null && refusal === null && <Waiting />}
      {connections !== null && shown.length === 0 && (
        <Empty
          icon="connections"
          title={search === "" ? "Nobody is connected" : "No connection is like that"}
        >
          {search === ""
            ? "Clients of Kafka's and the native protocol appear here as they come."
            : "Addresses, client ids, software and listeners are searched."}
        </Empty>
      )}
      {shown.length > 0 && (
        <VirtualRows
          label="Connections"
          columns={shownColumns}
          rows={shown}
          keyOf={({ id }) => String(id)}
          order={order}
          onOrder={setOrder}
        />
      )}
      {closing !== null && (
        <CloseConnection connection={closing} onClose={() => setClosing(null)} onClosed={reload} />
      )}
    </Page>
  );
}

interface CloseConnectionProps {
  readonly connection: ConnectionAnswer;
  readonly onClose: () => void;
  readonly onClosed: () => void;
}

function CloseConnection({ connection, onClose, onClosed }: CloseConnectionProps) {
  const close = async () => {
    await ask(routeOf(["connections", connection.id]), { method: "DELETE" });
    tell("The connection was closed.");
    onClosed();
    onClose();
  };
  return (
    <Dialog title="Close the connection" submit="Close it" isDangerous onClose={onClose} onSubmit={close}>
      <p>
        Of <span class="data">{addressOf(connection)}</span>
        {connection.clientId !== null && (
          <>
            , client <span class="data">{visibleText(connection.clientId)}</span>
          </>
        )}
        . What was not sent to it yet is lost, and its requests under way fail. A client usually connects
        again at once.
      </p>
    </Dialog>
  );
}
