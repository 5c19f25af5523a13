/**
 * Labels in `X-Postrider-*` header fields, the same that the control socket takes as JSON. Text that is no valid
 * label is refused with the field's name: a misspelt deadline must not send mail at the wrong time.
 */
import { err, ok, parseDuration, type Result } from '../../core/index.ts';
import type { Labels } from './contract.ts';

export interface LabelError {
  readonly field: string;
  readonly text: string;
}

const BANDS = ['priority', 'geo', 'standard'] as const;
export const MAX_LABEL = 200;
/** Metadata is repeated in every event, so it is small. */
export const MAX_METADATA_CHARS = 8192;

type Setter = (value: string, now: number) => Result<Partial<Labels>, string>;

const text =
  (key: 'virtualSender' | 'sender' | 'campaignId' | 'accountId' | 'group' | 'idempotencyKey'): Setter =>
  (value) =>
    isLabel(value) ? ok({ [key]: value }) : err(`at most ${MAX_LABEL} printable characters`);

const time =
  (key: 'deadline' | 'notBefore' | 'expires'): Setter =>
  (value, now) => {
    const at = parseTime(value, now);
    return at === undefined
      ? err('a time such as 2026-05-01T09:00:00Z, or a duration from now such as 2h')
      : ok({ [key]: at });
  };

const SETTERS: Readonly<Record<string, Setter>> = {
  'virtual-sender': text('virtualSender'),
  sender: text('sender'),
  campaign: text('campaignId'),
  account: text('accountId'),
  group: text('group'),
  band: (value) => {
    const band = BANDS.find((name) => name === value);
    return band ? ok({ band }) : err(`one of ${BANDS.join(', ')}`);
  },
  deadline: time('deadline'),
  'not-before': time('notBefore'),
  expires: time('expires'),
  metadata: parseMetadata,
  test: (value) => (value === 'true' ? ok({ test: true }) : err('true, or not there')),
  'idempotency-key': text('idempotencyKey'),
};

// ISO 8601 with a date, a time and an offset: without one the meaning would depend on the server's time zone.
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)$/;
const MAX_TIME_MS = Date.UTC(2100, 0, 1);

/** Wall time (ms) of `2026-05-01T08:00:00Z`, or of a duration from now such as `2h`; undefined when it is neither. */
export function parseTime(text: string, now: number): number | undefined {
  if (text.length > 40) return undefined;
  const duration = parseDuration(text);
  const time = duration !== undefined ? now + duration : ISO_TIME.test(text) ? Date.parse(text) : NaN;
  return time >= 0 && time < MAX_TIME_MS ? time : undefined;
}

/** Well formed and without control characters: NUL separates the parts of a key in the store. */
export const isPlainText = (text: string): boolean => text.isWellFormed() && !/[\x00-\x1f\x7f]/.test(text);

/** Names and ids: short, one line. */
export const isLabel = (value: string): boolean =>
  value.length > 0 && value.length <= MAX_LABEL && isPlainText(value);

export function parseLabels(fields: ReadonlyMap<string, string>, now: number): Result<Labels, LabelError> {
  const labels: Partial<Labels> = {};
  for (const [name, value] of fields) {
    const set = SETTERS[name];
    const field = `X-Postrider-${name.replace(/(^|-)[a-z]/g, (c) => c.toUpperCase())}`;
    if (!set) return err({ field, text: `${field} is not a field of this version` });
    const parsed = set(value, now);
    if (!parsed.ok) return err({ field, text: `${field} must be ${parsed.error}` });
    Object.assign(labels, parsed.value);
  }
  return ok(labels);
}

function parseMetadata(value: string): Result<Partial<Labels>, string> {
  const wanted = `a JSON object of at most ${MAX_METADATA_CHARS} characters`;
  if (value.length > MAX_METADATA_CHARS) return err(wanted);
  try {
    const metadata: unknown = JSON.parse(value);
    if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return err(wanted);
    return ok({ metadata: metadata as Record<string, unknown> });
  } catch {
    return err(wanted);
  }
}

/** The labels with the account that counts. The error says which ones the caller may name. */
export function withinAccounts(
  labels: Labels,
  allowed: readonly string[] | undefined,
): Result<Labels, string> {
  if (!allowed) return ok(labels);
  const { accountId = allowed.length === 1 ? allowed[0] : undefined } = labels;
  return accountId !== undefined && allowed.includes(accountId)
    ? ok({ ...labels, accountId })
    : err(`name an account that you may use: ${allowed.join(', ')}`);
}

/** What is wrong with a deadline where no band looks at it: the mail would leave at any time. */
export const strayDeadline = (deadline: number | undefined, band: Labels['band']): string | undefined =>
  deadline === undefined || band === 'geo'
    ? undefined
    : `a deadline belongs to the band geo, and the band is ${band ?? 'standard'}: give the band geo, or no deadline`;

/** What the caller gives wins. A sender and a virtual sender are one choice: one given replaces both in the header. */
export function mergeLabels(inHeader: Labels, request: Labels): Labels {
  const given: Labels = Object.fromEntries(
    Object.entries(request).filter(([, value]) => value !== undefined),
  );
  const routed = given.sender !== undefined || given.virtualSender !== undefined;
  return { ...inHeader, ...(routed && { sender: undefined, virtualSender: undefined }), ...given };
}
