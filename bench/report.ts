/** From the figures of all runs to what people read: medians, ratios, a table, and the page RESULTS.md. */
import { formatSize } from '../src/core/index.ts';
import type { Machine } from './machine.ts';
import type { Figures, Workload } from './workloads.ts';

export interface Run {
  readonly workload: Workload;
  readonly contender: string;
  readonly round: number;
  readonly figures: Figures;
}

export interface Outcome {
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  /** By name of the contender. */
  readonly versions: Readonly<Record<string, string>>;
  readonly runs: readonly Run[];
  /** What could not be measured, one sentence each. */
  readonly notes: readonly string[];
  readonly failures: readonly string[];
}

interface Column {
  readonly title: string;
  readonly key: keyof Figures;
  readonly show: (value: number) => string;
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
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
  { title: 'other CPU s/1,000', key: 'otherCpuPer1000', show: fixed(3) },
];

const METHOD = `Medians of the runs, with the smallest and the largest value of delivered/s and CPU. A round has every contender once, each with an
empty queue; durable acceptance everywhere. delivered/s: from the first MAIL (or batch line) to the last message at the receiver. CPU: user + system
of all processes of the MTA (\`/proc/<pid>/stat\` of its process trees with waited-for children), until its queue is empty again. RSS and RssAnon:
highest sum over its processes, 4 samples a second; shared pages count once for each process, and mapped pages of the store count as RSS. Accept:
from MAIL (or the writing of a batch line) to the 250 (or the acknowledgement). Other CPU: everything else on the machine except generator and
receiver; compare figures only when it is small and alike.`;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The whole report in Markdown that reads well on a terminal too. */
export function formatOutcome(outcome: Outcome): string {
  const { machine, versions } = outcome;
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- command: \`${outcome.command}\`, ${outcome.date}`,
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${formatSize(machine.memoryBytes)}, ${machine.kernel}, ${machine.fileSystem}, ` +
      `10 KB append and fdatasync ${machine.syncMs.toFixed(2)} ms, load before the start ${machine.load.toFixed(2)}`,
    `- versions: Node.js ${machine.node}, ${programs.join(', ')}`,
    ...outcome.notes.map((note) => `- not measured: ${note}`),
    ...outcome.failures.map((failure) => `- FAILED: ${failure}`),
    '',
    ...workloadsOf(outcome.runs).flatMap((workload) => section(workload, outcome.runs)),
  ].join('\n');
}

/** What `npm run bench:queue` has written there. */
export const QUEUE_SECTION = /<!-- queue:start -->[^]*<!-- queue:end -->\n?/;

export const resultsPage = (outcome: Outcome): string =>
  `# Results\n\nWritten by \`npm run bench -- --write\`; do not edit. How to repeat it: README.md.\n\n${formatOutcome(outcome)}\n## Method\n\n${METHOD}\n`;

const workloadsOf = (runs: readonly Run[]): Workload[] => [
  ...new Map(runs.map(({ workload }) => [workload.name, workload])).values(),
];

function section(workload: Workload, runs: readonly Run[]): string[] {
  const own = runs.filter((run) => run.workload.name === workload.name);
  const byContender = Map.groupBy(own, ({ contender }) => contender);
  const rows = [...byContender].map(([name, of]) => row(name, of));
  const rounds = Math.max(...own.map(({ round }) => round));
  const size = formatSize(workload.messageBytes);
  return [
    `## ${workload.name.toUpperCase()}: ${workload.title}`,
    '',
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
export function readmeBlock({ runs, machine, date }: Outcome): string {
  const lines = workloadsOf(runs).map((workload) => {
    const of = Map.groupBy(
      runs.filter((run) => run.workload.name === workload.name),
      ({ contender }) => contender,
    );
    const figure = (name: string, key: keyof Figures): number =>
      median((of.get(name) ?? []).map(({ figures }) => figures[key]));
    const speed = (name: string): string =>
      of.has(name)
        ? `${whole(figure(name, 'deliveredPerSecond'))}/s, ${figure(name, 'cpuPer1000').toFixed(2)}`
        : '';
    const ratio = figure('postrider', 'deliveredPerSecond') / figure('postfix', 'deliveredPerSecond');
    return [
      `${workload.name.toUpperCase()}: ${workload.title}, ${formatSize(workload.messageBytes)}`,
      speed('postrider'),
      speed('postfix'),
      of.has('postfix') ? `${ratio.toFixed(1)} x` : '',
    ];
  });
  const head = ['delivered/s, CPU s per 1,000', 'Postrider', 'Postfix', 'faster'];
  return [
    '![Speed and CPU beside Postfix](docs/bench.svg)',
    '',
    ...table([head, ...lines]),
    '',
    `Durable acceptance on both sides, one run, medians; ${machine.cores} cores, ${date.slice(0, 10)}.`,
    'Method, machine and all figures: [bench/RESULTS.md](bench/RESULTS.md).',
  ].join('\n');
}
