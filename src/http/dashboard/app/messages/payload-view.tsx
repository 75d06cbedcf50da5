/** A key or a value in full: JSON set out and coloured, text in lines, bytes in hex. Of what is very long the beginning, and the rest when asked. */

import { useMemo, useState } from "preact/hooks";
import { formatBytes } from "../base/format.ts";
import { CopyButton } from "../parts/copy-button.tsx";
import { jsonTokens } from "../values/json-tokens.ts";
import { hexLines, type Payload, prettyOf } from "../values/payload.ts";
import { visibleLines } from "../values/visible-text.ts";

/** Shown at once. */
const CHARACTERS_MAX = 32 * 1024;
const HEX_BYTES_MAX = 2 * 1024;
/** Coloured: each word is an element. */
const COLOURED_MAX = 32 * 1024;

const KINDS = { null: "Null", empty: "Empty", json: "JSON", text: "Text", binary: "Bytes" } as const;

export interface PayloadViewProps {
  readonly name: string;
  /** Of the message that it is in. */
  readonly id: string;
  readonly payload: Payload;
}

export function PayloadView({ name, id, payload }: PayloadViewProps) {
  const [isWhole, setIsWhole] = useState(false);
  const [isRaw, setIsRaw] = useState(false);
  const { kind, raw, bytes } = payload;
  const lines = useMemo(() => linesOf(payload, isRaw), [payload, isRaw]);
  const max = isWhole ? Number.POSITIVE_INFINITY : kind === "binary" ? HEX_LINES_LENGTH : CHARACTERS_MAX;
  const cut = lines.length > max ? lines.slice(0, max) : lines;
  const isEmpty = kind === "null" || kind === "empty";
  return (
    <section class="payload" aria-label={`${name} of ${id}`}>
      <header>
        <h2>{name}</h2>
        <span class="tag">{KINDS[kind]}</span>
        {!isEmpty && <span class="muted">{formatBytes(bytes)}</span>}
        <span class="spacer" />
        {kind === "json" && (
          <button
            type="button"
            class="button quiet small"
            aria-pressed={isRaw}
            onClick={() => setIsRaw(!isRaw)}
          >
            As it is stored
          </button>
        )}
        {!isEmpty && (
          <CopyButton
            label={kind === "binary" ? "Copy as base64" : `Copy ${name.toLowerCase()}`}
            text={() => raw}
          />
        )}
      </header>
      {kind === "null" && (
        <p class="muted">
          {name === "Value" ? "Null: a tombstone. Compaction removes the key." : "There is none."}
        </p>
      )}
      {kind === "empty" && <p class="muted">An empty text.</p>}
      {!isEmpty && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <pre class="data" tabIndex={0}>
          {kind === "json" && cut.length <= COLOURED_MAX ? <Coloured json={cut} /> : visibleLines(cut)}
        </pre>
      )}
      {lines.length > cut.length && (
        <button type="button" class="button small" onClick={() => setIsWhole(true)}>
          Show all of it ({formatBytes(bytes)})
        </button>
      )}
    </section>
  );
}

/** What a line of hexLines takes, for so many bytes. */
const HEX_LINES_LENGTH = (HEX_BYTES_MAX / 16) * (6 + 2 + 48 + 1 + 16 + 1);
/** Bytes in hex at all: the text is five times as long. */
const HEX_ALL_MAX = 1024 * 1024;

function linesOf({ kind, raw }: Payload, isRaw: boolean): string {
  if (kind === "binary") return hexLines(raw, HEX_ALL_MAX);
  return kind === "json" && !isRaw ? prettyOf(raw) : raw;
}

function Coloured({ json }: { json: string }) {
  return (
    <>
      {jsonTokens(json).map(([kind, text], index) =>
        kind === "rest" ? (
          visibleLines(text)
        ) : (
          <span key={index} class={`json-${kind}`}>
            {visibleLines(text)}
          </span>
        ),
      )}
    </>
  );
}
