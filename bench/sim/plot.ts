/** The course of a run as an SVG: what is delivered per hour against what the receiver takes, and what is refused. */
import { HOUR } from './clock.ts';
import type { Model } from './scenes.ts';
import type { Reaction } from './sender.ts';
import { type Course, SLICE_MS } from './simulate.ts';

const WIDTH = 900;
const LEFT = 70;
const RIGHT = 20;
const PANELS = { delivered: { top: 50, height: 220 }, refused: { top: 320, height: 110 } } as const;
const HEIGHT = 470;
const COLOURS: Readonly<Record<Reaction, string>> = {
  fixed: '#c0392b',
  backoff: '#e08e0b',
  adaptive: '#1f6fb2',
};
/** So many points a line: a week of five-minute slices is more than a screen has. */
const POINTS = 168;

export type Courses = ReadonlyMap<Reaction, Course>;

export function plot(model: Model, courses: Courses): string {
  const [any] = [...courses.values()];
  const capacity = perHour(any!, 'capacity');
  const delivered = [...courses].map(([reaction, course]) => ({
    reaction,
    values: perHour(course, 'delivered'),
  }));
  const refused = [...courses].map(([reaction, course]) => ({
    reaction,
    values: perHour(course, 'refused'),
  }));
  const most = highest([capacity, ...delivered.map(({ values }) => values)]);
  const mostRefused = highest(refused.map(({ values }) => values));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 20, `${model.name}: ${model.title}`, 'font-weight="bold"'),
    ...legend([...courses.keys()]),
    ...axes('delivered', most, 'delivered/h (grey: what it takes)', model.hours),
    area(capacity, most),
    ...delivered.map(({ reaction, values }) => line(values, most, 'delivered', COLOURS[reaction])),
    ...axes('refused', mostRefused, 'refused/h', model.hours),
    ...refused.map(({ reaction, values }) => line(values, mostRefused, 'refused', COLOURS[reaction])),
    '</svg>\n',
  ].join('\n');
}

const highest = (lines: readonly (readonly number[])[]): number =>
  Math.max(1, ...lines.map((values) => Math.max(...values))) * 1.05;

/** Averages of so many slices that there are POINTS of them. */
function perHour({ slices }: Course, key: 'delivered' | 'refused' | 'capacity'): number[] {
  const size = Math.max(1, Math.ceil(slices.length / POINTS));
  const points: number[] = [];
  for (let i = 0; i < slices.length; i += size) {
    const part = slices.slice(i, i + size);
    points.push((part.reduce((sum, slice) => sum + slice[key], 0) * HOUR) / (part.length * SLICE_MS));
  }
  return points;
}

type Panel = keyof typeof PANELS;

function points(values: readonly number[], most: number, panel: Panel): string {
  const { top, height } = PANELS[panel];
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, values.length - 1);
  return values
    .map((value, i) => `${(LEFT + i * step).toFixed(1)},${(top + height * (1 - value / most)).toFixed(1)}`)
    .join(' ');
}

const line = (values: readonly number[], most: number, panel: Panel, colour: string): string =>
  `<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points(values, most, panel)}"/>`;

function area(values: readonly number[], most: number): string {
  const { top, height } = PANELS.delivered;
  const bottom = top + height;
  return `<polygon fill="#e4e4e4" points="${LEFT},${bottom} ${points(values, most, 'delivered')} ${WIDTH - RIGHT},${bottom}"/>`;
}

function axes(panel: Panel, most: number, title: string, hours: number): string[] {
  const { top, height } = PANELS[panel];
  const bottom = top + height;
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const x = LEFT + share * (WIDTH - LEFT - RIGHT);
    return text(x - 8, bottom + 16, `${Math.round(hours * share)} h`);
  });
  return [
    `<path d="M${LEFT},${top} V${bottom} H${WIDTH - RIGHT}" fill="none" stroke="#444"/>`,
    text(LEFT + 6, top - 6, title),
    text(6, top + 10, Math.round(most).toLocaleString('en')),
    text(6, bottom, '0'),
    ...marks,
  ];
}

const legend = (reactions: readonly Reaction[]): string[] =>
  reactions.map((reaction, i) => text(560 + i * 110, 38, `— ${reaction}`, `fill="${COLOURS[reaction]}"`));

const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x}" y="${y}" ${more}>${words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
