/** How filters are written, by examples that can be taken. */

const EXAMPLES: readonly (readonly [filter: string, meaning: string])[] = [
  ["value.total > 100", "a field of a JSON value"],
  ['value.items[0].sku in ["A-1", "B-2"]', "one of several, deeper inside"],
  ['headers.source == "shop"', "a header"],
  ['key startsWith "order-1"', "the beginning of a key"],
  ['value contains "timeout"', "a piece of text"],
  ["exists(value.error) and not value.isRetried", "whether it is there, and is not true"],
  ["not exists(value)", "tombstones"],
  ['timestamp >= "2026-01-31T12:00:00Z"', "from a time on, in UTC"],
];

export function FilterHelp({ onTake }: { onTake: (filter: string) => void }) {
  return (
    <details class="more filter-help">
      <summary>How filters are written</summary>
      <ul>
        {EXAMPLES.map(([filter, meaning]) => (
          <li key={filter}>
            <button type="button" class="button quiet small data" onClick={() => onTake(filter)}>
              {filter}
            </button>
            <span class="muted">{meaning}</span>
          </li>
        ))}
      </ul>
      <p class="muted">
        Comparisons are put together with <code class="data">and</code>, <code class="data">or</code>,{" "}
        <code class="data">not</code> and parentheses.
      </p>
    </details>
  );
}
