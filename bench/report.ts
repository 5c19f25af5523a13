/** From the figures of all runs to what people read: medians, ratios and tables, and the block of the README. */
import { formatSize } from '../src/core/index.ts';
import type { WorkloadPart } from './results.ts';
import type { Figures, Workload } from './workloads.ts';

export interface Run {
  readonly workload: Workload;
  readonly contender: string;
  readonly round: number;
  readonly figures: Figures;
}

interface Column {
  readonly title: string;
  readonly key: keyof Figures;
  readonly show: (value: number) => string;
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const fixed =
  (digits: number) =>
  (value: number): string =>
    value.toFixed(digits);

const COLUMNS: readonly Column[] = [
  { title: 'accepted/s', key: 'acceptedPerSecond', show: whole },
  { title: 'delivered/s', key: 'deliveredPerSecond', show: whole },
  { title: 'CPU s/1,000', key: 'cpuPer1000', show: fixed(3) },
  { title: 'flushes/message', key: 'flushesPerMessage', show: fixed(2) },
  { title: 'RSS peak', key: 'peakRssBytes', show: formatSize },
  { title: 'RssAnon peak', key: 'peakRssAnonBytes', show: formatSize },
  { title: 'accept p50 ms', key: 'acceptP50Ms', show: fixed(1) },
  { title: 'accept p99 ms', key: 'acceptP99Ms', show: fixed(1) },
  { title: 'harness CPU s/1,000', key: 'harnessCpuPer1000', show: fixed(3) },
  { title: 'other CPU s/1,000', key: 'otherCpuPer1000', show: fixed(3) },
];

export const METHOD = `Medians of the runs, with the smallest and the largest value of delivered/s and CPU. A round has every contender once, each with an
empty queue; durable acceptance everywhere. delivered/s: from the first MAIL (or batch line) to the last message at the receiver. CPU: user + system
of all processes of the MTA (\`/proc/<pid>/stat\` of its process trees with waited-for children), until its queue is empty again. RSS and RssAnon:
highest sum over its processes, 4 samples a second; shared pages count once for each process, and mapped pages of the store count as RSS. Accept:
from MAIL (or the writing of a batch line) to the 250 (or the acknowledgement). Harness CPU: generator and receiver, which take their part of the
same cores. Other CPU: everything else on the machine; compare figures only when it is small and alike.`;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that so large a share of all is not above; NaN of none. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.ceil(sorted.length * share) - 1] ?? NaN;
}

/**
 * Bounds that have the median of what the values were drawn from with 95 % certainty, whatever its distribution: each
 * value is above it as likely as below (binomial). Of fewer than six values: the smallest and the largest.
 */
export function medianInterval(values: readonly number[]): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  let [chance, sum, rank] = [2 ** -sorted.length, 0, 0];
  // How many may lie outside on each side.
  for (let k = 0; sum + chance <= 0.025; k++) {
    sum += chance;
    rank = k + 1;
    chance *= (sorted.length - k) / (k + 1);
  }
  const outside = Math.max(0, rank - 1);
  return [sorted[outside]!, sorted.at(-1 - outside)!];
}

/** The heading and the figures of one workload in Markdown that reads well on a terminal too. */
export const titleOf = ({ name, title }: Workload): string => `${name.toUpperCase()}: ${title}`;

/** `runs`: those of this workload and of all others that were measured with it. */
export function sectionOf(workload: Workload, runs: readonly Run[]): string[] {
  const own = runs.filter((run) => run.workload.name === workload.name);
  const byContender = Map.groupBy(own, ({ contender }) => contender);
  const rows = [...byContender].map(([name, of]) => row(name, of));
  const rounds = Math.max(...own.map(({ round }) => round));
  const size = formatSize(workload.messageBytes);
  return [
    `${whole(workload.count)} messages of ${size}, ${rounds === 1 ? '1 run' : `medians of ${rounds} runs`}`,
    '',
    ...table([['', ...COLUMNS.map(({ title }) => title), 'duplicates'], ...rows]),
    '',
    ...ratios(byContender),
    ...perAttempt(workload, runs),
  ];
}

function row(name: string, runs: readonly Run[]): string[] {
  const cells = COLUMNS.map(({ key, show }) => {
    const values = runs.map(({ figures }) => figures[key]);
    const spread = runs.length > 1 && (key === 'deliveredPerSecond' || key === 'cpuPer1000');
    const range = spread ? ` (${show(Math.min(...values))} to ${show(Math.max(...values))})` : '';
    return show(median(values)) + range;
  });
  const duplicates = runs.reduce((sum, { figures }) => sum + figures.duplicates, 0);
  return [name, ...cells, String(duplicates)];
}

export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(rows[0]!), line(rule), ...rows.slice(1).map(line)];
}

/** Postrider against each other contender, of the same rounds. */
function ratios(byContender: ReadonlyMap<string, readonly Run[]>): string[] {
  const of = (name: string, key: keyof Figures): number =>
    median((byContender.get(name) ?? []).map(({ figures }) => figures[key]));
  const peers = [...byContender.keys()].filter((name) => name !== 'postrider');
  if (!byContender.has('postrider') || peers.length === 0) return [];
  return peers.flatMap((peer) => {
    const speed = of('postrider', 'deliveredPerSecond') / of(peer, 'deliveredPerSecond');
    const cpu = of(peer, 'cpuPer1000') / of('postrider', 'cpuPer1000');
    return [
      `postrider to ${peer}: ${speed.toFixed(2)} times the delivered/s, ${cpu.toFixed(2)} times less CPU per message`,
      '',
    ];
  });
}

/** What an attempt costs where some are refused, beside W1 of the same rounds. */
function perAttempt(workload: Workload, runs: readonly Run[]): string[] {
  const own = runs.filter(({ contender }) => contender === 'postrider');
  const of = (name: string): number =>
    median(own.filter((run) => run.workload.name === name).map(({ figures }) => figures.cpuPer1000Attempts));
  if (workload.refusals === undefined || !own.some((run) => run.workload.name === 'w1')) return [];
  const [here, plain] = [of(workload.name), of('w1')];
  return [
    `CPU s per 1,000 attempts: ${here.toFixed(3)}, in W1 ${plain.toFixed(3)}: ${(here / plain).toFixed(2)} times`,
    '',
  ];
}

/** What the first screen of the README says of speed. */
export function readmeBlock(parts: readonly WorkloadPart[]): string {
  const lines = parts.map(({ runs }) => {
    const { workload } = runs[0]!;
    const of = Map.groupBy(runs, ({ contender }) => contender);
    const figure = (name: string, key: keyof Figures): number =>
      median((of.get(name) ?? []).map(({ figures }) => figures[key]));
    const speed = (name: string): string =>
      of.has(name)
        ? `${whole(figure(name, 'deliveredPerSecond'))}/s, ${figure(name, 'cpuPer1000').toFixed(2)}`
        : '';
    const ratio = figure('postrider', 'deliveredPerSecond') / figure('postfix', 'deliveredPerSecond');
    return [
      `${titleOf(workload)}, ${formatSize(workload.messageBytes)}`,
      speed('postrider'),
      speed('postfix'),
      of.has('postfix') ? `${ratio.toFixed(1)} x` : '',
    ];
  });
  const head = ['delivered/s, CPU s per 1,000', 'Postrider', 'Postfix', 'faster'];
  const days = [...new Set(parts.map(({ date }) => date.slice(0, 10)))].join(', ');
  return [
    '![Speed and CPU beside Postfix](docs/bench.svg)',
    '',
    ...table([head, ...lines]),
    '',
    `Durable acceptance on both sides, side by side, medians; ${parts[0]!.machine.cores} cores, ${days}.`,
    'Method, machine and all figures: [bench/RESULTS.md](bench/RESULTS.md).',
  ].join('\n');
}
