/** Deletes the messages of one partition, or of all, below an offset. */

import { useState } from "preact/hooks";
import type { TopicDescribed } from "../api/answers.ts";
import { ask, routeOf } from "../api/ask.ts";
import { formatCount } from "../base/format.ts";
import { Confirm } from "../parts/confirm.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { tell } from "../parts/toast.tsx";

export interface TrimTopicProps {
  readonly topic: TopicDescribed;
  readonly onClose: () => void;
  readonly onChanged: () => void;
}

const ALL = "all";

export function TrimTopic({ topic, onClose, onChanged }: TrimTopicProps) {
  const [chosen, setChosen] = useState(ALL);
  const [offset, setOffset] = useState("");
  const targets = topic.partitions
    .filter(({ partition }) => chosen === ALL || partition === Number(chosen))
    .map(({ partition, startOffset, highWatermark }) => {
      const end = offset === "" || chosen === ALL ? highWatermark : Number(offset);
      return { partition, offset: end, count: Math.max(0, end - startOffset), highWatermark };
    });
  const count = targets.reduce((sum, target) => sum + target.count, 0);
  const isPossible = targets.every(({ offset: end, highWatermark }) => end >= 0 && end <= highWatermark);

  const trim = async () => {
    const partitions = targets.map((target) => ({ partition: target.partition, offset: target.offset }));
    await ask(routeOf(["topics", topic.name, "trim"]), { method: "POST", body: { partitions } });
    tell("The messages were deleted.");
    onChanged();
    onClose();
  };

  return (
    <Confirm
      title="Trim the topic"
      name={topic.name}
      noun="topic"
      submit="Delete messages"
      isReady={isPossible && count > 0}
      onClose={onClose}
      onConfirm={trim}
    >
      <p>Deletes the oldest messages of a partition, up to an offset. This cannot be undone.</p>
      <SelectField
        label="Partition"
        value={chosen}
        onChange={setChosen}
        options={[
          [ALL, "All, to their ends"],
          ...topic.partitions.map(({ partition }) => [String(partition), String(partition)] as const),
        ]}
      />
      {chosen !== ALL && (
        <TextField
          label="First offset to keep"
          type="number"
          placeholder="None: all messages go"
          fault={isPossible ? null : `It may be ${targets[0]?.highWatermark ?? 0} at most.`}
          value={offset}
          onChange={setOffset}
        />
      )}
      <p>
        <strong>{formatCount(count)}</strong> {count === 1 ? "message goes" : "messages go"}.
      </p>
    </Confirm>
  );
}
