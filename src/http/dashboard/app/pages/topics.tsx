/** All topics: searched and sorted here, however many there are. */

import { useMemo, useState } from "preact/hooks";
import type { TopicListed } from "../api/answers.ts";
import { formatBytes, formatCount, plural } from "../base/format.ts";
import { pathOf, query, setQuery } from "../base/router.ts";
import { Icon } from "../parts/icon.tsx";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { ordered } from "../parts/ordered.ts";
import { Page } from "../parts/page.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { type Column, type Order, VirtualRows } from "../parts/virtual-rows.tsx";
import { CreateTopic } from "../topics/create-topic.tsx";
import { useTopics } from "../topics/use-topics.ts";
import { visibleText } from "../values/visible-text.ts";

/** Asked for again so often: a list of a thousand is some 200 KB. */
const EVERY_MS = 5000;

const COLUMNS: readonly Column<TopicListed>[] = [
  {
    id: "name",
    label: "Name",
    width: "minmax(0, 1fr)",
    isKept: true,
    canSort: true,
    cell: ({ name }) => (
      <a class="data" href={pathOf("topics", name)} title={name}>
        {visibleText(name)}
      </a>
    ),
  },
  {
    id: "state",
    label: "State",
    width: "9rem",
    cell: ({ unavailablePartitions: count }) =>
      count === 0 ? (
        <StatusBadge tone="good">Online</StatusBadge>
      ) : (
        <StatusBadge tone="bad">{`${formatCount(count)} offline`}</StatusBadge>
      ),
  },
  {
    id: "policy",
    label: "Cleanup",
    width: "8rem",
    canSort: true,
    cell: ({ cleanupPolicy }) => <span class="muted">{cleanupPolicy}</span>,
  },
  {
    id: "partitions",
    label: "Partitions",
    width: "6rem",
    isNumber: true,
    canSort: true,
    cell: ({ partitions }) => formatCount(partitions),
  },
  {
    id: "records",
    label: "Messages",
    width: "8rem",
    isNumber: true,
    canSort: true,
    cell: ({ records }) => formatCount(records),
  },
  {
    id: "bytes",
    label: "Size",
    width: "6.5rem",
    isNumber: true,
    isKept: true,
    canSort: true,
    cell: ({ bytes }) => formatBytes(bytes),
  },
];

export function TopicsPage() {
  const { data: topics, refusal, reload } = useTopics(EVERY_MS);
  const [order, setOrder] = useState<Order>({ by: "name", isDescending: false });
  const search = query.value.get("search") ?? "";
  const isCreating = query.value.get("create") !== null;

  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    const found = (topics ?? []).filter(({ name }) => name.toLowerCase().includes(wanted));
    return ordered(found, order, {
      name: ({ name }) => name,
      policy: ({ cleanupPolicy }) => cleanupPolicy,
      partitions: ({ partitions }) => partitions,
      records: ({ records }) => records,
      bytes: ({ bytes }) => bytes,
    });
  }, [topics, search, order]);

  const create = (
    <button type="button" class="button primary" onClick={() => setQuery({ create: "1" })}>
      <Icon name="plus" />
      Create a topic
    </button>
  );

  return (
    <Page title="Topics" lead={leadOf(topics, shown.length, search)} actions={create}>
      <div class="toolbar">
        <SearchBox label="Search topics" value={search} onChange={(value) => setQuery({ search: value })} />
      </div>
      <Refused refusal={refusal} />
      {topics === null && refusal === null && <Waiting rows={10} />}
      {topics !== null && topics.length === 0 && (
        <Empty icon="topics" title="There are no topics yet" action={create}>
          A producer creates one by writing to it, unless the broker's settings forbid that.
        </Empty>
      )}
      {topics !== null && topics.length > 0 && shown.length === 0 && (
        <Empty
          icon="search"
          title="No topic is called so"
          action={
            <button type="button" class="button" onClick={() => setQuery({ search: null })}>
              Show all topics
            </button>
          }
        >
          None of {plural(topics.length, "topic")} has “{visibleText(search)}” in its name.
        </Empty>
      )}
      {shown.length > 0 && (
        <VirtualRows
          label="Topics"
          columns={COLUMNS}
          rows={shown}
          keyOf={({ name }) => name}
          order={order}
          onOrder={setOrder}
        />
      )}
      {isCreating && <CreateTopic onClose={() => setQuery({ create: null })} onCreated={reload} />}
    </Page>
  );
}

function leadOf(topics: readonly TopicListed[] | null, shown: number, search: string): string {
  if (topics === null) return "";
  if (search !== "") return `${formatCount(shown)} of ${plural(topics.length, "topic")}`;
  const bytes = topics.reduce((sum, topic) => sum + topic.bytes, 0);
  return `${plural(topics.length, "topic")}, ${formatBytes(bytes)}`;
}
