/** A mail of one part of text, as it arrives. */
import { type ParsedReport, parseReport } from '../../../src/fbl/index.ts';

export interface Mail {
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  /** More fields of the header. */
  readonly more?: string;
}

export const parse = ({ from, subject, text, more }: Mail): ParsedReport =>
  parseReport(
    Buffer.from(
      [
        `From: ${from}`,
        'To: box@bounce.example.com',
        `Subject: ${subject}`,
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset=utf-8',
        ...(more === undefined ? [] : [more]),
        '',
        text,
        '',
      ].join('\r\n'),
    ),
  );
