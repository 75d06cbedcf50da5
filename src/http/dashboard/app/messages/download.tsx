/** Messages as a file of NDJSON: those that are shown, or more of the same reading, read anew. */

import { useState } from "preact/hooks";
import type { RecordAnswer } from "../api/answers.ts";
import { askResponse } from "../api/ask.ts";
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
  readonly records: readonly RecordAnswer[];
  readonly onClose: () => void;
}

export function Download({ reading, records, onClose }: DownloadProps) {
  const [what, setWhat] = useState("shown");
  const more = isBackwards(reading)
    ? `The last ${formatCount(MESSAGES_MAX)}, at most`
    : `All from there on, ${formatCount(MESSAGES_MAX)} at most`;
  const download = async () => {
    const file =
      what === "shown"
        ? new Blob(
            records.map((record) => `${JSON.stringify(record)}\n`),
            { type: MEDIA_TYPE },
          )
        : await (await askResponse(downloadPath(reading, MESSAGES_MAX), { accept: MEDIA_TYPE })).blob();
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

function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
