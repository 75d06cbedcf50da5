/** A line that says what was done, for a while, to eyes and to screen readers. */

import { signal } from "@preact/signals";
import { after } from "../base/time.ts";
import { Icon } from "./icon.tsx";

const SHOWN_MS = 6000;

const shown = signal<string | null>(null);
let cancel = () => {};

export function tell(sentence: string): void {
  shown.value = sentence;
  cancel();
  cancel = after(SHOWN_MS, () => {
    shown.value = null;
  });
}

export function Toast() {
  return (
    <div class="toast-place" role="status" aria-live="polite">
      {shown.value !== null && (
        <div class="toast">
          <Icon name="check" />
          <span>{shown.value}</span>
        </div>
      )}
    </div>
  );
}
