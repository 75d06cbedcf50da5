/** The state of a group, as Kafka names it. */

import { StatusBadge, type Tone } from "../parts/status-badge.tsx";

const TONES: Readonly<Record<string, Tone>> = {
  stable: "good",
  empty: "neutral",
  dead: "neutral",
};

export function GroupState({ state }: { state: string }) {
  const tone = TONES[state.toLowerCase()] ?? "warning";
  return <StatusBadge tone={tone}>{state}</StatusBadge>;
}
