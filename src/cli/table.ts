/**
 * Tables for people: boxed where a terminal has room for that, else in plain columns that are cut to its width; plain and
 * whole where the output is a pipe or a file.
 */
import Table from 'cli-table3';
import { clean } from './io.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Never cut, as figures are: half an id or time is none. */
  readonly whole?: true;
}

type Cell = string | number | undefined;

const MIN_WIDTH = 5;
/** Room between two columns, and at the edge: a border and a space on each side where there are boxes. */
const FRAME = { boxed: { between: 3, edge: 1 }, plain: { between: 2, edge: -2 } } as const;

export interface TableOptions {
  /** Width of the terminal; undefined: as wide as it takes. */
  readonly columns: number | undefined;
  /** False: never boxed, so more of it fits. */
  readonly boxes?: false;
}

export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { columns: width, boxes: mayBox }: TableOptions,
): string {
  const texts = rows.map((row) => columns.map((_, i) => clean(String(row[i] ?? '-'))));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...texts.map((row) => row[i]!.length)));
  if (width === undefined) return plain(columns, texts, widths);
  if (mayBox !== false && widthOf(widths, FRAME.boxed) <= width) return boxed(columns, texts, widths);
  return plain(columns, texts, fit(columns, widths, width));
}

function plain(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string {
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (cell.length > widths[i]! ? `${cell.slice(0, widths[i]! - 1)}…` : cell))
      .map((cell, i) => (columns[i]!.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return `${[columns.map(({ title }) => title), ...rows].map(line).join('\n')}\n`;
}

function boxed(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string {
  const table = new Table({
    head: columns.map(({ title }) => title),
    colWidths: widths.map((width) => width + 2),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return `${table.toString()}\n`;
}

const widthOf = (widths: readonly number[], { between, edge }: { between: number; edge: number }): number =>
  widths.reduce((sum, width) => sum + width + between, edge);

/** Takes from the widest texts until the table fits. Figures stay whole: half a number is a wrong one. */
function fit(columns: readonly Column[], natural: readonly number[], terminal: number): number[] {
  const widths = [...natural];
  const texts = columns.map(({ align, whole }) => align !== 'right' && whole === undefined);
  let excess = widthOf(widths, FRAME.plain) - terminal;
  while (excess > 0) {
    const widest = Math.max(MIN_WIDTH, ...widths.filter((_, i) => texts[i]));
    if (widest === MIN_WIDTH) break;
    widths[widths.findIndex((width, i) => texts[i] && width === widest)]!--;
    excess--;
  }
  return widths;
}
