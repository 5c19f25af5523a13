/** What a worker says of a mail: the part of it that decisions need, bounded and free of anything that acts. */
import type { DsnRecipient, ParsedReport } from '../../fbl/index.ts';

/** Results of RFC 8601 about whoever sent the report. */
export interface ReporterCheck {
  readonly dkim: string;
  readonly spf: string;
}

export interface Reading {
  readonly kind: ParsedReport['kind'];
  readonly from: string | undefined;
  readonly subject: string;
  readonly tokenCandidates: readonly string[];
  /** Message-ID of the mail that is spoken of. */
  readonly originalId: string | undefined;
  /** Feedback-ID of that mail. */
  readonly feedbackId: string | undefined;
  /** Addresses the report names as those it is about. */
  readonly about: readonly string[];
  readonly recipients: readonly DsnRecipient[];
  /** What a bounce says to people, one line; empty where it is of several recipients. */
  readonly notice: string;
  readonly reportingMta: string | undefined;
  readonly feedbackType: string | undefined;
  /** Undefined: not looked at. */
  readonly reporter: ReporterCheck | undefined;
}

const MOST = 20;

export function readingOf(report: ParsedReport, reporter: ReporterCheck | undefined): Reading {
  const recipients = report.kind === 'dsn' ? report.recipients : [];
  const about =
    report.kind === 'arf'
      ? report.recipients
      : recipients.flatMap(({ original, address }) => [original, address]);
  return {
    kind: report.kind,
    from: report.head.from,
    subject: report.head.subject,
    tokenCandidates: report.tokenCandidates,
    originalId: report.original?.messageId ?? report.head.references.at(-1),
    feedbackId: report.original?.feedbackId,
    about: about.filter((one) => one !== undefined).slice(0, MOST),
    recipients,
    notice: report.kind === 'dsn' && recipients.length <= 1 ? report.notice : '',
    reportingMta: report.kind === 'dsn' ? report.reportingMta : undefined,
    feedbackType: report.kind === 'arf' ? report.feedbackType : undefined,
    reporter,
  };
}
