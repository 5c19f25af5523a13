/** What a message costs as work grows: W1 in short runs, one quantity at a time, the others as in W1. */
import { formatSize } from '../src/core/index.ts';
import type { Bench } from './drain.ts';
import { runOnce } from './measure.ts';
import { postrider, type Variant } from './postrider.ts';
import { table } from './report.ts';
import { type Figures, ISP_DOMAINS, type Workload, workloadOf } from './workloads.ts';

export interface Curve {
  readonly title: string;
  readonly points: readonly { readonly x: number; readonly figures: Figures }[];
}

interface Axis {
  readonly title: string;
  readonly xs: readonly number[];
  readonly at: (x: number) => Variant & Partial<Workload>;
}

const SHORT = { count: 3_000, warmUp: 1_000 } as const;

const AXES: readonly Axis[] = [
  { title: 'message size, KB', xs: [1, 4, 16, 64, 256], at: (x) => ({ messageBytes: x * 1024 }) },
  { title: 'deliveries that wait', xs: [1_000, 10_000, 100_000], at: (x) => ({ waiting: x }) },
  { title: 'ISPs', xs: [1, 10, 100, 300], at: (x) => ({ isps: x, domains: ISP_DOMAINS }) },
  { title: 'nodes', xs: [1, 10, 100], at: (x) => ({ nodes: x }) },
  { title: 'sessions that inject', xs: [1, 5, 20, 100], at: (x) => ({ sessions: x }) },
];

/** Throws what failed. */
export async function measureCurves(bench: Bench): Promise<Curve[]> {
  const curves: Curve[] = [];
  for (const { title, xs, at } of AXES) {
    const points: Curve['points'][number][] = [];
    for (const x of xs) {
      const { nodes, isps, ...change } = at(x);
      const contender = postrider({ ...(nodes && { nodes }), ...(isps && { isps }) });
      const workload: Workload = { ...workloadOf('w1'), ...SHORT, ...change };
      const figures = await bench.once(`${title} ${x}`, (dir) =>
        runOnce(contender, workload, { dir, dkimKey: undefined }),
      );
      points.push({ x, figures });
      bench.say(`${title} ${x}: ${figures.cpuPer1000.toFixed(3)} CPU s per 1,000`);
    }
    curves.push({ title, points });
  }
  return curves;
}

export function curvesSection(curves: readonly Curve[]): string[] {
  const rows = curves.flatMap(({ title, points }) =>
    points.map(({ x, figures }) => [
      title,
      x.toLocaleString('en-US'),
      figures.cpuPer1000.toFixed(3),
      formatSize(figures.peakRssBytes),
      formatSize(figures.peakRssAnonBytes),
      figures.otherCpuPer1000.toFixed(3),
    ]),
  );
  return [
    `![CPU per message and memory as work grows](../docs/curves.svg)`,
    '',
    `W1 with ${SHORT.count.toLocaleString('en-US')} messages after ${SHORT.warmUp.toLocaleString('en-US')}, one run a point, so code is less warm than in W1 itself.`,
    '',
    ...table([['', '', 'CPU s/1,000', 'RSS peak', 'RssAnon peak', 'other CPU s/1,000'], ...rows]),
  ];
}
