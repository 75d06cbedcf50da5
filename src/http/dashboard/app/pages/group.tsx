/** One group: who is in it, and how far it is behind in each partition. */

import { useMemo, useState } from "preact/hooks";
import type { GroupDescribed, GroupMember, GroupPartition } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { formatCount, plural, UNKNOWN } from "../base/format.ts";
import { navigate, pathOf } from "../base/router.ts";
import { DeleteGroup } from "../groups/delete-group.tsx";
import { GroupState } from "../groups/group-state.tsx";
import { Lag } from "../groups/lag.tsx";
import { LagChart } from "../groups/lag-chart.tsx";
import { ResetGroup } from "../groups/reset-group.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { ordered } from "../parts/ordered.ts";
import { Page } from "../parts/page.tsx";
import { type Column, type Order, VirtualRows } from "../parts/virtual-rows.tsx";
import { visibleText } from "../values/visible-text.ts";

const EVERY_MS = 3000;

export function GroupPage({ name }: { name: string }) {
  const { data: group, refusal, reload } = useResource<GroupDescribed>(routeOf(["groups", name]), EVERY_MS);
  const [asked, setAsked] = useState<"reset" | "delete" | null>(null);
  const crumb = { label: "Groups", href: pathOf("groups") };

  if (group === null)
    return (
      <Page title={visibleText(name)} isData crumb={crumb}>
        {refusal?.status === 404 ? (
          <Empty
            icon="groups"
            title="There is no such group"
            action={
              <a class="button" href={crumb.href}>
                Show all groups
              </a>
            }
          >
            It was deleted, or has neither members nor offsets any more.
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
      crumb={crumb}
      lead={
        <>
          <GroupState state={group.state} /> <span class="beside">{leadOf(group)}</span>
        </>
      }
      actions={
        <>
          <button type="button" class="button" onClick={() => setAsked("reset")}>
            <Icon name="reset" />
            Reset offsets
          </button>
          <button type="button" class="button danger-quiet" onClick={() => setAsked("delete")}>
            <Icon name="trash" />
            Delete
          </button>
        </>
      }
    >
      <Refused refusal={refusal} />
      <div class="block">
        <LagChart group={name} />
      </div>
      <section aria-labelledby="offsets-title">
        <div class="section-head">
          <h2 id="offsets-title">Offsets</h2>
        </div>
        <Offsets group={group} />
      </section>
      <section aria-labelledby="members-title">
        <div class="section-head">
          <h2 id="members-title">Members</h2>
        </div>
        {group.members.length === 0 ? (
          <p class="card muted">
            Nobody consumes in this group at the moment. What it has committed is kept.
          </p>
        ) : (
          <VirtualRows
            label="Members"
            columns={MEMBER_COLUMNS}
            rows={group.members}
            keyOf={({ memberId }) => memberId}
          />
        )}
      </section>
      {asked === "reset" && <ResetGroup group={group} onClose={() => setAsked(null)} onReset={reload} />}
      {asked === "delete" && (
        <DeleteGroup
          name={name}
          onClose={() => setAsked(null)}
          onDeleted={() => navigate(pathOf("groups"))}
        />
      )}
    </Page>
  );
}

function Offsets({ group }: { group: GroupDescribed }) {
  const [order, setOrder] = useState<Order>({ by: "lag", isDescending: true });
  const rows = useMemo(
    () =>
      ordered(group.partitions, order, {
        topic: ({ topic }) => topic,
        partition: ({ partition }) => partition,
        committed: ({ committedOffset }) => committedOffset,
        end: ({ logEndOffset }) => logEndOffset,
        lag: ({ lag }) => lag,
      }),
    [group, order],
  );
  if (rows.length === 0) return <p class="card muted">Nothing is committed, and no partition is assigned.</p>;
  return (
    <VirtualRows
      label="Offsets"
      columns={OFFSET_COLUMNS}
      rows={rows}
      keyOf={({ topic, partition }) => `${topic}-${partition}`}
      order={order}
      onOrder={setOrder}
    />
  );
}

const OFFSET_COLUMNS: readonly Column<GroupPartition>[] = [
  {
    id: "topic",
    label: "Topic",
    width: "minmax(0, 1.4fr)",
    isKept: true,
    canSort: true,
    cell: ({ topic }) => (
      <a class="data" href={pathOf("topics", topic)} title={topic}>
        {visibleText(topic)}
      </a>
    ),
  },
  {
    id: "partition",
    label: "Partition",
    width: "5.5rem",
    isNumber: true,
    isKept: true,
    canSort: true,
    cell: ({ partition }) => partition,
  },
  {
    id: "member",
    label: "Member",
    width: "minmax(0, 1fr)",
    cell: ({ memberId }) => <span class="data muted">{visibleText(memberId ?? UNKNOWN)}</span>,
  },
  {
    id: "committed",
    label: "Committed",
    width: "8rem",
    isNumber: true,
    canSort: true,
    cell: ({ committedOffset }) => formatCount(committedOffset),
  },
  {
    id: "end",
    label: "End",
    width: "8rem",
    isNumber: true,
    canSort: true,
    cell: ({ logEndOffset }) => formatCount(logEndOffset),
  },
  {
    id: "lag",
    label: "Lag",
    width: "6.5rem",
    isNumber: true,
    isKept: true,
    canSort: true,
    cell: ({ lag, unknown }) => <Lag lag={lag} unknown={unknown} />,
  },
];

const MEMBER_COLUMNS: readonly Column<GroupMember>[] = [
  {
    id: "client",
    label: "Client",
    width: "minmax(0, 1fr)",
    isKept: true,
    cell: ({ clientId, instanceId }) => <span class="data">{visibleText(instanceId ?? clientId)}</span>,
  },
  {
    id: "host",
    label: "Host",
    width: "10rem",
    cell: ({ host }) => <span class="data">{visibleText(host)}</span>,
  },
  {
    id: "member",
    label: "Member",
    width: "minmax(0, 1fr)",
    cell: ({ memberId }) => <span class="data muted">{visibleText(memberId)}</span>,
  },
  {
    id: "partitions",
    label: "Partitions",
    width: "6rem",
    isNumber: true,
    isKept: true,
    cell: ({ partitions }) => (partitions === null ? UNKNOWN : formatCount(partitions.length)),
  },
];

function leadOf({ type, members, partitions, lag }: GroupDescribed): string {
  const unknown = partitions.filter((partition) => partition.lag === null).length;
  const behind = lag === null ? "" : `, ${plural(lag, "message")} behind`;
  const beside = unknown === 0 ? "" : `, lag unknown in ${plural(unknown, "partition")}`;
  return `${KINDS[type] ?? type}, ${plural(members.length, "member")}${behind}${beside}`;
}

const KINDS: Readonly<Record<string, string>> = {
  classic: "Classic protocol",
  consumer: "Consumer protocol",
  simple: "Offsets only",
};
