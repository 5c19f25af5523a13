/**
 * The machine-readable part of a DSN (RFC 3464 §2, RFC 6533 §3) and what mail systems make of it: no blank line
 * between recipients, or several; types left out; the enhanced code only in the diagnostic text.
 */
import { addressIn } from './addresses.ts';
import { decodeWords } from './decode.ts';
import { type Field, fieldOf, readHeader } from './header.ts';
import { bestStatus, replyCodeIn, statusIn, tidyLine } from './reply-text.ts';
import type { DsnAction, DsnRecipient } from './types.ts';

export interface DeliveryStatus {
  readonly reportingMta: string | undefined;
  readonly recipients: readonly DsnRecipient[];
}

const MAX_RECIPIENTS = 100;
const ACTIONS: readonly DsnAction[] = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'];
/** Fields that belong to one recipient; a second one of the first three begins the next. */
const OF_RECIPIENT = new Set(['final-recipient', 'original-recipient', 'action', 'status']);

export function readDeliveryStatus(text: string): DeliveryStatus {
  const groups = groupsOf(text.replaceAll('\r\n', '\n'));
  const perMessage = groups.find((group) => !isRecipient(group));
  const mta = perMessage && fieldOf(perMessage, 'reporting-mta');
  return {
    reportingMta: mta === undefined ? undefined : typed(mta),
    recipients: groups.filter(isRecipient).slice(0, MAX_RECIPIENTS).map(recipientOf),
  };
}

const isRecipient = (group: readonly Field[]): boolean => group.some(({ name }) => OF_RECIPIENT.has(name));

function groupsOf(text: string): Field[][] {
  const groups: Field[][] = [];
  let current: Field[] = [];
  let at = 0;
  const close = (): void => {
    if (current.length > 0) groups.push(current);
    current = [];
  };
  while (at < text.length && groups.length <= MAX_RECIPIENTS) {
    const { fields, end } = readHeader(text, at, text.length);
    for (const field of fields) {
      const again = OF_RECIPIENT.has(field.name) && current.some(({ name }) => name === field.name);
      const first = OF_RECIPIENT.has(field.name) && current.length > 0 && !isRecipient(current);
      if (again || first) close();
      current.push(field);
    }
    // INTEROP(several): a blank line inside a recipient's fields; only a field that repeats begins the next one.
    const lineEnd = text.indexOf('\n', end);
    at = fields.length > 0 ? end : lineEnd < 0 ? text.length : lineEnd + 1;
  }
  close();
  return groups;
}

function recipientOf(group: readonly Field[]): DsnRecipient {
  const value = (name: string): string | undefined => fieldOf(group, name);
  const final = addressField(value('final-recipient'));
  const original = addressField(value('original-recipient'));
  const actual = addressField(value('x-actual-recipient'));
  const given = [final, original, actual].map((one) => addressIn(one ?? ''));
  const diagnostic = unwrapped(tidyLine(typed(decodeWords(value('diagnostic-code') ?? ''))));
  const remote = value('remote-mta');
  return {
    // INTEROP(gateways): a final recipient such as user@ims-daemon is a name of theirs; the original one is an address.
    address:
      given.find((one) => one !== undefined && DOTTED.test(one)) ?? given.find((one) => one !== undefined),
    original,
    final,
    action: actionOf(value('action'), value('status')),
    status: bestStatus(statusIn(value('status') ?? ''), diagnostic),
    replyCode: replyCodeIn(diagnostic),
    diagnostic: diagnostic === '' ? commentOf(value('status')) : diagnostic,
    remoteMta: remote === undefined ? undefined : typed(remote),
  };
}

const DOTTED = /@[^@]+\.[^@.]+$/;
const MAX_ADDRESS = 320;

/** `rfc822;<a@b>` -> `a@b`, as written; utf-8-addr-xtext (RFC 6533 §3) decoded. */
function addressField(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = typed(value)
    .slice(0, 1_000)
    .replace(/\\x\{([0-9A-Fa-f]{1,6})\}/g, (all, hex: string) => {
      const code = parseInt(hex, 16);
      return code > 31 && code < 0x110000 ? String.fromCodePoint(code) : all;
    })
    .trim();
  const plain = /^<([^<>]+)>/.exec(text)?.[1] ?? text;
  return plain === '' ? undefined : plain.slice(0, MAX_ADDRESS);
}

/** INTEROP(IronPort): a code and a phrase of its own in front of the peer's reply, `5.1.0 - Unknown address error 550-'...'`. */
const unwrapped = (text: string): string =>
  text.replace(/^[245]\.\d{1,3}\.\d{1,3} - [A-Z][\w ]{3,80} (?=[45]\d\d[ -]['"])/, '');

/** INTEROP(old gateways): the reason as a comment of the status field. */
const commentOf = (status: string | undefined): string =>
  tidyLine(/\(([^()]{3,300})\)/.exec(status ?? '')?.[1] ?? '');

/** Without the `type;` in front. */
const typed = (value: string): string => value.replace(/^\s*[A-Za-z][\w-]{0,30}\s*;\s*/, '').trim();

function actionOf(action: string | undefined, status: string | undefined): DsnAction {
  const word = /^[a-z]+/.exec((action ?? '').trim().toLowerCase())?.[0];
  const known = ACTIONS.find((one) => one === word);
  if (known) return known;
  if (word?.startsWith('delay') === true) return 'delayed';
  // INTEROP(several): no action at all. The class of the status says as much (RFC 3464 §2.3.4).
  return (status ?? '').trim().startsWith('2') ? 'delivered' : 'failed';
}
