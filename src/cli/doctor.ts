/**
 * `postrider doctor`: whether everything that sending needs is right: configuration, store, disk, ports, clock, and for
 * each node, sender and domain the DNS. Every finding that is not good names its remedy.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { formatProblem, loadConfig } from '../config/index.ts';
import { resolverOf } from './assembly.ts';
import { DEFAULT_CONFIG } from './connection.ts';
import { examineClock } from './doctor-clock.ts';
import { examineNames } from './doctor-names.ts';
import { examineMachine } from './doctor-machine.ts';
import { bad, doubtful, type Finding, good } from './finding.ts';
import { clean, type ExitCode, exitingWith, type Io, paint } from './io.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
  readonly ntp?: string;
  readonly probe?: string;
  readonly dns: boolean;
}

export const doctorCommand = (io: Io): Command =>
  new Command('doctor')
    .description(
      'check configuration, store, disk, ports, clock and the DNS of every node, sender and domain',
    )
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--no-dns', 'leave the DNS out')
    .option('--ntp <host>', 'compare the clock with this time server')
    .option('--probe <domain>', 'also open an SMTP connection from each node to the mail host of this domain')
    .option('--json', 'print JSON')
    .action(exitingWith((options: Options) => doctor(io, options)));

async function doctor(io: Io, options: Options): Promise<ExitCode> {
  const findings = await examine(options);
  const failed = findings.some(({ level }) => level === 'error');
  await io.out(
    options.json ? `${JSON.stringify({ ok: !failed, findings }, undefined, 2)}\n` : doctorText(io, findings),
  );
  return failed ? 1 : 0;
}

async function examine({ config: file, ntp, probe, dns }: Options): Promise<Finding[]> {
  const loaded = await loadConfig(resolve(file));
  if (!loaded.ok)
    return loaded.error.map((problem) =>
      bad('configuration', formatProblem(problem), 'mend it; the rest is checked then'),
    );
  const { config, warnings } = loaded.value;
  const findings = [
    good('configuration', `${file} has no errors`),
    ...warnings.map((problem) => doubtful('configuration', formatProblem(problem), 'see the text')),
  ];
  const resolver = resolverOf(config);
  try {
    findings.push(
      ...(await examineMachine(config, { file, probe, resolver })),
      ...(await examineClock(ntp)),
      ...(dns ? await examineNames(config, resolver) : []),
    );
  } finally {
    resolver.close();
  }
  return findings;
}

const MARKS = {
  ok: ['green', 'ok     '],
  warning: ['yellow', 'warning'],
  error: ['red', 'error  '],
} as const;

export function doctorText(io: Pick<Io, 'colour'>, findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ area, level, text, remedy }) => {
    const [colour, word] = MARKS[level];
    const line = `${paint(io, colour, word)} ${area.padEnd(13)} ${clean(text)}`;
    return remedy === undefined ? [line] : [line, `        ${''.padEnd(13)} -> ${clean(remedy)}`];
  });
  const count = (wanted: Finding['level']): number => findings.filter(({ level }) => level === wanted).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const sum = errors + warnings === 0 ? 'all is well' : `errors: ${errors}, warnings: ${warnings}`;
  return `${[...lines, sum].join('\n')}\n`;
}
