/** A message in a line, and all of it when it is opened. */

import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { RecordAnswer } from "../api/answers.ts";
import { formatTimestamp } from "../base/format.ts";
import { CopyButton } from "../parts/copy-button.tsx";
import { Icon } from "../parts/icon.tsx";
import { type Payload, payloadOf, previewOf } from "../values/payload.ts";
import { visibleText } from "../values/visible-text.ts";
import { PayloadView } from "./payload-view.tsx";

export interface RecordRowProps {
  readonly record: RecordAnswer;
  /** Among all that are listed, from 1. */
  readonly place: number;
  readonly count: number;
  /** Pixels. */
  readonly top: number;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  /** How high what is in it is. */
  readonly onMeasured: (id: string, height: number) => void;
}

export function recordId({ partition, offset }: RecordAnswer): string {
  return `${partition}-${offset}`;
}

export function RecordRow(props: RecordRowProps) {
  const { record, place, count, top, isOpen, onToggle, onMeasured } = props;
  const { partition, offset, timestamp } = record;
  const key = useMemo(() => payloadOf(record.key, record.keyIsBase64), [record]);
  const value = useMemo(() => payloadOf(record.value, record.valueIsBase64), [record]);
  const id = `record-${recordId(record)}`;
  return (
    <li
      class={isOpen ? "record is-open" : "record"}
      style={{ top: `${top}px` }}
      aria-posinset={place}
      aria-setsize={count}
    >
      <button type="button" class="record-line" aria-expanded={isOpen} aria-controls={id} onClick={onToggle}>
        <Icon name={isOpen ? "down" : "right"} />
        <span class="record-partition">
          <span class="visually-hidden">Partition </span>
          {partition}
        </span>
        <span class="record-offset">
          <span class="visually-hidden">, offset </span>
          {offset}
        </span>
        <span class="record-time">
          <span class="visually-hidden">, </span>
          {formatTimestamp(timestamp)}
        </span>
        <span class="record-key data">
          <span class="visually-hidden">, key </span>
          <Preview payload={key} none="no key" />
        </span>
        <span class="record-value data">
          <span class="visually-hidden">, value </span>
          <Preview payload={value} none="null" />
        </span>
      </button>
      <div id={id}>
        {isOpen && <Detail record={record} keyPayload={key} value={value} onMeasured={onMeasured} />}
      </div>
    </li>
  );
}

function Preview({ payload, none }: { payload: Payload; none: string }) {
  if (payload.kind === "null") return <span class="none">{none}</span>;
  if (payload.kind === "empty") return <span class="none">empty</span>;
  return <>{visibleText(previewOf(payload))}</>;
}

interface DetailProps {
  readonly record: RecordAnswer;
  readonly keyPayload: Payload;
  readonly value: Payload;
  readonly onMeasured: (id: string, height: number) => void;
}

function Detail({ record, keyPayload, value, onMeasured }: DetailProps) {
  const { partition, offset, timestamp, headers = [] } = record;
  const id = recordId(record);
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const measure = () => onMeasured(recordId(record), element.current?.offsetHeight ?? 0);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [record, onMeasured]);
  return (
    <div class="record-detail" ref={element}>
      <div class="record-facts">
        <dl>
          <div>
            <dt>Partition</dt>
            <dd>{partition}</dd>
          </div>
          <div>
            <dt>Offset</dt>
            <dd>{offset}</dd>
          </div>
          <div>
            <dt>Time</dt>
            <dd>{formatTimestamp(timestamp)}</dd>
          </div>
        </dl>
        <CopyButton label="Copy message" text={() => JSON.stringify(record)} />
      </div>
      {headers.length > 0 && (
        <section class="payload" aria-label={`Headers of ${id}`}>
          <header>
            <h2>Headers</h2>
            <span class="muted">{headers.length}</span>
          </header>
          <dl class="headers">
            {headers.map((header, index) => (
              <div key={index}>
                <dt class="data">{visibleText(previewOf(payloadOf(header.key, header.keyIsBase64)))}</dt>
                <dd class="data">
                  <Preview payload={payloadOf(header.value, header.valueIsBase64)} none="null" />
                </dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      <PayloadView name="Key" id={id} payload={keyPayload} />
      <PayloadView name="Value" id={id} payload={value} />
    </div>
  );
}
