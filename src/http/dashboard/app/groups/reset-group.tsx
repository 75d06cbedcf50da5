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
  };
  const isComplete = (to !== "offset" || offset !== "") && (to !== "timestamp" || time !== "");
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
      isReady={preview !== null}
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
        <TextField label="Offset" type="number" value={offset} onChange={changed(setOffset)} />
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
      <div>
        <button type="button" class="button" disabled={!isComplete} onClick={look}>
          Preview
        </button>
      </div>
      <Refused refusal={refusal} />
      {preview !== null && <Changes {...preview.answer} />}
    </Confirm>
  );
}

function Changes({ partitions }: ResetAnswer) {
  if (partitions.length === 0) return <p class="muted">Nothing would change.</p>;
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
          </tr>
        </thead>
        <tbody>
          {partitions.map(({ topic, partition, from, to }) => (
            <tr key={`${topic}-${partition}`}>
              <td>
                <span class="data">{visibleText(topic)}</span>
              </td>
              <td class="number">{partition}</td>
              <td class="number">{from === null ? UNKNOWN : formatCount(from)}</td>
              <td class="number">{formatCount(to)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
