/**
 * A table of which only the rows near the window are in the document: ten thousand rows cost what thirty cost. It scrolls with the page.
 * Screen readers hear of all rows by `aria-rowcount`. Columns may be sorted by; on a narrow page those go that are not `isKept`.
 *
 *     head         columns, sorted by a button in each
 *     spacer       as high as all rows; those shown are placed in it by their index
 */

// biome-ignore-all lint/a11y/useSemanticElements: rows are placed by their index, which those of a table element are not
// biome-ignore-all lint/a11y/useFocusableInteractive: it is a table, not a grid: what takes the focus is in its cells

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { useVisibleSpan } from "./visible-span.ts";

export interface Column<Row> {
  readonly id: string;
  readonly label: string;
  /** Of a grid: `1fr`, `8rem`. */
  readonly width: string;
  readonly isNumber?: boolean;
  /** Stays on a phone. */
  readonly isKept?: boolean;
  readonly canSort?: boolean;
  readonly cell: (row: Row) => ComponentChildren;
}

export interface Order {
  readonly by: string;
  readonly isDescending: boolean;
}

export interface VirtualRowsProps<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly order?: Order;
  readonly onOrder?: (order: Order) => void;
}

const ROW_PIXELS = 44;
/** Rows beside the window, so that a fast scroll meets some. */
const BESIDE = 12;
const NARROW = "(max-width: 640px)";

export function VirtualRows<Row>(props: VirtualRowsProps<Row>) {
  const { label, rows, keyOf } = props;
  const body = useRef<HTMLDivElement>(null);
  const isNarrow = useMedia(NARROW);
  const columns = isNarrow ? props.columns.filter(({ isKept }) => isKept === true) : props.columns;
  const template = columns.map(({ width }) => width).join(" ");

  const span = useVisibleSpan(body, rows.length * ROW_PIXELS);
  const first = Math.max(0, Math.floor(span.top / ROW_PIXELS) - BESIDE);
  const shown = rows.slice(first, Math.ceil(span.bottom / ROW_PIXELS) + BESIDE);
  return (
    <div
      class="rows"
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
    >
      <div class="rows-head" role="rowgroup">
        <div class="row" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
          {columns.map((column) => (
            <Head key={column.id} column={column} {...props} />
          ))}
        </div>
      </div>
      <div class="rows-body" role="rowgroup" ref={body} style={{ height: `${rows.length * ROW_PIXELS}px` }}>
        {shown.map((row, index) => (
          <div
            key={keyOf(row)}
            class="row"
            role="row"
            aria-rowindex={first + index + 2}
            style={{ gridTemplateColumns: template, top: `${(first + index) * ROW_PIXELS}px` }}
          >
            {columns.map(({ id, isNumber, cell }) => (
              <div key={id} role="cell" class={isNumber === true ? "cell number" : "cell"}>
                {cell(row)}
              </div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

type HeadProps<Row> = VirtualRowsProps<Row> & { readonly column: Column<Row> };

function Head<Row>({ column, order, onOrder }: HeadProps<Row>) {
  const { id, label, isNumber = false, canSort = false } = column;
  const cellClass = isNumber ? "cell number" : "cell";
  const isSorted = order?.by === id;
  if (!canSort || onOrder === undefined)
    return (
      <div role="columnheader" class={cellClass}>
        {label}
      </div>
    );
  const sort = isSorted ? (order.isDescending ? "descending" : "ascending") : "none";
  return (
    <div role="columnheader" class={cellClass} aria-sort={sort}>
      <button
        type="button"
        class={isSorted ? "sort is-sorted" : "sort"}
        onClick={() => onOrder({ by: id, isDescending: isSorted ? !order.isDescending : isNumber })}
      >
        {label}
        <Icon name={isSorted && !order.isDescending ? "up" : "down"} />
      </button>
    </div>
  );
}

/** Whether a media query holds, now and later. */
export function useMedia(media: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(media).matches);
  useEffect(() => {
    const list = matchMedia(media);
    const look = () => setMatches(list.matches);
    list.addEventListener("change", look);
    return () => list.removeEventListener("change", look);
  }, [media]);
  return matches;
}
