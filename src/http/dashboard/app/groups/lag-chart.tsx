/** How the lag of the groups that lag most has gone in the last quarter of an hour. */

import { useMemo } from "preact/hooks";
import type { HistoryAnswer } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { formatShort } from "../base/format.ts";
import { Chart } from "../parts/chart.tsx";
import { visibleText } from "../values/visible-text.ts";

const EVERY_MS = 5000;
const LINES_MAX = 5;

/** `group`: of that one alone. */
export function LagChart({ group }: { group?: string }) {
  const { data } = useResource<HistoryAnswer>(routeOf(["overview", "history"]), EVERY_MS);
  const series = useMemo(() => seriesOf(data, group), [data, group]);
  const times = data?.series["at"] ?? [];
  if (data !== null && series.length === 0) return null;
  const title = group === undefined ? "Lag of the groups that lag most" : "Lag";
  return (
    <Chart
      title={title}
      times={times}
      series={series}
      format={formatShort}
      isFilled={series.length === 1}
      isDated
    />
  );
}

function seriesOf(history: HistoryAnswer | null, group: string | undefined) {
  const lags = Object.entries(history?.lagByGroup ?? {}).filter(
    ([name]) => group === undefined || name === group,
  );
  const newest = (values: readonly (number | null)[]) => values.findLast((value) => value !== null) ?? -1;
  return lags
    .sort(([, first], [, second]) => newest(second) - newest(first))
    .slice(0, LINES_MAX)
    .map(([name, values]) => ({ label: visibleText(name), values }));
}
