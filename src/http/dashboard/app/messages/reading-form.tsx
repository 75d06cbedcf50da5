/** What is looked for: filled in here, read when it is sent. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { TopicDescribed } from "../api/answers.ts";
import type { Refusal } from "../api/ask.ts";
import { CheckField, SelectField, TextField } from "../parts/field.tsx";
import { Icon } from "../parts/icon.tsx";
import { FilterHelp } from "./filter-help.tsx";
import { FROMS, type From, filterShift, type Reading } from "./reading.ts";

export interface ReadingFormProps {
  readonly reading: Reading;
  readonly topic: TopicDescribed | null;
  readonly topicNames: readonly string[];
  /** Of the filter, from the last reading. */
  readonly refusal: Refusal | null;
  readonly onRead: (reading: Reading) => void;
}

const OFFERED_MAX = 100;
/** Partitions that the API reads together. */
const TOGETHER_MAX = 100;

export function ReadingForm({ reading, topic, topicNames, refusal, onRead }: ReadingFormProps) {
  const [draft, setDraft] = useState(reading);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => setDraft(reading), [reading]);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || target.closest("input, textarea, select, dialog") !== null) return;
      event.preventDefault();
      form.current?.querySelector<HTMLInputElement>("[data-search] input")?.focus();
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);

  const change = (changes: Partial<Reading>) => setDraft({ ...draft, ...changes });
  const partitions = topic?.partitions.length ?? 0;
  const isOfOne = draft.from === "offset" || partitions > TOGETHER_MAX;
  const numbers = Array.from({ length: partitions }, (_, index) => [String(index), String(index)] as const);
  const options = isOfOne ? numbers : [["", "All"] as const, ...numbers];
  const filterFault = refusal?.code === "INVALID_FILTER" ? refusal : null;

  const send = (event: Event) => {
    event.preventDefault();
    onRead({ ...draft, partition: isOfOne && draft.partition === "" ? "0" : draft.partition });
  };

  return (
    <form class="card reading" ref={form} onSubmit={send}>
      <div class="reading-place">
        <TextField
          label="Topic"
          value={draft.topic}
          options={namesLike(topicNames, draft.topic)}
          isData
          onChange={(value) =>
            change({ topic: value, ...(value === reading.topic ? {} : { partition: "" }) })
          }
        />
        <SelectField
          label="Partition"
          value={isOfOne && draft.partition === "" ? "0" : draft.partition}
          options={options.length === 0 ? [["", "All"]] : options}
          onChange={(partition) => change({ partition })}
        />
        <SelectField
          label="Begin with"
          value={draft.from}
          options={FROMS}
          onChange={(from) => change({ from: from as From, isLatest: draft.isLatest && from === "newest" })}
        />
        {draft.from === "offset" && (
          <TextField
            label="Offset"
            type="number"
            value={draft.offset}
            placeholder="0"
            onChange={(offset) => change({ offset })}
          />
        )}
        {draft.from === "time" && (
          <TextField
            label="Time"
            type="datetime-local"
            step="1"
            value={draft.time}
            onChange={(time) => change({ time })}
          />
        )}
      </div>
      <div class="reading-what">
        <div data-search>
          <TextField
            label="Filter"
            value={draft.filter}
            placeholder='value.total > 100 and headers.source == "shop"'
            isData
            onChange={(filter) => change({ filter })}
          />
        </div>
        <TextField
          label="Key"
          value={draft.key}
          placeholder="any"
          isData
          onChange={(key) => change({ key })}
        />
        <CheckField
          label="Only the latest of each key"
          isChecked={draft.isLatest}
          onChange={(isLatest) => change({ isLatest, ...(isLatest ? { from: "newest" } : {}) })}
        />
        <button type="submit" class="button primary" disabled={draft.topic === ""}>
          <Icon name="search" />
          Read
        </button>
      </div>
      <FilterHelp onTake={(filter) => change({ filter })} />
      {filterFault !== null && <FilterFault reading={reading} refusal={filterFault} />}
    </form>
  );
}

/** Those that a browser offers to choose from. */
function namesLike(names: readonly string[], typed: string): string[] {
  const wanted = typed.toLowerCase();
  const like: string[] = [];
  for (const name of names) {
    if (name.toLowerCase().includes(wanted)) like.push(name);
    if (like.length === OFFERED_MAX) break;
  }
  return like;
}

function FilterFault({ reading, refusal }: { reading: Reading; refusal: Refusal }) {
  const position = refusal.position === null ? null : Math.max(0, refusal.position - filterShift(reading));
  return (
    <div class="filter-fault" role="alert">
      {position !== null && (
        <pre class="data" aria-hidden="true">
          {reading.filter.slice(0, position)}
          <mark>{reading.filter.slice(position, position + 1) || " "}</mark>
          {reading.filter.slice(position + 1)}
        </pre>
      )}
      <p>{refusal.message}</p>
    </div>
  );
}
