/** Sizes and durations by name, and how people read them. Sizes are powers of 1024; durations are milliseconds. */

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** `1536` becomes `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < KiB) return `${bytes} B`;
  for (const [unit, name] of [
    [GiB, "GiB"],
    [MiB, "MiB"],
    [KiB, "KiB"],
  ] as const) {
    if (bytes >= unit) return `${Number((bytes / unit).toFixed(1))} ${name}`;
  }
  return `${bytes} B`;
}

/** `9015000` becomes `2h30m15s`, as the Go Obelisk printed its uptime. Below a second: `250ms`. */
export function formatDuration(ms: number): string {
  if (ms < SECOND_MS) return `${Math.round(ms)}ms`;
  const seconds = Math.floor(ms / SECOND_MS);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}

const SIZE_PATTERN = /^(\d+(?:\.\d+)?)\s*(b|k|kb|kib|m|mb|mib|g|gb|gib)?$/i;
const DURATION_PATTERN = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/i;

/** Parses `64KiB`, `64k`, `64kb` or `65536` into bytes; undefined when the text is none of these, or no whole number of bytes. */
export function parseBytes(text: string): number | undefined {
  const match = SIZE_PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const scale = { b: 1, k: KiB, m: MiB, g: GiB }[(match[2] ?? "b")[0]!.toLowerCase()]!;
  return whole(Number(match[1]) * scale);
}

/** Parses `250ms`, `30s`, `5m`, `1h`, `7d` or a plain number of milliseconds; undefined otherwise, and when that is no whole number. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION_PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const unit = (match[2] ?? "ms").toLowerCase();
  const scale = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }[unit]!;
  return whole(Number(match[1]) * scale);
}

/** More than this away from a whole number, and it is not what was written: `1.3GiB` is near enough, `1.5` bytes is not. */
const ROUNDING_MAX = 1e-6;

function whole(value: number): number | undefined {
  const rounded = Math.round(value);
  return Math.abs(value - rounded) <= value * ROUNDING_MAX ? rounded : undefined;
}
