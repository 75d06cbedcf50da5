/** One topic: what is in its partitions, how it is set, and what can be done to it. */

import { useState } from "preact/hooks";
import type { PartitionDescribed, TopicDescribed } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { formatBytes, formatCount, plural } from "../base/format.ts";
import { navigate, pathOf } from "../base/router.ts";
import { ProduceOne } from "../messages/produce-one.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { type Column, VirtualRows } from "../parts/virtual-rows.tsx";
import { AddPartitions } from "../topics/add-partitions.tsx";
import { DeleteTopic } from "../topics/delete-topic.tsx";
import { TopicConfigs } from "../topics/topic-configs.tsx";
import { TrimTopic } from "../topics/trim-topic.tsx";
import { visibleText } from "../values/visible-text.ts";

const EVERY_MS = 3000;

type Asked = "produce" | "partitions" | "trim" | "delete" | null;

export function TopicPage({ name }: { name: string }) {
  const { data: topic, refusal, reload } = useResource<TopicDescribed>(routeOf(["topics", name]), EVERY_MS);
  const [asked, setAsked] = useState<Asked>(null);
  const close = () => setAsked(null);

  if (topic === null)
    return (
      <Page title={visibleText(name)} isData crumb={{ label: "Topics", href: pathOf("topics") }}>
        {refusal?.status === 404 ? (
          <Empty
            icon="topics"
            title="There is no such topic"
            action={
              <a class="button" href={pathOf("topics")}>
                Show all topics
              </a>
            }
          >
            It was deleted, or never was.
          </Empty>
        ) : (
          <Refused refusal={refusal} />
        )}
        {refusal === null && <Waiting />}
      </Page>
    );

  return (
    <Page
      title={visibleText(name)}
      isData
      crumb={{ label: "Topics", href: pathOf("topics") }}
      lead={leadOf(topic.partitions)}
      actions={
        <>
          <a class="button primary" href={`${pathOf("messages")}?topic=${encodeURIComponent(name)}`}>
            <Icon name="messages" />
            Browse messages
          </a>
          <button type="button" class="button" onClick={() => setAsked("produce")}>
            <Icon name="send" />
            Produce
          </button>
          <button type="button" class="button danger-quiet" onClick={() => setAsked("delete")}>
            <Icon name="trash" />
            Delete
          </button>
        </>
      }
    >
      <Refused refusal={refusal} />
      <section aria-labelledby="partitions-title">
        <div class="section-head">
          <h2 id="partitions-title">Partitions</h2>
          <div class="actions">
            <button type="button" class="button small" onClick={() => setAsked("trim")}>
              Trim
            </button>
            <button type="button" class="button small" onClick={() => setAsked("partitions")}>
              <Icon name="plus" />
              Add partitions
            </button>
          </div>
        </div>
        <VirtualRows
          label="Partitions"
          columns={PARTITION_COLUMNS}
          rows={topic.partitions}
          keyOf={({ partition }) => String(partition)}
        />
      </section>
      <TopicConfigs topic={topic} onChanged={reload} />
      {asked === "produce" && <ProduceOne topic={name} onClose={close} onProduced={reload} />}
      {asked === "partitions" && <AddPartitions topic={topic} onClose={close} onChanged={reload} />}
      {asked === "trim" && <TrimTopic topic={topic} onClose={close} onChanged={reload} />}
      {asked === "delete" && (
        <DeleteTopic name={name} onClose={close} onDeleted={() => navigate(pathOf("topics"))} />
      )}
    </Page>
  );
}

const PARTITION_COLUMNS: readonly Column<PartitionDescribed>[] = [
  { id: "partition", label: "Partition", width: "5rem", isKept: true, cell: ({ partition }) => partition },
  {
    id: "state",
    label: "State",
    width: "minmax(6rem, 1fr)",
    isKept: true,
    cell: ({ isUnavailable }) =>
      isUnavailable ? (
        <StatusBadge tone="bad">Offline</StatusBadge>
      ) : (
        <StatusBadge tone="good">Online</StatusBadge>
      ),
  },
  {
    id: "start",
    label: "First offset",
    width: "8rem",
    isNumber: true,
    cell: ({ startOffset }) => formatCount(startOffset),
  },
  {
    id: "end",
    label: "Next offset",
    width: "8rem",
    isNumber: true,
    cell: ({ highWatermark }) => formatCount(highWatermark),
  },
  {
    id: "messages",
    label: "Messages",
    width: "7rem",
    isNumber: true,
    isKept: true,
    cell: ({ startOffset, highWatermark }) => formatCount(highWatermark - startOffset),
  },
  {
    id: "bytes",
    label: "Size",
    width: "7rem",
    isNumber: true,
    cell: ({ bytes }) => formatBytes(bytes),
  },
];

function leadOf(partitions: readonly PartitionDescribed[]): string {
  let records = 0;
  let bytes = 0;
  for (const partition of partitions) {
    records += partition.highWatermark - partition.startOffset;
    bytes += partition.bytes;
  }
  return `${plural(records, "message")} in ${plural(partitions.length, "partition")}, ${formatBytes(bytes)}`;
}
