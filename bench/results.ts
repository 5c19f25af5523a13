/**
 * The figures that are kept: a file for each part in results/, which the tool that measured it writes with `--write`.
 * RESULTS.md, the chart and the block of the README are made of all of them, so that a part can be measured alone, and
 * each tells when and where. A part that was never measured is missing.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatSize } from '../src/core/index.ts';
import { chart } from './chart.ts';
import type { Machine } from './machine.ts';
import { METHOD, readmeBlock, type Run } from './report.ts';

export interface Part {
  /** Heading of its section. */
  readonly title: string;
  readonly command: string;
  /** ISO 8601. */
  readonly date: string;
  readonly machine: Machine;
  /** By name of the program that was measured. */
  readonly versions: Readonly<Record<string, string>>;
  /** Lines of Markdown. */
  readonly body: readonly string[];
  /** Of a workload: what the chart and the README are made of. */
  readonly runs?: readonly Run[];
}

const fileAt = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const FOLDER = fileAt('./results');
const PAGE = fileAt('./RESULTS.md');
const CHART = fileAt('../docs/bench.svg');
const README = fileAt('../README.md');
const BLOCK = /(<!-- bench:start -->\n)[^]*(\n<!-- bench:end -->)/;

export type WorkloadPart = Part & { readonly runs: readonly Run[] };

/** In the order of the page. */
const ORDER = [
  'w1',
  'w2',
  'w3',
  'w4s',
  'w4l',
  'w5',
  'workers',
  'scale',
  'curves',
  'queue',
  'queue-costs',
  'queue-operations',
  'queue-campaign',
  'queue-campaign-memory',
  'queue-large',
  'lookups',
  'soak',
  'leak',
  'leak-domains',
] as const;
export type PartName = (typeof ORDER)[number];

/** As it was called, for whoever wants to repeat it; where its files were is a matter of the machine. */
export function commandOf(script: string): string {
  const args = process.argv.slice(2);
  const at = args.indexOf('--dir');
  if (at >= 0) args.splice(at, 2);
  return [`npm run ${script}`, ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
}

/** Keeps the parts and makes the page, the chart and the block of the README anew; the other parts stay as they are. */
export function keep(parts: Partial<Record<PartName, Part>>): void {
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, part] of Object.entries(parts))
    writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(part, null, 1)}\n`);
  const kept = ORDER.map(read).filter((part) => part !== undefined);
  writeFileSync(PAGE, page(kept));
  const workloads = kept.flatMap(({ runs, ...part }) => (runs === undefined ? [] : [{ ...part, runs }]));
  if (workloads.length === 0) return;
  mkdirSync(dirname(CHART), { recursive: true });
  writeFileSync(CHART, chart(workloads));
  const readme = readFileSync(README, 'utf8');
  writeFileSync(
    README,
    readme.replace(BLOCK, (_, start: string, end: string) => start + readmeBlock(workloads) + end),
  );
}

function read(name: PartName): Part | undefined {
  const file = join(FOLDER, `${name}.json`);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Part) : undefined;
}

const page = (parts: readonly Part[]): string =>
  [
    '# Results',
    'Written by the tools with `--write`; do not edit. Each part has a date and a machine of its own. How to repeat it: README.md.',
    'On pages of their own: [speeds and reactions in virtual time](SIM.md), [limits while sending](LIMITS.md), [reports beside delivery](REPORTS.md), [the status page](STATUS-PAGE.md).',
    ...parts.map((part) => `## ${part.title}\n\n${formatPart(part)}`),
    `## Method\n\n${METHOD}`,
    '',
  ].join('\n\n');

export const formatPart = (part: Omit<Part, 'title'>): string =>
  [...formatHead(part), '', ...part.body].join('\n');

/** Where and when. */
export function formatHead({ command, date, machine, versions }: Omit<Part, 'title' | 'body'>): string[] {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- command: \`${command}\`, ${date}`,
    `- machine: ${machine.cpu}, ${machine.cores} cores, ${formatSize(machine.memoryBytes)}, ${machine.kernel}, ${machine.fileSystem}, ` +
      `10 KB append and fdatasync ${machine.syncMs.toFixed(2)} ms, load before the start ${machine.load.toFixed(2)}`,
    `- versions: ${[`Node.js ${machine.node}`, ...programs].join(', ')}`,
  ];
}
