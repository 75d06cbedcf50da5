/** Who is connected, and how much they do. */

import { useMemo, useState } from "preact/hooks";
import type { ConnectionAnswer, ConnectionsAnswer } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { formatBytes, formatCount, formatDuration, plural, UNKNOWN } from "../base/format.ts";
import { query, setQuery } from "../base/router.ts";
import { nowMs } from "../base/time.ts";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { ordered } from "../parts/ordered.ts";
import { Page } from "../parts/page.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { type Column, type Order, VirtualRows } from "../parts/virtual-rows.tsx";
import { visibleText } from "../values/visible-text.ts";

const EVERY_MS = 3000;

const COLUMNS: readonly Column<ConnectionAnswer>[] = [
  {
    id: "host",
    label: "Address",
    width: "minmax(0, 1fr)",
    isKept: true,
    canSort: true,
    cell: ({ host, port }) => <span class="data">{port === undefined ? host : `${host}:${port}`}</span>,
  },
  {
    id: "client",
    label: "Client",
    width: "minmax(0, 1.2fr)",
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
    cell: ({ since }) => (since === undefined ? UNKNOWN : formatDuration(nowMs() - since)),
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
];

export function ConnectionsPage() {
  const { data, refusal } = useResource<ConnectionsAnswer>(routeOf(["connections"]), EVERY_MS);
  const [order, setOrder] = useState<Order>({ by: "since", isDescending: false });
  const search = query.value.get("search") ?? "";
  const connections = data?.connections ?? null;
  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    const found = (connections ?? []).filter(({ host, clientId, software, listener }) =>
      [host, clientId ?? "", software ?? "", listener].some((text) => text.toLowerCase().includes(wanted)),
    );
    return ordered(found, order, {
      host: ({ host }) => host,
      client: ({ clientId }) => clientId ?? null,
      listener: ({ listener }) => listener,
      since: ({ since }) => (since === undefined ? null : -since),
      requests: ({ requests }) => requests ?? null,
      in: ({ bytesIn }) => bytesIn ?? null,
      out: ({ bytesOut }) => bytesOut ?? null,
    });
  }, [connections, search, order]);
  return (
    <Page
      title="Connections"
      lead={connections === null ? "" : `${plural(connections.length, "connection")} open`}
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
          columns={COLUMNS}
          rows={shown}
          keyOf={({ id }) => String(id)}
          order={order}
          onOrder={setOrder}
        />
      )}
    </Page>
  );
}
