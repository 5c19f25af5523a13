/** STATUS-PAGE.md: one section for each benchmark of the status page, each with the machine it was measured on. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatSize } from '../src/core/index.ts';
import type { Machine } from './machine.ts';

const PAGE = fileURLToPath(new URL('./STATUS-PAGE.md', import.meta.url));
const HEAD =
  '# The status page: what it costs\n\nWritten by the benchmarks named below; do not edit. How to repeat them: README.md.\n';
const SECTIONS = {
  dashboards: ['CPU of delivery beside open pages', 'npm run bench:dashboards -- --write'],
  picture: ['The picture of a large site', 'npm run bench:page -- --write'],
  scrape: ['A scrape of the metrics of a large site', 'npm run bench:page -- --write'],
  answers: ['Answers of the control API about a large site', 'npm run bench:page -- --write'],
  paint: ['A page of a large site', 'npm run bench:page -- --write'],
} as const;

/** Replaces one section of the page and leaves the others alone. */
export function writeStatusPageSection(
  section: keyof typeof SECTIONS,
  machine: Machine,
  lines: readonly string[],
): void {
  const [title, command] = SECTIONS[section];
  const page = existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : HEAD;
  const mark = (end: 'start' | 'end'): string => `<!-- ${section}:${end} -->`;
  const old = new RegExp(`\\n*${mark('start')}[^]*${mark('end')}\\n?`);
  const text = [
    mark('start'),
    '',
    `## ${title}`,
    '',
    `\`${command}\`, ${new Date().toISOString().slice(0, 10)}; ${machine.cpu}, ${machine.cores} cores, ${formatSize(machine.memoryBytes)}, ` +
      `Node.js ${machine.node}, load before the start ${machine.load.toFixed(2)}`,
    '',
    ...lines,
    '',
    mark('end'),
  ];
  writeFileSync(PAGE, `${page.replace(old, '').trimEnd()}\n\n${text.join('\n')}\n`);
}
