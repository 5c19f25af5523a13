/**
 * What follows from a mail, decided in one place and without looking anything up but what it is given.
 *
 * 1. A valid token names the delivery; those of the envelope go before those found in the text. A report without one is
 *    told as `report_rejected` and changes nothing, however convincing it is.
 *    A bounce of a delivery whose history is over is told too: complaints and requests oblige all the same.
 * 2. A DSN counts when it says `failed`: as a hard bounce when the address is dead, else as undelivered. Delays and
 *    relays are no end.
 * 3. A feedback report is a complaint; `opt-out` is a request to unsubscribe, `not-spam` nothing, and `auth-failure`
 *    (RFC 6591) an alert, because it speaks of our DNS and not of a reader.
 * 4. Mail whose envelope goes to a `u+` address of ours unsubscribes, whatever it says and whoever made it: mail systems
 *    send it for their users, and call it automatic. Mail that asks for it in its subject unsubscribes when it came to
 *    the return path, or when it quotes a token of its own sender. A token that is only quoted proves nothing else:
 *    people answer, and forward, with our footer under their words. What remains a person must read.
 * 5. Automatic replies and receipts are counted. All else is forwarded.
 */
import { type Classifier, classifyReported } from '../../bounce/index.ts';
import type { MxConfig } from '../../config/index.ts';
import {
  type DeliveryId,
  domainOf,
  type EventReply,
  type EventReport,
  parseDeliveryId,
} from '../../core/index.ts';
import type { DsnRecipient, TokenUse, Tokens } from '../../fbl/index.ts';
import type { Conclusion, InboundMail, LateReport } from '../../queue/index.ts';
import type { Clues } from './guess.ts';
import type { Reading } from './reading.ts';

export interface JudgeInput {
  readonly mail: InboundMail;
  readonly reading: Reading;
  readonly tokens: Tokens;
  readonly classifier: Classifier;
  readonly mx: MxConfig;
  readonly now: number;
  /** Recipient of a delivery, while anything is known of it. */
  readonly recipientOf: (id: DeliveryId) => string | undefined;
  /** Whether a delivery ended so long ago that its tokens are good for nothing. */
  readonly isOver: (id: DeliveryId) => boolean;
  /** The ISP of a recipient, where it is known. */
  readonly ispOf: (recipient: string) => string | undefined;
  /** The delivery that a report seems to speak of, without proof. */
  readonly guess: (clues: Clues) => DeliveryId | undefined;
}

export type Verdict =
  { readonly what: string; readonly conclusion: Conclusion } | { readonly what: 'forward' };

export function judge(input: JudgeInput): Verdict {
  const { reading, mx } = input;
  const token = tokenOf(input, [...input.mail.to, ...reading.tokenCandidates]);
  switch (reading.kind) {
    case 'dsn':
      return judgeDsn(input, token);
    case 'arf':
      return judgeFeedback(input, token);
    case 'mdn':
      return automatic(mx, reading.kind);
    default: {
      const id = unsubscribes(input);
      if (id !== undefined) return effect(input, id, { kind: 'unsubscribe' });
      return reading.kind === 'auto_reply' ? automatic(mx, reading.kind) : { what: 'forward' };
    }
  }
}

const automatic = (mx: MxConfig, kind: string): Verdict =>
  mx.forwardAutoReplies ? { what: 'forward' } : nothing(kind);

/** The delivery whose recipient no longer wants mail. */
function unsubscribes(input: JudgeInput): DeliveryId | undefined {
  const { mail, reading } = input;
  const addressed = tokenOf(input, mail.to);
  const asks = reading.kind === 'unsubscribe';
  if (addressed.id !== undefined && (asks || addressed.use === 'unsubscribe')) return addressed.id;
  if (!asks) return undefined;
  const quoted = tokenOf(input, reading.tokenCandidates);
  const recipient = quoted.id && input.recipientOf(quoted.id);
  return recipient !== undefined && sameAddress(recipient, reading.from) ? quoted.id : undefined;
}

const sameAddress = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one.toLowerCase() === other?.toLowerCase();

type Token =
  | { readonly id: DeliveryId; readonly use: TokenUse; readonly reason?: undefined }
  /** Why there is none: nothing that looks like one, or one of ours that does not verify. */
  | { readonly id?: undefined; readonly use?: undefined; readonly reason: 'unverified' | 'bad_token' };

function tokenOf({ tokens, mx }: JudgeInput, candidates: readonly string[]): Token {
  let bad = false;
  for (const candidate of candidates) {
    const verified = tokens.verify(candidate);
    if (verified.ok) return { id: verified.value.deliveryId, use: verified.value.use };
    bad ||= /^[bhu]\+/i.test(candidate) && mx.domains.includes(domainOf(candidate));
  }
  return { reason: bad ? 'bad_token' : 'unverified' };
}

const nothing = (what: string): Verdict => ({ what, conclusion: { kind: 'done' } });

function judgeDsn(input: JudgeInput, token: Token): Verdict {
  const { recipients } = input.reading;
  const failed = recipients.filter(({ action }) => action === 'failed');
  if (recipients.length > 0 && failed.length === 0) return nothing(recipients[0]!.action);
  const to = token.id && input.recipientOf(token.id);
  const recipient = recipientIn(failed, to);
  if (token.id === undefined) return rejected(input, token.reason, recipient);
  if (input.isOver(token.id)) return rejected(input, 'history_over', recipient, token.id);
  const { replyCode, status, diagnostic: text = '' } = recipient ?? {};
  const failure = { replyCode, status, diagnostic: text, action: 'failed' } as const;
  const { notice } = input.reading;
  const isp = to === undefined ? undefined : input.ispOf(to);
  const bounce = classifyReported(input.classifier, failure, { notice, ...(isp !== undefined && { isp }) });
  const reply = replyOf(recipient, text === '' ? notice.slice(0, MAX_TEXT) : text);
  const type = bounce.class === 'hard' ? ('hard_bounce' as const) : ('undelivered' as const);
  return effect(input, token.id, { kind: 'bounce', type, bounce, reply }, recipient?.remoteMta);
}

/** Of what a report says to people, where it says nothing else. */
const MAX_TEXT = 500;

const replyOf = (recipient: DsnRecipient | undefined, text: string): EventReply => ({
  ...(recipient?.replyCode !== undefined && { code: recipient.replyCode }),
  ...(recipient?.status !== undefined && { enhanced: recipient.status }),
  text,
  phase: 'content',
});

/** The one it is about: forwarding changes addresses, so the only one there is counts whatever it is called. */
function recipientIn(failed: readonly DsnRecipient[], wanted: string | undefined): DsnRecipient | undefined {
  const same = (given: string | undefined): boolean => sameAddress(given, wanted);
  return failed.find(({ original, final, address }) => [original, final, address].some(same)) ?? failed[0];
}

function judgeFeedback(input: JudgeInput, token: Token): Verdict {
  const type = input.reading.feedbackType ?? 'abuse';
  if (type === 'not-spam') return nothing('not-spam');
  if (token.id === undefined) return rejected(input, token.reason, undefined);
  if (type === 'auth-failure') {
    const told = {
      type: 'alert',
      time: input.now,
      reason: 'auth_failure_report',
      report: reportOf(input),
    } as const;
    return { what: type, conclusion: { kind: 'told', event: { ...told, delivery_id: token.id } } };
  }
  const kind = type.startsWith('opt-out') ? ('unsubscribe' as const) : ('complaint' as const);
  return effect(input, token.id, { kind, reason: type });
}

function effect(input: JudgeInput, id: DeliveryId, what: LateReport['effect'], remoteMta?: string): Verdict {
  const { mx, now, reading } = input;
  const checked = reading.reporter;
  if (mx.checkReporter === 'require' && checked?.dkim !== 'pass' && checked?.spf !== 'pass')
    return rejected(input, 'unauthenticated', undefined);
  const { stopList } = mx;
  const stop = what.kind === 'bounce' ? stopList.hardBounce : stopList[what.kind];
  const report = { ...reportOf(input), ...(remoteMta !== undefined && { remote_mta: remoteMta }) };
  const late = { ...parseDeliveryId(id)!, effect: what, report, at: now, stop };
  return { what: what.kind, conclusion: { kind: 'late', late } };
}

function rejected(
  input: JudgeInput,
  reason: string,
  recipient: DsnRecipient | undefined,
  id: DeliveryId | undefined = input.guess(input.reading),
): Verdict {
  const { mx, now } = input;
  const conclusion: Conclusion = {
    kind: 'rejected',
    reason,
    at: now,
    report: reportOf(input),
    keep: mx.quarantineBytes,
    deliveryId: id,
    reply: recipient && replyOf(recipient, recipient.diagnostic),
  };
  return { what: reason, conclusion };
}

function reportOf({ mail, reading }: JudgeInput): EventReport {
  const { kind, from, feedbackType, reportingMta, reporter } = reading;
  return {
    kind: feedbackType === undefined ? kind : `${kind}/${feedbackType}`,
    ...(from !== undefined && { from }),
    peer: mail.peer,
    ...(reportingMta !== undefined && { reporting_mta: reportingMta }),
    ...reporter,
  };
}
