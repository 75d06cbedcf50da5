/**
 * Families as text, in one of two formats: Prometheus' own, or OpenMetrics for who asks for it. prom-client writes them, a hundred
 * samples in a piece at most, so that a scrape with a great many series leaves the loop to others between.
 */

import { Registry, type RegistryContentType } from "prom-client";
import { loopTurns } from "../../base/loop/loop-turns.ts";
import { TurnShare } from "../../base/loop/turn-share.ts";
import type { Family, Sample } from "./family.ts";
import type { Reading } from "./readings.ts";

/** Samples that are written in one piece: less than a millisecond. */
const SAMPLES_A_PIECE = 100;
/** What prom-client writes above the samples. */
const HEAD_LINES = 2;

type Format = Pick<Registry, "contentType"> & {
  getMetricsAsString(metric: { get(): Promise<object> }): Promise<string>;
};

const TEXT = formatOf(Registry.PROMETHEUS_CONTENT_TYPE);
const OPEN_METRICS = formatOf(Registry.OPENMETRICS_CONTENT_TYPE);

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

/** `accept`: what the scraper takes; null: whatever there is. */
export async function expose(
  families: readonly Family[],
  reading: Reading,
  accept: string | null,
): Promise<Exposition> {
  const isOpenMetrics = accept?.includes("application/openmetrics-text") ?? false;
  const format = isOpenMetrics ? OPEN_METRICS : TEXT;
  const share = new TurnShare();
  const lines: string[] = [];
  for (const family of families) {
    let isFirst = true;
    for (const piece of pieces(family.samples(reading))) {
      const text = await format.getMetricsAsString(metricOf(family, piece, isOpenMetrics));
      lines.push(isFirst ? text : withoutHead(text));
      isFirst = false;
      if (share.isUsedUp) await share.rest();
    }
  }
  if (isOpenMetrics) lines.push("# EOF");
  loopTurns.enter("http");
  return { contentType: format.contentType, text: `${lines.join("\n")}\n` };
}

/** In OpenMetrics `_total` belongs to a counter's samples and not to its name; prom-client adds it there. */
function metricOf({ name, help, type }: Family, values: readonly Sample[], isOpenMetrics: boolean) {
  const told = isOpenMetrics && type === "counter" ? name.replace(/_total$/, "") : name;
  return { get: async () => ({ name: told, help, type, values }) };
}

/** At least one: a family without samples has its head all the same. */
function* pieces(samples: Iterable<Sample>): Generator<readonly Sample[]> {
  let piece: Sample[] = [];
  let isTold = false;
  for (const sample of samples) {
    piece.push(sample);
    if (piece.length < SAMPLES_A_PIECE) continue;
    yield piece;
    isTold = true;
    piece = [];
  }
  if (piece.length > 0 || !isTold) yield piece;
}

function withoutHead(text: string): string {
  let start = 0;
  for (let line = 0; line < HEAD_LINES; line += 1) start = text.indexOf("\n", start) + 1;
  return text.slice(start);
}

function formatOf(contentType: RegistryContentType): Format {
  const registry: Registry<RegistryContentType> = new Registry();
  registry.setContentType(contentType);
  return registry as unknown as Format;
}
