/**
 * The fall-back for a refusal whose words no pattern knows: class and category from its codes (RFC 5321 §4.2, RFC 3463, the IANA registry of enhanced codes).
 * Only the codes that name a dead address make a permanent refusal `hard`; an
 * unknown reply is `other` (permanent) or `soft` (temporary) and never reaches the stop list.
 */
import type { Bounce, BounceCategory, BounceClass, Refusal, RefusalCause } from '../core/index.ts';

type Verdict = readonly [BounceClass, BounceCategory];

/** RFC 3463 and the registry: subject.detail without the leading class digit. */
const BY_ENHANCED: Readonly<Record<string, Verdict>> = {
  '1.1': ['hard', 'bad_mailbox'],
  '1.2': ['hard', 'bad_domain'],
  '1.3': ['hard', 'bad_mailbox'],
  '1.6': ['hard', 'moved'],
  '1.10': ['hard', 'bad_domain'],
  '1.8': ['block', 'sender_refused'],
  '1.7': ['block', 'sender_refused'],
  '2.1': ['other', 'inactive_mailbox'],
  '2.2': ['soft', 'mailbox_full'],
  '2.3': ['other', 'too_large'],
  '3.4': ['other', 'too_large'],
  '4.1': ['soft', 'network'],
  '4.2': ['soft', 'network'],
  '4.3': ['soft', 'dns'],
  '4.4': ['soft', 'dns'],
  '4.5': ['soft', 'system'],
  '4.7': ['soft', 'expired'],
  '7.0': ['block', 'policy'],
  '7.1': ['block', 'policy'],
  '7.20': ['block', 'auth_failed'],
  '7.23': ['block', 'auth_failed'],
  '7.25': ['block', 'auth_failed'],
  '7.26': ['block', 'auth_failed'],
  '7.27': ['block', 'sender_refused'],
  '7.28': ['soft', 'rate_limited'],
};

/** A failure without a reply of the peer. */
const BY_CAUSE: Readonly<Record<RefusalCause, Verdict>> = {
  connect: ['soft', 'network'],
  timeout: ['soft', 'network'],
  disconnect: ['soft', 'network'],
  dns: ['soft', 'dns'],
  tls: ['soft', 'tls'],
  protocol: ['soft', 'protocol'],
  node_down: ['other', 'system'],
  unsupported: ['other', 'protocol'],
  dkim: ['other', 'system'],
  internal: ['other', 'system'],
};

export function classifyByCode(refusal: Refusal): Bounce {
  const enhanced = refusal.reply?.enhanced;
  const byCode = enhanced === undefined ? undefined : (BY_ENHANCED[enhanced.slice(2)] ?? bySubject(enhanced));
  const [bounceClass, category] = byCode ?? fallback(refusal);
  // A temporary refusal never says that an address is dead, whatever its code names; nor does one that contradicts
  // itself (550 4.1.1; RFC 2034 §4 wants the same first digit).
  if (bounceClass === 'hard' && !refusal.permanent) return { class: 'soft', category };
  if (bounceClass === 'hard' && !enhanced?.startsWith('5')) return { class: 'other', category };
  return { class: bounceClass, category };
}

/** A detail that the table does not have says at least its subject (RFC 3463 §3). */
const BY_SUBJECT: Readonly<Record<string, Verdict>> = {
  '3': ['soft', 'system'],
  '4': ['soft', 'network'],
  '5': ['other', 'protocol'],
  '6': ['block', 'spam_content'],
  '7': ['block', 'policy'],
};

/** X.y.0 says nothing but the subject, which mail systems choose loosely; so does what is not of the registry. */
function bySubject(enhanced: string): Verdict | undefined {
  const [, subject = '', detail = ''] = enhanced.split('.');
  return subject === '6' || subject === '7' || detail !== '0' ? BY_SUBJECT[subject] : undefined;
}

function fallback(refusal: Refusal): Verdict {
  if (refusal.reply === undefined && refusal.cause !== undefined) return BY_CAUSE[refusal.cause];
  if (refusal.reply?.code === 421) return ['soft', 'connection_limit'];
  if (refusal.reply?.code === 552) return ['soft', 'mailbox_full'];
  return refusal.permanent ? ['other', 'other'] : ['soft', 'other'];
}
