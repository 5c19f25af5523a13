/**
 * Tables for people: boxed where a terminal has room for that, else in plain columns that are cut to its width, with reasons
 * beneath their rows; plain and whole where the output is a pipe or a file.
 */
import Table from 'cli-table3';
import { clean } from './io.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Never cut, as figures are: half an id or time is none. */
  readonly whole?: true;
  /** A reason: where it does not fit it is not cut, but stands beneath its row. */
  readonly beneath?: true;
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
  const texts = rows.map((row) => columns.map((_, i) => clean(String(row[i] ?? NOTHING))));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...texts.map((row) => row[i]!.length)));
  if (width === undefined) return plain(columns, texts, widths);
  if (mayBox !== false && widthOf(widths, FRAME.boxed) <= width) return boxed(columns, texts, widths);
  return plain(columns, texts, fitted(columns, texts, { natural: widths, terminal: width }));
}

/** A column of width 0 is left out. */
function plain(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): string {
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (cell.length > widths[i]! ? `${cell.slice(0, widths[i]! - 1)}…` : cell))
      .map((cell, i) => (columns[i]!.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .filter((_, i) => widths[i]! > 0)
      .join('  ')
      .trimEnd();
  const lines = (row: readonly string[]): string[] => {
    const isBeneath = (cell: string, i: number): boolean =>
      columns[i]!.beneath === true && cell.length > widths[i]!;
    const beneath = row.filter((cell, i) => isBeneath(cell, i) && says(cell));
    return [
      line(row.map((cell, i) => (isBeneath(cell, i) ? '' : cell))),
      ...beneath.map((cell) => `  ${cell}`),
    ];
  };
  return `${[line(columns.map(({ title }) => title)), ...rows.flatMap(lines)].join('\n')}\n`;
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
  widths.reduce((sum, width) => (width > 0 ? sum + width + between : sum), edge);

const NOTHING = '-';
const says = (cell: string): boolean => cell !== '' && cell !== NOTHING;

interface Room {
  readonly natural: readonly number[];
  readonly terminal: number;
}

/** A column of reasons that all stand beneath takes no room. */
function fitted(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { natural, terminal }: Room,
): number[] {
  const widths = fit(columns, { natural, terminal });
  const stays = columns.map(
    ({ beneath }, i) => !beneath || rows.some((row) => says(row[i]!) && row[i]!.length <= widths[i]!),
  );
  return stays.every(Boolean)
    ? widths
    : fit(columns, { natural: natural.map((width, i) => (stays[i] ? width : 0)), terminal });
}

/** Takes from reasons, then from other texts, until the table fits. Figures stay whole: half a number is a wrong one. */
function fit(columns: readonly Column[], { natural, terminal }: Room): number[] {
  const widths = [...natural];
  const texts = columns.map(({ align, whole }) => align !== 'right' && whole === undefined);
  narrow(widths, { terminal, may: columns.map(({ beneath }) => beneath === true) });
  narrow(widths, { terminal, may: texts });
  return widths;
}

/** Takes from the widest of those that may be narrower. */
function narrow(
  widths: number[],
  { terminal, may }: { readonly terminal: number; readonly may: readonly boolean[] },
): void {
  for (let excess = widthOf(widths, FRAME.plain) - terminal; excess > 0; excess--) {
    const widest = Math.max(MIN_WIDTH, ...widths.filter((_, i) => may[i]));
    if (widest === MIN_WIDTH) return;
    widths[widths.findIndex((width, i) => may[i] && width === widest)]!--;
  }
}
