/**
 * Bounces in words. Nobody has written down how a notice names its recipients, so each place where an address stands
 * is judged by what stands around it: alone on a line, behind a line that announces recipients, in a reply of SMTP,
 * in a field of that name; against it speak contacts, quoted headers and the addresses of the report itself.
 */
import { addressesIn } from './addresses.ts';
import { bestStatus, replyCodeIn, replyIn, statusIn, tidyLine } from './reply-text.ts';
import type { DsnAction, DsnRecipient } from './types.ts';
import {
  ANNOUNCES,
  CONTACT,
  DELAYED,
  GAVE_UP,
  NAMES_RECIPIENT,
  NOT_OF_RECIPIENT,
  SUCCEEDED,
} from './words.ts';

export interface TextBounce {
  readonly notice: string;
  readonly subject: string;
  /** X-Failed-Recipients. */
  readonly failed: readonly string[];
  /** Addresses of the report's own header and of the original's sender. */
  readonly own: ReadonlySet<string>;
  readonly originalTo: readonly string[];
  /** Domain of the report's From: some old gateways name their users without it. */
  readonly domain: string | undefined;
}

interface Found {
  readonly address: string;
  /** Number of the line in the notice, -1 when it is not from there. */
  readonly line: number;
  readonly points: number;
}

const MAX_LINES = 400;
const MAX_LINE = 1_000;
const MAX_RECIPIENTS = 100;
const ENOUGH = 5;

export function readTextBounce(bounce: TextBounce): DsnRecipient[] {
  const lines = bounce.notice.split('\n', MAX_LINES).map((line) => line.slice(0, MAX_LINE));
  const found = recipientsIn(bounce, lines).slice(0, MAX_RECIPIENTS);
  const action = actionOf(bounce);
  return found.map((one) => {
    const said = saidOf(one, found, lines);
    const reply = tidyLine(replyIn(said) ?? said);
    return {
      address: one.address,
      original: undefined,
      final: one.address,
      action,
      status: bestStatus(statusIn(reply) ?? statusIn(said), reply),
      replyCode: replyCodeIn(reply) ?? replyCodeIn(said),
      diagnostic: reply,
      remoteMta: undefined,
    };
  });
}

export function actionOf({ notice, subject }: Pick<TextBounce, 'notice' | 'subject'>): DsnAction {
  if (SUCCEEDED.test(subject)) return 'delivered';
  const text = `${subject}\n${notice}`;
  return DELAYED.test(text) && !GAVE_UP.test(text) ? 'delayed' : 'failed';
}

function recipientsIn(bounce: TextBounce, lines: readonly string[]): Found[] {
  const best = new Map<string, Found>();
  for (const one of judged(bounce, lines)) {
    const key = one.address.toLowerCase();
    const before = best.get(key);
    if (!before || one.points > before.points) best.set(key, { ...one, line: before?.line ?? one.line });
  }
  const all = [...best.values()];
  const sure = all.filter(({ points }) => points >= ENOUGH);
  if (sure.length > 0) return sure;
  const users = usersWithoutDomain(bounce, lines);
  if (users.length > 0) return users;
  const [first] = all.filter(({ points }) => points >= 0).sort((a, b) => b.points - a.points);
  if (first) return [first];
  return bounce.originalTo.length === 1
    ? bounce.originalTo.map((address) => ({ address, line: -1, points: 0 }))
    : [];
}

function* judged(bounce: TextBounce, lines: readonly string[]): Generator<Found> {
  for (const address of bounce.failed) yield { address, line: lineOf(address, lines), points: 10 };
  const known = new Set(bounce.originalTo.map((one) => one.toLowerCase()));
  /** Lines since one that announces recipients. */
  let behind = ANNOUNCES.test(bounce.subject) ? 3 : Infinity;
  for (const [number, line] of lines.entries()) {
    const announces = ANNOUNCES.test(line);
    for (const address of addressesIn(line, 20)) {
      const own = bounce.own.has(address.toLowerCase()) ? -8 : 0;
      const meant = known.has(address.toLowerCase()) ? 2 : 0;
      const near = announces ? 3 : behind <= 4 ? 4 : behind <= 12 ? 2 : 0;
      yield { address, line: number, points: pointsOf(line, address) + near + own + meant };
    }
    if (announces && !CONTACT.test(line)) behind = 0;
    else if (line.trim() !== '') behind += 1;
  }
}

/** What the line itself says of the address in it. */
function pointsOf(line: string, address: string): number {
  const at = line.indexOf(address.slice(0, address.lastIndexOf('@')));
  const before = line.slice(0, Math.max(0, at));
  const after = line.slice(at + address.length);
  if (NAMES_RECIPIENT.test(line)) return 6;
  if (/rcpt to\s*:?\s*<?$/i.test(before)) return 6;
  if (NOT_OF_RECIPIENT.test(line)) return -6;
  if (CONTACT.test(line) && !ANNOUNCES.test(before)) return -6;
  const opens = /^[\s>*"'<([・•-]*$/u.test(before);
  if (opens && /^["'>)\]]*[\s:;,.]*$/.test(after)) return /<$/.test(before) && /^>:\s*$/.test(after) ? 5 : 4;
  if (opens && /^["'>)\]]*(?:\s*[:;,(-]|\.{3}|\s+on \w{3},|\s)/.test(after)) return 3;
  if (/^\s*(?:[<>]{3}\s*)?[45]\d\d[\s-]/.test(line)) return 4;
  if (
    /(?:\bto|\bfor|user|recipient|mailbox|address|account|an|für|pour|para|per)[:\s]+["'<(]*$/iu.test(before)
  )
    return 3;
  return 1;
}

const lineOf = (address: string, lines: readonly string[]): number => {
  const wanted = address.toLowerCase();
  return lines.findIndex((line) => line.toLowerCase().includes(wanted));
};

/** INTEROP(AOL and old gateways): the recipient's name alone, indented, below the line that announces it. */
function usersWithoutDomain({ domain }: TextBounce, lines: readonly string[]): Found[] {
  if (domain === undefined) return [];
  const found: Found[] = [];
  for (const [number, line] of lines.entries()) {
    const name = /^[ \t]+([A-Za-z0-9][\w.-]{1,40})\s*$/.exec(line)?.[1];
    const above = lines
      .slice(Math.max(0, number - 2), number)
      .some((one) => /recipients?/i.test(one) && ANNOUNCES.test(one));
    if (name !== undefined && above)
      found.push({ address: `${name}@${domain}`, line: number, points: ENOUGH });
  }
  return found;
}

/** The words about a recipient: from its line to the next recipient's; all of the notice when that says nothing. */
function saidOf(one: Found, all: readonly Found[], lines: readonly string[]): string {
  if (one.line < 0) return lines.join('\n');
  const later = all.map(({ line }) => line).filter((line) => line > one.line);
  const own = lines.slice(one.line, Math.min(lines.length, one.line + 25, ...later)).join('\n');
  const words = own
    .replaceAll(one.address, ' ')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
  if (words.length >= 8 || all.length > 1) return own;
  return lines.join('\n');
}
