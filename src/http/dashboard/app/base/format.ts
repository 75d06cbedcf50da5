/** Numbers, sizes, durations and times as people read them. A value that is not known is a dash, never a zero. */

export const UNKNOWN = "–";

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** `1234567` becomes `1,234,567`. */
export function formatCount(count: number | null | undefined): string {
  return count === null || count === undefined ? UNKNOWN : WHOLE.format(count);
}

/** `1234567` becomes `1.23 M`; three digits at most, for tiles and axes. */
export function formatShort(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  for (const [scale, unit] of [
    [1e12, " T"],
    [1e9, " G"],
    [1e6, " M"],
    [1e4, " k"],
  ] as const) {
    if (Math.abs(value) >= scale) {
      const divisor = unit === " k" ? 1e3 : scale;
      return `${threeDigits(value / divisor)}${unit}`;
    }
  }
  return Number.isInteger(value) ? WHOLE.format(value) : threeDigits(value);
}

/** `1536` becomes `1.5 KiB`. */
export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (Math.abs(value) < 1024 || unit === "TiB")
      return `${unit === "B" ? WHOLE.format(value) : threeDigits(value)} ${unit}`;
    value /= 1024;
  }
  return UNKNOWN;
}

/** `0.42` becomes `0.42 ms`, `2500` becomes `2.5 s`. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  return ms < 1000 ? `${threeDigits(ms)} ms` : `${threeDigits(ms / 1000)} s`;
}

/** `93784000` becomes `1 d 2 h`: the two largest units. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** Local time with milliseconds: `2026-03-04 05:06:07.008`. Kafka's -1 is no time. */
export function formatTimestamp(ms: number): string {
  if (!(ms >= 0)) return UNKNOWN;
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day} ${time}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** Local time of day: `05:06:07`. */
export function formatClock(ms: number): string {
  return formatTimestamp(ms).slice(11, 19);
}

/** `1 topic`, `2 topics`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : nouns}`;
}

function threeDigits(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
