/** Light, dark, or as the system has it. Remembered by the browser. */

import { signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "obelisk-theme";

export const theme = signal<Theme>("system");
/** Counts changes of the colours, whatever made them: charts are drawn again. */
export const colourChanges = signal(0);

export function startTheme(): void {
  setTheme(THEMES.find((name) => name === readStored()) ?? "system");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    colourChanges.value += 1;
  });
}

export function setTheme(next: Theme): void {
  theme.value = next;
  document.documentElement.dataset["theme"] = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage may be forbidden: then it holds until the page is left.
  }
  colourChanges.value += 1;
}

function readStored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
