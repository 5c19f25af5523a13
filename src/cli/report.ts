/** `postrider report decode`: what a mail to a report box is, as the inbound MX reads it. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { Classifier, classifyReported } from '../bounce/index.ts';
import { type Bounce, err, ok, type Result } from '../core/index.ts';
import { type DsnRecipient, type ParsedReport, parseReport } from '../fbl/index.ts';
import type { Problem } from './client.ts';
import { fail, show } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io } from './io.ts';
import { fileProblem } from './new-file.ts';
import { quarantineCommand } from './report-quarantine.ts';
import { summaryCommand } from './report-summary.ts';

interface Options {
  readonly json?: true;
}

export function reportCommand(io: Io): Command {
  const decoding = new Command('decode')
    .description('read a bounce (DSN) or feedback report (ARF) from a file')
    .argument('<file>', 'mail as it arrived, - for standard input')
    .option('--json', 'print JSON')
    .action(exitingWith((file: string, options: Options) => decode(io, file, options)));
  return new Command('report')
    .description('bounces, complaints, reports')
    .addCommand(decoding)
    .addCommand(quarantineCommand(io))
    .addCommand(summaryCommand(io, 'bounces'))
    .addCommand(summaryCommand(io, 'undelivered'));
}

type Failed = DsnRecipient & { readonly bounce?: Bounce };

/** The parsed report with what each recipient's failure means. Exit 1: it is neither a bounce nor a complaint. */
async function decode(io: Io, file: string, options: Options): Promise<ExitCode> {
  const raw = await readMail(io, file);
  if (!raw.ok) return fail(io, options, raw.error);
  const report = parseReport(raw.value);
  const shown = await show(io, options, ok(viewOf(report)), () => text(report));
  return shown === 0 && (report.kind === 'dsn' || report.kind === 'arf' || report.kind === 'unsubscribe')
    ? 0
    : 1;
}

async function readMail(io: Io, file: string): Promise<Result<Buffer, Problem>> {
  try {
    if (file !== '-') return ok(await readFile(file));
    const parts: Buffer[] = [];
    for await (const part of io.stdin()) parts.push(part);
    return ok(Buffer.concat(parts));
  } catch (error) {
    return err(fileProblem(error, file));
  }
}

function viewOf(report: ParsedReport): object {
  if (report.kind === 'arf') return { ...report, fields: Object.fromEntries(report.fields) };
  return report.kind === 'dsn' ? { ...report, recipients: classified(report) } : report;
}

function classified({ recipients, notice }: Extract<ParsedReport, { kind: 'dsn' }>): Failed[] {
  const classifier = new Classifier();
  return recipients.map((one) =>
    one.action === 'failed' || one.action === 'delayed'
      ? { ...one, bounce: classifyReported(classifier, one, { notice }) }
      : one,
  );
}

const WHAT: Readonly<Record<ParsedReport['kind'], string>> = {
  dsn: 'bounce',
  arf: 'feedback report',
  unsubscribe: 'request to unsubscribe',
  auto_reply: 'automatic reply: no bounce',
  mdn: 'disposition notification: no bounce',
  challenge: 'challenge of a sender check: no bounce',
  other: 'no report',
};

function text(report: ParsedReport): string {
  const { head, original, tokenCandidates } = report;
  return [
    row('kind', WHAT[report.kind]),
    row('from', head.from),
    row('subject', head.subject),
    ...(report.kind === 'dsn' ? dsnRows(report) : report.kind === 'arf' ? arfRows(report) : []),
    row(
      'original',
      original && [original.messageId, original.from, original.to.join(' ')].filter(Boolean).join('  '),
    ),
    ...tokenCandidates.map((one) => row('token', `${one} (not verified: postrider token decode)`)),
  ]
    .filter((line) => line !== undefined)
    .map((line) => `${line}\n`)
    .join('');
}

function dsnRows(report: Extract<ParsedReport, { kind: 'dsn' }>): (string | undefined)[] {
  return [
    row('form', report.form === 'rfc3464' ? 'RFC 3464' : 'in words'),
    row('reporter', report.reportingMta),
    ...classified(report).flatMap((one) => [
      row(
        'recipient',
        `${one.address ?? '(not named)'}  ${one.action}${one.status === undefined ? '' : `  ${one.status}`}`,
      ),
      row(
        '',
        one.bounce &&
          `${one.bounce.class} ${one.bounce.category}${one.bounce.pattern ? `, pattern ${one.bounce.pattern}` : ''}`,
      ),
      row('', one.diagnostic),
    ]),
  ];
}

const arfRows = (report: Extract<ParsedReport, { kind: 'arf' }>): (string | undefined)[] => [
  row('type', report.feedbackType),
  row('recipients', report.recipients.length === 0 ? '(redacted)' : report.recipients.join(' ')),
  ...[...report.fields].flatMap(([name, values]) => values.map((value) => row('field', `${name}: ${value}`))),
];

const row = (name: string, value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : `${name.padEnd(11)}${clean(value).slice(0, 500)}`;
