/** Sorts rows by a column: what is not known (null) comes last either way. */

import type { Order } from "./virtual-rows.tsx";

type Comparable = string | number | null;

/** Rows that are equal stay in their order. */
export function ordered<Row>(
  rows: readonly Row[],
  order: Order,
  values: Readonly<Record<string, (row: Row) => Comparable>>,
): Row[] {
  const pick = values[order.by];
  if (pick === undefined) return [...rows];
  const sign = order.isDescending ? -1 : 1;
  return [...rows].sort((first, second) => {
    const left = pick(first);
    const right = pick(second);
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    if (typeof left === "string" || typeof right === "string")
      return sign * COLLATOR.compare(String(left), String(right));
    return sign * (left - right);
  });
}

/** Numbers within names by their value: `t-2` before `t-10`. */
const COLLATOR = new Intl.Collator("en", { numeric: true });
