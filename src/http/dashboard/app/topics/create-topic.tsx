/** Creates a topic: its name, how many partitions, and the settings that are most often wanted. */

import { useState } from "preact/hooks";
import { ask, routeOf } from "../api/ask.ts";
import { navigate, pathOf } from "../base/router.ts";
import { Dialog } from "../parts/dialog.tsx";
import { SelectField, TextField } from "../parts/field.tsx";
import { tell } from "../parts/toast.tsx";

const POLICIES = [
  ["", "As the broker's settings say"],
  ["delete", "Delete old messages"],
  ["compact", "Keep the latest message of each key"],
  ["compact,delete", "Both"],
] as const;

export function CreateTopic({ onClose, onCreated }: { onClose: () => void; onCreated: () => void }) {
  const [name, setName] = useState("");
  const [partitions, setPartitions] = useState("");
  const [policy, setPolicy] = useState("");
  const [retention, setRetention] = useState("");

  const create = async () => {
    const configs: Record<string, string> = {};
    if (policy !== "") configs["cleanup.policy"] = policy;
    if (retention.trim() !== "") configs["retention.ms"] = retentionMs(Number(retention));
    const body = { name, configs, ...(partitions === "" ? {} : { partitions: Number(partitions) }) };
    await ask(routeOf(["topics"]), { method: "POST", body });
    tell(`Topic ${name} was created.`);
    onCreated();
    navigate(pathOf("topics", name));
  };

  return (
    <Dialog title="Create a topic" submit="Create" isReady={name !== ""} onClose={onClose} onSubmit={create}>
      <TextField
        label="Name"
        hint="Letters, digits, dots, hyphens and underscores; at most 249 of them."
        value={name}
        onChange={setName}
        isData
        isFirst
      />
      <TextField
        label="Partitions"
        type="number"
        placeholder="As the broker's settings say"
        hint="As many consumers of a group can share the work. There can be more later, never fewer."
        value={partitions}
        onChange={setPartitions}
      />
      <SelectField label="Cleanup" value={policy} onChange={setPolicy} options={POLICIES} />
      <TextField
        label="Keep messages for, in hours"
        type="number"
        placeholder="As the broker's settings say"
        hint="-1 keeps them for ever."
        value={retention}
        onChange={(value) => setRetention(value)}
      />
    </Dialog>
  );
}

/** Kafka's -1: for ever. */
function retentionMs(hours: number): string {
  return hours < 0 ? "-1" : String(Math.round(hours * 3_600_000));
}
