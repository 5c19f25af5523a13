/** Tables for people: boxed and cut to the width of a terminal, plain columns where the output is a pipe or a file. */
import Table from 'cli-table3';
import { clean, type Io } from './io.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

type Cell = string | number | undefined;

const MIN_WIDTH = 5;
/** Of a boxed column: a border and a space on each side. */
const FRAME = 3;

export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  { columns: width }: Pick<Io, 'columns'>,
): string {
  const texts = rows.map((row) => columns.map((_, i) => clean(String(row[i] ?? '-'))));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...texts.map((row) => row[i]!.length)));
  return width === undefined
    ? plain(columns, texts, widths)
    : boxed(columns, texts, fit(columns, widths, width));
}

function plain(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string {
  const line = (cells: readonly string[]): string =>
    cells
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

/** Takes from the widest texts until the table fits. Figures stay whole: half a number is a wrong one. */
function fit(columns: readonly Column[], natural: readonly number[], terminal: number): number[] {
  const widths = [...natural];
  const texts = columns.map(({ align }) => align !== 'right');
  let excess = widths.reduce((sum, width) => sum + width + FRAME, 1) - terminal;
  while (excess > 0) {
    const widest = Math.max(MIN_WIDTH, ...widths.filter((_, i) => texts[i]));
    if (widest === MIN_WIDTH) break;
    widths[widths.findIndex((width, i) => texts[i] && width === widest)]!--;
    excess--;
  }
  return widths;
}
