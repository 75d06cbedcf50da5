/** A state in a word, with a colour that only repeats it. */

export type Tone = "good" | "warning" | "bad" | "neutral";

export function StatusBadge({ tone, children }: { tone: Tone; children: string }) {
  return (
    <span class={`badge ${tone}`}>
      <span class="dot" />
      {children}
    </span>
  );
}
