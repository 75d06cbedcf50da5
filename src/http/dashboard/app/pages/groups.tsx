/** All groups, those that lag most first. A lag that is not known comes after those that are. */

import { useMemo, useState } from "preact/hooks";
import type { GroupListed } from "../api/answers.ts";
import { formatCount, plural } from "../base/format.ts";
import { pathOf, query, setQuery } from "../base/router.ts";
import { GroupState } from "../groups/group-state.tsx";
import { Lag } from "../groups/lag.tsx";
import { LagChart } from "../groups/lag-chart.tsx";
import { useGroups } from "../groups/use-groups.ts";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { ordered } from "../parts/ordered.ts";
import { Page } from "../parts/page.tsx";
import { SearchBox } from "../parts/search-box.tsx";
import { type Column, type Order, VirtualRows } from "../parts/virtual-rows.tsx";
import { visibleText } from "../values/visible-text.ts";

const EVERY_MS = 3000;

const COLUMNS: readonly Column<GroupListed>[] = [
  {
    id: "group",
    label: "Group",
    width: "minmax(0, 1fr)",
    isKept: true,
    canSort: true,
    cell: ({ group }) => (
      <a class="data" href={pathOf("groups", group)} title={group}>
        {visibleText(group)}
      </a>
    ),
  },
  {
    id: "state",
    label: "State",
    width: "10rem",
    canSort: true,
    cell: ({ state }) => <GroupState state={state} />,
  },
  {
    id: "type",
    label: "Protocol",
    width: "7rem",
    canSort: true,
    cell: ({ type }) => <span class="muted">{type}</span>,
  },
  {
    id: "members",
    label: "Members",
    width: "6rem",
    isNumber: true,
    canSort: true,
    cell: ({ members }) => formatCount(members),
  },
  {
    id: "lag",
    label: "Lag",
    width: "8rem",
    isNumber: true,
    isKept: true,
    canSort: true,
    cell: ({ lag, isLagComplete }) => <Lag lag={lag} isComplete={isLagComplete} />,
  },
];

export function GroupsPage() {
  const { data: groups, refusal } = useGroups(EVERY_MS);
  const [order, setOrder] = useState<Order>({ by: "lag", isDescending: true });
  const search = query.value.get("search") ?? "";
  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    const found = (groups ?? []).filter(({ group }) => group.toLowerCase().includes(wanted));
    return ordered(found, order, {
      group: ({ group }) => group,
      state: ({ state }) => state,
      type: ({ type }) => type,
      members: ({ members }) => members,
      lag: ({ lag }) => lag,
    });
  }, [groups, search, order]);
  return (
    <Page title="Groups" lead={groups === null ? "" : leadOf(groups)}>
      {groups !== null && groups.length > 0 && (
        <div class="block">
          <LagChart />
        </div>
      )}
      <div class="toolbar">
        <SearchBox label="Search groups" value={search} onChange={(value) => setQuery({ search: value })} />
      </div>
      <Refused refusal={refusal} />
      {groups === null && refusal === null && <Waiting />}
      {groups !== null && groups.length === 0 && (
        <Empty icon="groups" title="There are no groups yet">
          A group appears when its first consumer joins it, or something is committed for it: with any Kafka
          client, or over HTTP.
        </Empty>
      )}
      {groups !== null && groups.length > 0 && shown.length === 0 && (
        <Empty icon="search" title="No group is called so">
          None of {plural(groups.length, "group")} has “{visibleText(search)}” in its name.
        </Empty>
      )}
      {shown.length > 0 && (
        <VirtualRows
          label="Groups"
          columns={COLUMNS}
          rows={shown}
          keyOf={({ group }) => group}
          order={order}
          onOrder={setOrder}
        />
      )}
    </Page>
  );
}

function leadOf(groups: readonly GroupListed[]): string {
  const unknown = groups.filter(({ lag, isLagComplete }) => lag === null || !isLagComplete).length;
  const lag = groups.reduce((sum, group) => sum + (group.lag ?? 0), 0);
  const beside = unknown === 0 ? "" : `; of ${plural(unknown, "group")} it is not known, or not whole`;
  return `${plural(groups.length, "group")}, ${plural(lag, "message")} behind in all${beside}`;
}
