/** How full something is. */

export interface MeterProps {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  readonly text: string;
}

/** From here on it deserves a look. */
const WARNING = 0.8;
const DANGER = 0.92;

export function Meter({ label, value, max, text }: MeterProps) {
  const part = max > 0 ? Math.min(1, value / max) : 0;
  const tone = part >= DANGER ? "bad" : part >= WARNING ? "warning" : "good";
  return (
    <div class="meter-place">
      {/* biome-ignore lint/a11y/useSemanticElements: a meter element cannot be drawn alike in all browsers */}
      <div
        class={`meter ${tone}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(part * 100)}
        aria-valuetext={text}
      >
        <span style={{ width: `${part * 100}%` }} />
      </div>
      <p class="meter-text">{text}</p>
    </div>
  );
}
