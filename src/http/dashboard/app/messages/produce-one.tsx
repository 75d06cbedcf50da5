/** Stores one message: says what it is, and where it has come to lie. */

import { useState } from "preact/hooks";
import { ask, routeOf } from "../api/ask.ts";
import { Dialog } from "../parts/dialog.tsx";
import { AreaField, SelectField, TextField } from "../parts/field.tsx";
import { Icon } from "../parts/icon.tsx";
import { tell } from "../parts/toast.tsx";
import { visibleText } from "../values/visible-text.ts";

export interface ProduceOneProps {
  readonly topic: string;
  readonly onClose: () => void;
  readonly onProduced: () => void;
}

const KINDS = [
  ["text", "Text"],
  ["json", "JSON"],
  ["base64", "Bytes, as base64"],
  ["null", "Null: a tombstone"],
] as const;

interface Stored {
  readonly partition: number;
  readonly offset: number;
}

export function ProduceOne({ topic, onClose, onProduced }: ProduceOneProps) {
  const [key, setKey] = useState("");
  const [kind, setKind] = useState("text");
  const [value, setValue] = useState("");
  const [partition, setPartition] = useState("");
  const [headers, setHeaders] = useState<readonly (readonly [name: string, value: string])[]>([]);
  const fault = kind === "json" && value.trim() !== "" ? jsonFault(value) : null;
  const isReady = kind === "null" ? key !== "" : fault === null && (kind === "text" || value.trim() !== "");

  const setHeader = (index: number, header: readonly [string, string]) =>
    setHeaders(headers.map((kept, slot) => (slot === index ? header : kept)));

  const produce = async () => {
    const body = {
      value: kind === "null" ? null : value,
      ...(kind === "base64" ? { valueIsBase64: true } : {}),
      ...(key === "" ? {} : { key }),
      ...(partition === "" ? {} : { partition: Number(partition) }),
      ...(headers.length === 0
        ? {}
        : { headers: headers.map(([name, text]) => ({ key: name, value: text })) }),
    };
    const stored = await ask<Stored>(routeOf(["topics", topic, "messages"]), { method: "POST", body });
    tell(`Stored in partition ${stored.partition} at offset ${stored.offset}.`);
    onProduced();
    onClose();
  };

  return (
    <Dialog
      title={`Produce to ${visibleText(topic)}`}
      submit="Produce"
      isWide
      isReady={isReady}
      onClose={onClose}
      onSubmit={produce}
    >
      <div class="pair">
        <TextField
          label="Key"
          hint="Messages of one key stay in order."
          value={key}
          onChange={setKey}
          isData
          isFirst
        />
        <TextField
          label="Partition"
          type="number"
          placeholder="By the key, or any"
          value={partition}
          onChange={setPartition}
        />
      </div>
      <SelectField label="The value is" value={kind} onChange={setKind} options={KINDS} />
      {kind !== "null" && <AreaField label="Value" value={value} onChange={setValue} fault={fault} />}
      <fieldset class="header-fields">
        <legend>Headers</legend>
        {headers.map(([name, text], index) => (
          <div class="header-field" key={index}>
            <input
              class="input data"
              aria-label={`Name of header ${index + 1}`}
              placeholder="Name"
              value={name}
              onInput={(event) => setHeader(index, [event.currentTarget.value, text])}
            />
            <input
              class="input data"
              aria-label={`Value of header ${index + 1}`}
              placeholder="Value"
              value={text}
              onInput={(event) => setHeader(index, [name, event.currentTarget.value])}
            />
            <button
              type="button"
              class="button quiet square"
              aria-label={`Remove header ${index + 1}`}
              onClick={() => setHeaders(headers.filter((_, slot) => slot !== index))}
            >
              <Icon name="close" />
            </button>
          </div>
        ))}
        <button type="button" class="button small" onClick={() => setHeaders([...headers, ["", ""]])}>
          <Icon name="plus" />
          Add a header
        </button>
      </fieldset>
    </Dialog>
  );
}

function jsonFault(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return `This is no JSON: ${thrown.message}`;
  }
}
