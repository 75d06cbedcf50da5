/**
 * Sets a group's committed offsets to another place. The broker is asked first what would become of each partition; only what was shown is
 * then done, and only when the group's name has been typed.
 */

import { useState } from "preact/hooks";
import type { GroupDescribed, ResetAnswer } from "../api/answers.ts";
import { ask, Refusal, routeOf } from "../api/ask.ts";
import { formatCount, UNKNOWN } from "../base/format.ts";
import { Confirm } from "../parts/confirm.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { Refused } from "../parts/notice.tsx";
import { tell } from "../parts/toast.tsx";
import { visibleText } from "../values/visible-text.ts";

export interface ResetGroupProps {
  readonly group: GroupDescribed;
  readonly onClose: () => void;
  readonly onReset: () => void;
}

const PLACES = [
  ["earliest", "The first message"],
  ["latest", "The end"],
  ["offset", "An offset"],
  ["timestamp", "A time"],
  ["shift", "So many messages on or back"],
] as const;

const ALL = "";

interface Preview {
  readonly body: object;
  readonly answer: ResetAnswer;
}

export function ResetGroup({ group, onClose, onReset }: ResetGroupProps) {
  const topics = [...new Set(group.partitions.map(({ topic }) => topic))];
  const [to, setTo] = useState("earliest");
  const [topic, setTopic] = useState(ALL);
  const [offset, setOffset] = useState("0");
  const [time, setTime] = useState("");
  const [by, setBy] = useState("-100");
  const [preview, setPreview] = useState<Preview | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);

  /** What is asked for has changed: what was shown is not what would be done. */
  const changed =
    <T,>(set: (value: T) => void) =>
    (value: T) => {
      set(value);
      setPreview(null);
    };

  const body = {
    to,
    ...(topic === ALL ? {} : { topics: [topic] }),
    ...(to === "offset" ? { offset: Number(offset) } : {}),
    ...(to === "timestamp" ? { timestamp: new Date(time).getTime() } : {}),
    ...(to === "shift" ? { by: Number(by) } : {}),
  };
  const needed = { offset, timestamp: time, shift: by }[to] ?? "nothing";
  const path = routeOf(["groups", group.group, "reset"]);

  const look = async () => {
    setRefusal(null);
    try {
      const answer = await ask<ResetAnswer>(path, { method: "POST", body: { ...body, dryRun: true } });
      setPreview({ body, answer });
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      setRefusal(thrown);
    }
  };
  const reset = async () => {
    await ask(path, { method: "POST", body: { ...preview!.body, dryRun: false } });
    tell("The offsets were reset.");
    onReset();
    onClose();
  };

  return (
    <Confirm
      title="Reset offsets"
      name={group.group}
      noun="group"
      submit="Reset"
      isWide
      isReady={preview?.answer.partitions.some(isChange) ?? false}
      onClose={onClose}
      onConfirm={reset}
    >
      {group.members.length > 0 && (
        <p class="warned">
          The group has members. Stop them first: the broker refuses a reset while they consume.
        </p>
      )}
      <div class="pair">
        <SelectField label="Set to" value={to} onChange={changed(setTo)} options={PLACES} />
        <SelectField
          label="Topic"
          value={topic}
          onChange={changed(setTopic)}
          options={[[ALL, "All"], ...topics.map((name) => [name, visibleText(name)] as const)]}
        />
      </div>
      {to === "offset" && (
        <TextField
          label="Offset"
          type="number"
          hint="The same in each partition. A negative one counts from the end."
          value={offset}
          onChange={changed(setOffset)}
        />
      )}
      {to === "timestamp" && (
        <TextField
          label="Time"
          hint="The first message at this time or later, by this browser's clock and zone."
          type="datetime-local"
          step="1"
          value={time}
          onChange={changed(setTime)}
        />
      )}
      {to === "shift" && (
        <TextField
          label="Messages"
          type="number"
          hint="A negative number goes back: those messages are consumed again."
          value={by}
          onChange={changed(setBy)}
        />
      )}
      <div>
        <button type="button" class="button" disabled={needed === ""} onClick={look}>
          Preview
        </button>
      </div>
      <Refused refusal={refusal} />
      {preview !== null && <Changes {...preview.answer} />}
    </Confirm>
  );
}

type Change = ResetAnswer["partitions"][number];

function isChange({ from, to }: Change): boolean {
  return to !== null && to !== from;
}

function Changes({ partitions }: ResetAnswer) {
  const changes = partitions.filter(isChange);
  if (changes.length === 0)
    return <p class="muted">Nothing would change: every partition is there already.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a list that scrolls must be reached by keyboard
    <section class="table-place preview" tabIndex={0} aria-label="What would change">
      <table>
        <thead>
          <tr>
            <th scope="col">Topic</th>
            <th scope="col" class="number">
              Partition
            </th>
            <th scope="col" class="number">
              From
            </th>
            <th scope="col" class="number">
              To
            </th>
            <th scope="col" class="number">
              Messages
            </th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ topic, partition, from, to, note }) => (
            <tr key={`${topic}-${partition}`}>
              <td>
                <span class="data">{visibleText(topic)}</span>
                {note !== undefined && <span class="muted"> {note}</span>}
              </td>
              <td class="number">{partition}</td>
              <td class="number">{from === null ? UNKNOWN : formatCount(from)}</td>
              <td class="number">{formatCount(to)}</td>
              <td class="number">{from === null ? UNKNOWN : signed((to ?? 0) - from)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** `+5`, `-3`: further on, or back. */
function signed(count: number): string {
  return count > 0 ? `+${formatCount(count)}` : formatCount(count);
}
