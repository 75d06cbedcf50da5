/** Messages as a file of NDJSON: those that are shown, or more of the same reading, read anew. */

import { useState } from "preact/hooks";
import type { RecordAnswer } from "../api/answers.ts";
import { askResponse, Refusal } from "../api/ask.ts";
import { formatCount } from "../base/format.ts";
import { Dialog } from "../parts/dialog.tsx";
import { SelectField } from "../parts/field.tsx";
import { tell } from "../parts/toast.tsx";
import { downloadPath, isBackwards, type Reading } from "./reading.ts";

/** What a browser keeps in memory until the file is written. */
const MESSAGES_MAX = 100_000;
const MEDIA_TYPE = "application/x-ndjson";

export interface DownloadProps {
  readonly reading: Reading;
  /** Of the topic. */
  readonly partitions: number;
  readonly records: readonly RecordAnswer[];
  readonly onClose: () => void;
}

export function Download({ reading, partitions, records, onClose }: DownloadProps) {
  const [what, setWhat] = useState("shown");
  const isAll = reading.partition === "" && partitions > 1;
  const count = isBackwards(reading) && isAll ? Math.floor(MESSAGES_MAX / partitions) : MESSAGES_MAX;
  const more = isBackwards(reading)
    ? `The last ${formatCount(count)}${isAll ? " of each partition" : ""}, at most`
    : `All from there on, ${formatCount(MESSAGES_MAX)} at most`;
  const download = async () => {
    const file = what === "shown" ? fileOf(records) : await readFile(downloadPath(reading, count));
    save(file, `${reading.topic}.ndjson`);
    tell("The file is downloaded.");
    onClose();
  };
  return (
    <Dialog title="Download messages" submit="Download" onClose={onClose} onSubmit={download}>
      <p>A file of NDJSON: each line is a message, as the HTTP API tells it and takes it.</p>
      <SelectField
        label="Messages"
        value={what}
        onChange={setWhat}
        isFirst
        options={[
          ["shown", `Those that are shown: ${formatCount(records.length)}`],
          ["more", more],
        ]}
      />
    </Dialog>
  );
}

function fileOf(records: readonly RecordAnswer[]): Blob {
  return new Blob(
    records.map((record) => `${JSON.stringify(record)}\n`),
    { type: MEDIA_TYPE },
  );
}

/** @throws Refusal also for a fault that the broker met on the way, which is told in the last line */
async function readFile(path: string): Promise<Blob> {
  const text = await (await askResponse(path, { accept: MEDIA_TYPE })).text();
  const last = text.slice(text.lastIndexOf("\n", text.length - 2) + 1);
  if (last.startsWith('{"error":')) {
    const { error } = JSON.parse(last) as { error: { status: number; code: string; detail: string } };
    throw new Refusal(error.status, error.code, error.detail, null);
  }
  return new Blob([text], { type: MEDIA_TYPE });
}

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
