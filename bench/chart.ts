/** The picture of the results: a bar per contender and workload, speed on the left, CPU per message on the right. */
import { median } from './report.ts';
import type { Run } from './report.ts';
import type { WorkloadPart } from './results.ts';
import type { Figures } from './workloads.ts';

const [WIDTH, LABEL, PANEL, GAP] = [860, 130, 330, 35];
const [BAR, BETWEEN, TITLE] = [18, 6, 34];
const COLOURS = ['#2f6fde', '#8a94a6', '#b9a26a', '#7aa67a', '#b07aa1'];

interface Panel {
  readonly title: string;
  readonly key: keyof Figures;
  readonly show: (value: number) => string;
}

const PANELS: readonly Panel[] = [
  { title: 'messages delivered per second', key: 'deliveredPerSecond', show: (v) => v.toFixed(0) },
  { title: 'CPU seconds per 1,000 messages', key: 'cpuPer1000', show: (v) => v.toFixed(2) },
];

/** Medians of all contenders; Postrider comes first and in colour. Readable on light and on dark pages. */
export function chart(parts: readonly WorkloadPart[]): string {
  const runs = parts.flatMap((part) => part.runs);
  const workloads = [...Map.groupBy(runs, ({ workload }) => workload.name)];
  const { machine } = parts[0]!;
  const contenders = [...new Set(runs.map(({ contender }) => contender))].toSorted(
    (a, b) => Number(b === 'postrider') - Number(a === 'postrider'),
  );
  let y = TITLE;
  let body = PANELS.map(({ title }, i) => text(panelX(i), 18, title, 'font-weight="bold"')).join('');
  for (const [name, of] of workloads) {
    body += text(0, y + BAR - 4, name.toUpperCase(), 'font-weight="bold"');
    for (const contender of contenders) {
      const own = of.filter((run) => run.contender === contender);
      if (own.length === 0) continue;
      body += text(40, y + BAR - 4, contender);
      const fill = COLOURS[contenders.indexOf(contender) % COLOURS.length]!;
      PANELS.forEach((panel, i) => {
        body += bar({ x: panelX(i), y, fill, panel, value: valueOf(own, panel), most: mostOf(of, panel) });
      });
      y += BAR + BETWEEN;
    }
    y += BETWEEN * 2;
  }
  body += text(
    0,
    y + 8,
    `${machine.cpu}, ${machine.cores} cores, ${machine.fileSystem}, Node.js ${machine.node}`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 16}" font-family="sans-serif" font-size="13" ` +
    `fill="#7d8590" role="img" aria-label="Speed and CPU of Postrider and its peers">${body}</svg>\n`
  );
}

const panelX = (index: number): number => LABEL + index * (PANEL + GAP);
const valueOf = (runs: readonly Run[], { key }: Panel): number =>
  median(runs.map(({ figures }) => figures[key]));
const mostOf = (runs: readonly Run[], panel: Panel): number =>
  Math.max(
    ...[...Map.groupBy(runs, ({ contender }) => contender).values()].map((own) => valueOf(own, panel)),
  );

function bar(of: { x: number; y: number; fill: string; panel: Panel; value: number; most: number }): string {
  const width = Math.max(1, (of.value / of.most) * (PANEL - 60));
  const rect = `<rect x="${of.x}" y="${of.y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${of.fill}"/>`;
  return rect + text(of.x + width + 6, of.y + BAR - 4, of.panel.show(of.value));
}

const text = (x: number, y: number, content: string, extra = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y}" ${extra}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`;
