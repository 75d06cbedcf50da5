/** A sentence of the documentation: what stands between backticks is set as data. */

import type { ComponentChildren } from "preact";

export function Advice({ text }: { text: string }) {
  return <>{partsOf(text)}</>;
}

function partsOf(text: string): ComponentChildren[] {
  return text.split("`").map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <code key={index} class="data">
        {part}
      </code>
    ),
  );
}
