/** The text of a scrape as tests read it. */

export interface Scraped {
  readonly type: string;
  /** Of its samples; of a histogram without `le`. */
  readonly labels: Set<string>;
}

/** By name, a histogram once. */
export function parseScrape(text: string): Map<string, Scraped> {
  const metrics = new Map<string, Scraped>();
  let current: { name: string; scraped: Scraped } | null = null;
  for (const line of text.split("\n")) {
    const [, name, type] = /^# TYPE (\w+) (\w+)$/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) {
      current = { name, scraped: { type, labels: new Set() } };
      metrics.set(name, current.scraped);
    }
    const labels = line.startsWith("#") ? "" : (/^\w+\{(.*)\} /.exec(line)?.[1] ?? "");
    for (const [, label] of labels.matchAll(/(\w+)="/g))
      if (label !== "le") current?.scraped.labels.add(label!);
  }
  return metrics;
}
