/** The labelled samples of other projects, where they are there: `../shared/corpus`, data only, none of it copied. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const CORPUS = join(import.meta.dirname, '../../../shared/corpus');

export const folder = CORPUS;
export const missing = existsSync(folder) ? false : `no samples at ${CORPUS}: the scores are not measured`;

export interface ReplyRow {
  readonly reply: string;
  readonly norm: string | null;
  readonly hard: boolean | null;
  readonly code: string;
  readonly enh: string;
}

/** A row of expected.jsonl or extra_expected.jsonl. */
export interface BounceRow {
  readonly source: string;
  readonly file: string;
  readonly index: number;
  readonly recipient: string;
  readonly recipient_accept?: readonly string[];
  readonly status_accept?: readonly string[];
  readonly hard: boolean | null;
  readonly action?: string;
  readonly contested?: string;
  readonly dsn_part?: boolean;
  readonly reason: string | null;
  readonly diagnostic?: string;
}

export interface ArfRow {
  readonly file: string;
  readonly is_arf: boolean;
  readonly top_ct: string;
  readonly feedbacktype: string | null;
  readonly recipients: readonly (string | null)[] | null;
  readonly report: Readonly<Record<string, readonly string[]>> | null;
  readonly original: Readonly<Record<string, string>> | null;
}

export const rows = <T>(file: string): T[] =>
  readFileSync(join(folder, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

export const mail = (path: string): Buffer => readFileSync(join(folder, path));

/** The same with CRLF line ends. */
export const withCrlf = (raw: Buffer): Buffer =>
  Buffer.from(raw.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');

/** Rules were written with one half of the samples in view; the other half says whether they are general. */
export const inView = (key: string): boolean => createHash('sha1').update(key).digest()[0]! % 2 === 0;
