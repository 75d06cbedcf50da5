/** Tables for people: columns as wide as their longest cell, two spaces between, numbers to the right. */

export interface Column<Row> {
  readonly title: string;
  readonly isNumber?: boolean;
  cell(row: Row): string;
}

/** The lines of a table, its head first. No trailing spaces. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((column) => column.cell(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => Bun.stringWidth(line[index]!))));
  return cells.map((line) =>
    line
      .map((cell, index) => {
        const space = " ".repeat(widths[index]! - Bun.stringWidth(cell));
        return columns[index]!.isNumber ? space + cell : cell + space;
      })
      .join("  ")
      .trimEnd(),
  );
}
