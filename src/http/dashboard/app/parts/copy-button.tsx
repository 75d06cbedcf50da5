/** Copies a text. Browsers allow that on secure pages and on loopback; elsewhere it selects nothing and says so. */

import { Icon } from "./icon.tsx";
import { tell } from "./toast.tsx";

export function CopyButton({ label, text }: { label: string; text: () => string }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      tell("Copied.");
    } catch {
      tell("The browser does not allow copying here.");
    }
  };
  return (
    <button type="button" class="button quiet small" onClick={copy}>
      <Icon name="copy" />
      {label}
    </button>
  );
}
