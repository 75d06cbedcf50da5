/** Messages, each in a line. Some are open; which ones is known outside, since new ones wait meanwhile. */

import type { RecordAnswer } from "../api/answers.ts";
import { RecordRow, recordId } from "./record-row.tsx";

export interface RecordListProps {
  readonly records: readonly RecordAnswer[];
  readonly open: ReadonlySet<string>;
  readonly onOpen: (open: ReadonlySet<string>) => void;
}

export function RecordList({ records, open, onOpen }: RecordListProps) {
  const toggle = (id: string) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    onOpen(next);
  };
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
      <ol>
        {records.map((record) => {
          const id = recordId(record);
          return <RecordRow key={id} record={record} isOpen={open.has(id)} onToggle={() => toggle(id)} />;
        })}
      </ol>
    </div>
  );
}
