/**
 * `postrider audit`: proves from the store that nothing is lost, while the server runs or not. Exit code 1 names the
 * deliveries that something is wrong with.
 */
import { Command } from 'commander';
import type { StatusView } from '../api/index.ts';
import type { AuditReport, Expected } from '../queue/index.ts';
import { connect, type ConnectionOptions, fail } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, paint } from './io.ts';
import { dataDirOf, type StoreOptions, withStore } from './store-options.ts';
import { auditInChild } from './walk.ts';

const SHOWN = 50;

type Options = StoreOptions & ConnectionOptions;

export const auditCommand = (io: Io): Command =>
  withStore(
    new Command('audit').description('prove that no delivery is lost: walk the store and the journal'),
  )
    .option('--socket <path>', 'control socket of the server whose counts are compared, when it runs')
    .action(exitingWith((options: Options) => auditNow(io, options)));

async function auditNow(io: Io, options: Options): Promise<ExitCode> {
  const dataDir = await dataDirOf(options);
  const result = await auditInChild(dataDir, await liveCounts(io, options, dataDir));
  if (!result.ok) return fail(io, options, { exitCode: 1, code: 'audit', message: result.error, lines: [] });
  const report = result.value;
  await io.out(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : auditText(io, report));
  return report.clean ? 0 : 1;
}

/** What a running server of this data directory counts; undefined when there is none. */
async function liveCounts(io: Io, options: Options, dataDir: string): Promise<Expected | undefined> {
  const client = await connect(io, options);
  const status = await client.get<StatusView>('/v1/status');
  if (!status.ok || status.value.data_dir !== dataDir) return undefined;
  return { seq: status.value.events.last_seq, totals: status.value.counters };
}

export function auditText(io: Pick<Io, 'colour'>, report: AuditReport): string {
  const { totals, checked, violations, violation_count: count, possible_duplicates: twice } = report;
  const failed = totals.hard_bounced + totals.undelivered;
  const walked = Object.entries(checked).map(([name, number]) => `${number} ${name}`);
  const live = {
    true: 'the counts of the running server agree with the store',
    false: 'the running server has stored its counts meanwhile, so they were not compared; run it again',
    undefined: 'no server was asked',
  }[String(report.live_counts_compared) as 'true' | 'false' | 'undefined'];
  const lines = [
    report.clean
      ? `${paint(io, 'green', 'clean')}: every delivery is accounted for (to event ${report.last_seq})`
      : `${paint(io, 'red', 'not clean')}: ${count} violations (to event ${report.last_seq})`,
    `accepted    ${totals.accepted} = ${totals.delivered} delivered + ${failed} failed + ${totals.removed} removed + ${totals.queued} queued`,
    `campaigns   ${report.campaigns.length}, each with the same sum`,
    `walked      ${walked.join(', ')}`,
    `server      ${live}`,
    `duplicates  ${twice.count} possible${named(twice.delivery_ids)}`,
    ...violations.slice(0, SHOWN).map(({ text }) => `  ${clean(text)}`),
    ...(count > SHOWN ? [`  and ${count - SHOWN} more; --json lists ${violations.length}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const named = (ids: readonly string[]): string =>
  ids.length === 0 ? '' : `: ${ids.slice(0, 5).join(' ')}${ids.length > 5 ? ' ... (--json lists them)' : ''}`;
