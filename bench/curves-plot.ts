/** The curves on one page: a column for each quantity, CPU per message above and memory below; x is logarithmic. */
import { formatSize } from '../src/core/index.ts';
import type { Curve } from './curves.ts';
import type { Machine } from './machine.ts';
import type { Figures } from './workloads.ts';

const [PANEL, GAP, LEFT, TOP, HEIGHT] = [190, 30, 60, 44, 140];
const COLOURS = { line: '#2f6fde', axis: '#7d858a' } as const;

interface Row {
  readonly title: string;
  readonly of: (figures: Figures) => number;
  readonly show: (value: number) => string;
}

const ROWS: readonly Row[] = [
  { title: 'CPU s per 1,000 messages', of: ({ cpuPer1000 }) => cpuPer1000, show: (v) => v.toFixed(2) },
  { title: 'RSS peak', of: ({ peakRssBytes }) => peakRssBytes, show: formatSize },
  { title: 'RssAnon peak', of: ({ peakRssAnonBytes }) => peakRssAnonBytes, show: formatSize },
];

/** Readable on light and on dark pages. */
export function plotCurves(curves: readonly Curve[], machine: Machine): string {
  const width = LEFT + curves.length * (PANEL + GAP);
  const height = TOP + ROWS.length * (HEIGHT + 56);
  const panels = ROWS.flatMap((row, r) => {
    const most = Math.max(...curves.flatMap(({ points }) => points.map(({ figures }) => row.of(figures))));
    const top = TOP + r * (HEIGHT + 56);
    return [
      text(8, top - 12, row.title, 'font-weight="bold"'),
      ...curves.map((curve, c) => panel({ curve, row, most, left: LEFT + c * (PANEL + GAP), top })),
    ];
  });
  const foot = `${machine.cpu}, ${machine.cores} cores, Node.js ${machine.node}`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + 8}" font-family="sans-serif" font-size="12" ` +
    `fill="${COLOURS.axis}" role="img" aria-label="CPU per message and memory as work grows">${panels.join('')}${text(8, height, foot)}</svg>\n`
  );
}

interface Panel {
  readonly curve: Curve;
  readonly row: Row;
  /** The top of the y axis, the same for all panels of a row. */
  readonly most: number;
  readonly left: number;
  readonly top: number;
}

function panel({ curve, row, most, left, top }: Panel): string {
  const logs = curve.points.map(({ x }) => Math.log(x));
  const [first, last] = [logs[0]!, logs.at(-1)!];
  const points = curve.points.map(({ x, figures }, i) => ({
    label: x.toLocaleString('en-US'),
    x: left + ((logs[i]! - first) / (last - first)) * (PANEL - 30),
    y: top + HEIGHT - (row.of(figures) / most) * (HEIGHT - 16),
    value: row.show(row.of(figures)),
  }));
  const line = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  return [
    `<path d="M${left - 8} ${top}V${top + HEIGHT}H${left + PANEL - 12}" fill="none" stroke="${COLOURS.axis}"/>`,
    `<polyline points="${line}" fill="none" stroke="${COLOURS.line}" stroke-width="2"/>`,
    ...points.flatMap(({ x, y, label, value }) => [
      `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${COLOURS.line}"/>`,
      text(x, y - 7, value, 'text-anchor="middle" font-size="10"'),
      text(x, top + HEIGHT + 13, label, 'text-anchor="middle" font-size="10"'),
    ]),
    text(left + PANEL / 2 - 15, top + HEIGHT + 28, curve.title, 'text-anchor="middle"'),
  ].join('');
}

const text = (x: number, y: number, content: string, extra = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${content}</text>`;
