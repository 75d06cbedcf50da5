/** More partitions for a topic. */

import { useState } from "preact/hooks";
import type { TopicDescribed } from "../api/answers.ts";
import { ask, routeOf } from "../api/ask.ts";
import { plural } from "../base/format.ts";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/field.tsx";
import { tell } from "../parts/toast.tsx";

export interface AddPartitionsProps {
  readonly topic: TopicDescribed;
  readonly onClose: () => void;
  readonly onChanged: () => void;
}

export function AddPartitions({ topic, onClose, onChanged }: AddPartitionsProps) {
  const count = topic.partitions.length;
  const [wanted, setWanted] = useState(String(count + 1));
  const add = async () => {
    await ask(routeOf(["topics", topic.name]), { method: "PATCH", body: { partitions: Number(wanted) } });
    tell(`The topic has ${plural(Number(wanted), "partition")} now.`);
    onChanged();
    onClose();
  };
  return (
    <Dialog
      title="Add partitions"
      submit="Add"
      isReady={Number(wanted) > count}
      onClose={onClose}
      onSubmit={add}
    >
      <p>
        There can be more later, never fewer. Keys are spread over all partitions, so from then on most keys
        go to another one than before: their order across the change is not kept.
      </p>
      <TextField
        label="Partitions in all"
        type="number"
        hint={`There are ${count} now.`}
        value={wanted}
        onChange={setWanted}
        isFirst
      />
    </Dialog>
  );
}
