/** How the samples are scored: by the rules in the README of the samples. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Classifier, classifyReported } from '../../src/bounce/index.ts';
import type { BounceClass } from '../../src/core/index.ts';
import { type Dsn, type DsnRecipient, parseReport, type ParsedReport } from '../../src/fbl/index.ts';
import { type ArfRow, type BounceRow, folder, mail, type ReplyRow, rows } from './corpus.ts';
import { Score } from './score.ts';

const classifier = new Classifier();

const CLASS_OF: Readonly<Record<string, BounceClass>> = {
  'bad-mailbox': 'hard',
  'bad-domain': 'hard',
  moved: 'hard',
  quota: 'soft',
  'rate-limited': 'soft',
  system: 'soft',
  network: 'soft',
  tls: 'soft',
  expired: 'soft',
  'ip-blocked': 'block',
  'spam-content': 'block',
  content: 'block',
  policy: 'block',
  'auth-failed': 'block',
  'sender-rejected': 'block',
  'relay-denied': 'block',
  virus: 'block',
  'too-large': 'other',
  protocol: 'other',
  other: 'other',
};

export function scoreReplies(): Readonly<Record<'precision' | 'recall' | 'agreement', Score>> {
  const precision = new Score('replies: hard, precision');
  const recall = new Score('replies: hard, recall');
  const agreement = new Score('replies: class agreement');
  for (const row of rows<ReplyRow>('replies.jsonl')) {
    const code = Number(row.code);
    const enhanced = row.enh === '' ? undefined : row.enh;
    const text = row.reply
      .slice(3)
      .replace(/^[- ]/, '')
      .replace(enhanced ?? '', '')
      .trim();
    const bounce = classifier.classify({
      scope: 'recipient',
      permanent: code >= 500,
      phase: 'rcpt',
      reply: { code, enhanced, text },
      cause: undefined,
      text: '',
    });
    const hard = bounce.class === 'hard';
    const detail = `${bounce.class}/${bounce.category} ${bounce.pattern ?? '-'} for ${row.norm}/${row.hard}: ${row.reply}`;
    if (row.hard !== null && hard) precision.add(row.reply, row.hard, detail);
    if (row.hard === true) recall.add(row.reply, hard, detail);
    const wanted = row.norm === null || row.norm === 'inactive-mailbox' ? undefined : CLASS_OF[row.norm];
    if (wanted !== undefined) agreement.add(row.reply, bounce.class === wanted, detail);
  }
  return { precision, recall, agreement };
}

export interface BounceScores {
  readonly hard: Score;
  readonly contested: Score;
  readonly rfc3464: Score;
  readonly freeForm: Score;
  readonly others: Score;
  readonly status: Score;
  readonly exact: Score;
}

export function scoreBounces(): BounceScores {
  const scores: BounceScores = {
    hard: new Score('DSN: hard or soft, uncontested'),
    contested: new Score('DSN: hard or soft, contested'),
    rfc3464: new Score('DSN: recipients, RFC 3464'),
    freeForm: new Score('DSN: recipients, free form'),
    others: new Score("DSN: recipients, others' sets"),
    status: new Score('DSN: enhanced status'),
    exact: new Score('DSN: files without a wrong recipient'),
  };
  const byFile = new Map<string, BounceRow[]>();
  for (const row of [...rows<BounceRow>('expected.jsonl'), ...rows<BounceRow>('extra_expected.jsonl')])
    byFile.set(row.file, [...(byFile.get(row.file) ?? []), row]);
  for (const [file, expected] of byFile) scoreFile(file, expected, scores);
  return scores;
}

function scoreFile(file: string, expected: readonly BounceRow[], scores: BounceScores): void {
  const report = parseReport(mail(`bounces/${file}`));
  const recipients = report.kind === 'dsn' ? report.recipients : [];
  const found = recipients.map(({ address }) => address ?? '(none)').join(' ');
  for (const row of expected) {
    const accepted = acceptedOf(row);
    const recipient =
      recipients.find((one) => names(one, accepted)) ?? (expected.length === 1 ? recipients[0] : undefined);
    if (accepted.length > 0) {
      // Rows of vacation replies name who is away: the sender of the reply.
      const away = report.kind === 'auto_reply' ? [report.head.from, report.head.replyTo] : [];
      const hit =
        (recipient !== undefined && names(recipient, accepted)) ||
        away.some((one) => one !== undefined && accepted.includes(one.toLowerCase()));
      const score =
        row.source !== 'sisimai' ? scores.others : row.dsn_part === true ? scores.rfc3464 : scores.freeForm;
      score.add(file, hit, `${report.kind}: wanted ${accepted.join(' or ')}, found ${found}`);
    }
    if (row.status_accept && row.status_accept.length > 0)
      scores.status.add(
        file,
        row.status_accept.includes(recipient?.status ?? ''),
        statusDetail(row, recipient),
      );
    if (typeof row.hard !== 'boolean') continue;
    const bounce =
      recipient && recipient.action === 'failed'
        ? classifyReported(classifier, recipient, { notice: report.kind === 'dsn' ? report.notice : '' })
        : undefined;
    const detail = `${row.reason}/${row.hard} but ${bounce?.class}/${bounce?.category} ${bounce?.pattern ?? '-'}: ${recipient?.replyCode} ${recipient?.status} ${recipient?.diagnostic.slice(0, 300)}`;
    (row.contested ? scores.contested : scores.hard).add(
      file,
      (bounce?.class === 'hard') === row.hard,
      detail,
    );
  }
  const all = expected.flatMap(acceptedOf);
  const wrong = recipients.filter((one) => one.address !== undefined && all.length > 0 && !names(one, all));
  scores.exact.add(file, wrong.length === 0, wrong.map(({ address }) => address).join(' '));
}

const statusDetail = (row: BounceRow, recipient: DsnRecipient | undefined): string =>
  `wanted ${row.status_accept?.join(' or ')}, found ${recipient?.status}: ${recipient?.diagnostic.slice(0, 200)}`;

const acceptedOf = (row: BounceRow): string[] =>
  (row.recipient_accept ?? [row.recipient])
    .map((one) => one.toLowerCase())
    .filter((one) => one.includes('@'));

const names = ({ address, original, final }: DsnRecipient, accepted: readonly string[]): boolean =>
  [address, original, final].some((one) => one !== undefined && accepted.includes(one.toLowerCase()));

/** Whether anybody would be counted as bounced. */
export const isBounce = (report: ParsedReport): report is Dsn =>
  report.kind === 'dsn' && report.recipients.some(({ action }) => action === 'failed');

export function scoreFeedback(): Readonly<Record<'standard' | 'odd', Score>> {
  const standard = new Score('ARF: standard reports, all fields');
  const odd = new Score('ARF: odd reports');
  for (const row of rows<ArfRow>('arf_expected.jsonl')) {
    const report = parseReport(mail(`arf/${row.file}`));
    const problems = feedbackProblems(row, report);
    (row.is_arf ? standard : odd).add(
      row.file,
      problems.length === 0,
      `${report.kind}: ${problems.join('; ')}`,
    );
  }
  return { standard, odd };
}

function feedbackProblems(row: ArfRow, report: ParsedReport): string[] {
  if (report.kind !== 'arf')
    return row.is_arf || row.feedbacktype !== null || row.original ? ['not recognised'] : [];
  const problems: string[] = [];
  if (row.feedbacktype !== null && report.feedbackType !== row.feedbacktype)
    problems.push(`type ${report.feedbackType} for ${row.feedbacktype}`);
  for (const [name, values] of Object.entries(row.report ?? {}))
    if (squeeze(values) !== squeeze(report.fields.get(name) ?? [])) problems.push(`field ${name}`);
  for (const one of row.recipients ?? [])
    if (one !== null && !report.recipients.includes(one)) problems.push(`recipient ${one}`);
  for (const [name, value] of Object.entries(row.original ?? {})) {
    const got = report.original?.headers.find(([header]) => header === name.toLowerCase())?.[1];
    if (got === undefined || !value.includes('=?') ? squeeze([got ?? '']) !== squeeze([value]) : false)
      problems.push(`original ${name}: ${got}`);
  }
  return problems;
}

const squeeze = (values: readonly string[]): string =>
  values.join('|').replace(/\s+/g, ' ').trim().toLowerCase();

/** Mails that are no bounces and would be counted as some. */
export function falseBounces(): { readonly files: number; readonly bounces: readonly string[] } {
  const files = readdirSync(join(folder, 'negatives'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return { files: files.length, bounces: files.filter((file) => isBounce(parseReport(readFileSync(file)))) };
}
