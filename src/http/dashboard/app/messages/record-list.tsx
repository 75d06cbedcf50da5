/**
 * Messages, each in a line; any number of them, since only those near the window are in the document. Which ones are open is known
 * outside: new ones wait meanwhile. The arrow keys go from line to line.
 */

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { RecordAnswer } from "../api/answers.ts";
import { useMedia } from "../parts/virtual-rows.tsx";
import { useVisibleSpan } from "../parts/visible-span.ts";
import { RecordLayout } from "./record-layout.ts";
import { RecordRow, recordId } from "./record-row.tsx";

export interface RecordListProps {
  readonly records: readonly RecordAnswer[];
  readonly open: ReadonlySet<string>;
  readonly onOpen: (open: ReadonlySet<string>) => void;
  /** The last of them is about to be seen. */
  readonly onEnd: () => void;
}

/** As the style sheet has them: a line, and on a narrow page three. */
const LINE_PIXELS = 36;
const NARROW_LINE_PIXELS = 86;
const NARROW = "(max-width: 1000px)";
/** Lines beside the window, so that a fast scroll meets some. */
const BESIDE = 12;
/** Before what is opened has been measured. */
const DETAIL_PIXELS = 300;

export function RecordList({ records, open, onOpen, onEnd }: RecordListProps) {
  const list = useRef<HTMLOListElement>(null);
  const [heights, setHeights] = useState<ReadonlyMap<string, number>>(new Map());
  const line = useMedia(NARROW) ? NARROW_LINE_PIXELS : LINE_PIXELS;
  const layout = useMemo(() => {
    const opened = open.size === 0 ? [] : openedOf(records, open, heights);
    return new RecordLayout(records.length, line, opened);
  }, [records, open, heights, line]);
  const span = useVisibleSpan(list, layout.height);
  const first = Math.max(0, layout.indexAt(span.top) - BESIDE);
  const end = Math.min(records.length, layout.indexAt(span.bottom) + BESIDE);

  useEffect(() => {
    if (end === records.length) onEnd();
  }, [end, records.length, onEnd]);

  const toggle = (id: string) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    onOpen(next);
  };
  const measured = useCallback((id: string, height: number) => {
    setHeights((last) => (last.get(id) === height ? last : new Map(last).set(id, height)));
  }, []);

  return (
    <div class="records">
      <div class="record-head" aria-hidden="true">
        <span />
        <span class="record-partition">Part.</span>
        <span class="record-offset">Offset</span>
        <span class="record-time">Time</span>
        <span class="record-key">Key</span>
        <span class="record-value">Value</span>
      </div>
      <ol ref={list} style={{ height: `${layout.height}px` }} onKeyDown={walk}>
        {records.slice(first, end).map((record, slot) => {
          const id = recordId(record);
          return (
            <RecordRow
              key={id}
              record={record}
              place={first + slot + 1}
              count={records.length}
              top={layout.topOf(first + slot)}
              isOpen={open.has(id)}
              onToggle={() => toggle(id)}
              onMeasured={measured}
            />
          );
        })}
      </ol>
    </div>
  );
}

function openedOf(
  records: readonly RecordAnswer[],
  open: ReadonlySet<string>,
  heights: ReadonlyMap<string, number>,
) {
  return records.flatMap((record, index) => {
    const id = recordId(record);
    return open.has(id) ? [{ index, height: heights.get(id) ?? DETAIL_PIXELS }] : [];
  });
}

function walk(event: KeyboardEvent): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const line = event.target as HTMLElement;
  if (!line.classList.contains("record-line")) return;
  const row = line.closest("li");
  const beside = event.key === "ArrowDown" ? row?.nextElementSibling : row?.previousElementSibling;
  event.preventDefault();
  beside?.querySelector<HTMLElement>(".record-line")?.focus();
}
