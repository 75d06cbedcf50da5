/**
 * A chart of some series over time. The legend is text, with the newest values, or those under the pointer; the drawing itself is an
 * image with a sentence for screen readers.
 */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { formatClock } from "../base/format.ts";
import { colourChanges } from "../base/theme.ts";

export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

export interface ChartProps {
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly times: readonly (number | null)[];
  readonly series: readonly Series[];
  readonly format: (value: number | null) => string;
  /** Fills below the first line. */
  readonly isFilled?: boolean;
  /** The values should stay below. */
  readonly ceiling?: number;
  /** Says the time of the newest values: for those that lie some seconds back. */
  readonly isDated?: boolean;
  /** Marks the axis by powers of two. */
  readonly isBytes?: boolean;
}

const HEIGHT = 148;
/** What is shown at least, however little of it is known. */
const SPAN_SECONDS_MIN = 60;
const TIME_STEPS = [15, 30, 60, 180, 300, 600];
const POWERS_OF_TWO = Array.from({ length: 50 }, (_, power) => 2 ** power);
const COLOURS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5"];

export function Chart({
  title,
  times,
  series,
  format,
  isFilled = false,
  isBytes = false,
  isDated = false,
  ceiling,
}: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [index, setIndex] = useState<number | null>(null);
  const colours = colourChanges.value;
  const labels = series.map(({ label }) => label).join("\n");
  const data = [
    times.map((ms) => (ms ?? 0) / 1000),
    ...series.map(({ values }) => [...values]),
  ] as uPlot.AlignedData;
  const newest = useRef(data);
  newest.current = data;

  // Drawn anew for other lines and colours; data follows below.
  useEffect(() => {
    const element = place.current!;
    const options = optionsOf(element, labels.split("\n"), {
      format,
      isFilled,
      isBytes,
      ceiling,
      onIndex: setIndex,
    });
    plot.current = new uPlot(options, newest.current, element);
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [labels, colours, ceiling, isFilled, isBytes]);

  useEffect(() => plot.current?.setData(newest.current), [times, series]);

  const at = index !== null && index < times.length ? index : times.length - 1;
  const told = series.map(({ label, values }) => `${label} ${format(values[times.length - 1] ?? null)}`);
  return (
    <figure class="card chart">
      <figcaption>
        <h2>{title}</h2>
        <span class="chart-time">
          {at < 0 || (index === null && !isDated) ? "" : formatClock(times[at] ?? -1)}
        </span>
      </figcaption>
      <div class="chart-place" ref={place} role="img" aria-label={`${title}: ${told.join(", ")}`} />
      <ul class="legend">
        {series.map(({ label, values }, line) => (
          <li key={label}>
            <span class="swatch" style={{ background: `var(${COLOURS[line % COLOURS.length]})` }} />
            <span class="legend-label">{label}</span>
            <span class="legend-value">{format(values[at] ?? null)}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}

interface Drawing {
  readonly format: (value: number | null) => string;
  readonly isFilled: boolean;
  readonly isBytes: boolean;
  readonly ceiling: number | undefined;
  readonly onIndex: (index: number | null) => void;
}

function optionsOf(element: HTMLElement, labels: readonly string[], drawing: Drawing): uPlot.Options {
  const { format, isFilled, isBytes, ceiling, onIndex } = drawing;
  const style = getComputedStyle(element);
  const colour = (name: string) => resolved(element, name);
  const axis = { stroke: colour("--muted"), font: `11px ${style.fontFamily}`, ticks: { show: false } };
  return {
    width: Math.max(element.clientWidth, 100),
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      x: { range: (_, first, last) => [Math.min(first ?? 0, (last ?? 0) - SPAN_SECONDS_MIN), last ?? 0] },
      y: { range: (_, __, max) => [0, Math.max((max ?? 0) * 1.15, ceiling ?? 0) || 1] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        space: 70,
        incrs: TIME_STEPS,
        values: (_, ticks, __, ___, step) => ticks.map((tick) => axisTime(tick, step)),
      },
      {
        ...axis,
        size: 64,
        space: 36,
        ...(isBytes ? { incrs: POWERS_OF_TWO } : {}),
        grid: { stroke: colour("--line"), width: 1 },
        values: (_, ticks) => ticks.map((tick) => format(tick)),
      },
    ],
    series: [
      {},
      ...labels.map((label, line) => {
        const stroke = colour(COLOURS[line % COLOURS.length]!);
        return {
          label,
          stroke,
          width: 1.75,
          points: { show: false },
          spanGaps: false,
          ...(isFilled && line === 0 ? { fill: `color-mix(in srgb, ${stroke} 12%, transparent)` } : {}),
        };
      }),
    ],
    hooks: { setCursor: [({ cursor }) => onIndex(cursor.idx ?? null)] },
  };
}

function axisTime(seconds: number, step: number): string {
  return formatClock(seconds * 1000).slice(0, step < 60 ? 8 : 5);
}

/** What a colour of the style sheet is at this moment: a canvas knows no variables. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
