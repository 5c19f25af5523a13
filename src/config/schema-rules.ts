/**
 * Schema of what follows from a refusal: rules (first match wins) and lock rules. What may stand in `when` are names
 * with `*`, codes with `x`, and the words of classification; each one value or a list, of which one must match.
 */
import * as z from 'zod';
import { err, ok } from '../core/index.ts';
import type { BounceCategory, BounceClass, Phase } from '../core/index.ts';
import { expectations, key, leaf, oneOrMany, section, type Spec } from './kind.ts';
import { choice, decimal, duration, expected, flag, name, rate, textSpec } from './kinds.ts';

const CLASSES = ['hard', 'soft', 'block', 'other'] as const satisfies readonly BounceClass[];
const CATEGORIES = [
  'bad_mailbox',
  'bad_domain',
  'inactive_mailbox',
  'moved',
  'mailbox_full',
  'rate_limited',
  'greylisted',
  'connection_limit',
  'ip_blocked',
  'spam_content',
  'policy',
  'auth_failed',
  'sender_refused',
  'too_large',
  'virus',
  'relay_denied',
  'protocol',
  'system',
  'network',
  'dns',
  'tls',
  'expired',
  'other',
] as const satisfies readonly BounceCategory[];
const PHASES = [
  'connect',
  'greeting',
  'ehlo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'content',
] as const satisfies readonly Phase[];

/** A name in which `*` stands for any part. */
const namePattern: Spec<string> = textSpec(
  { label: 'name or pattern', json: { type: 'string', pattern: '^[A-Za-z0-9_.:*-]{1,64}$' } },
  'a name, in which * stands for any part',
  (value) => (/^[A-Za-z0-9_.:*-]{1,64}$/.test(value) ? ok(value) : undefined),
);

/** `550` or `55x`, as text. */
const replyCode: Spec<string> = {
  kind: {
    label: 'reply code',
    json: { anyOf: [{ type: 'integer' }, { type: 'string', pattern: '^[45][0-9xX]{2}$' }] },
  },
  read(value) {
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && /^[45](?:\d\d|\dx|xx)$/i.test(text)) return ok(text.toLowerCase());
    return expected('a reply code such as 550, 45x or 5xx', value);
  },
};

const enhancedCode: Spec<string> = textSpec(
  {
    label: 'enhanced code',
    json: { type: 'string', pattern: '^[45*]\\.([0-9]{1,3}|\\*)\\.([0-9]{1,3}|\\*)$' },
  },
  'an enhanced code such as 5.7.1, *.7.1 or 5.7.*',
  (value) => {
    if (/^[45*]\.(?:\d{1,3}|\*)\.(?:\d{1,3}|\*)$/.test(value)) return ok(value);
    return /^[45*]\.(?:\d{1,3}|\*)$/.test(value)
      ? err(`an enhanced code has three parts, got "${value}": write ${value}.*`)
      : undefined;
  },
);

export const lockRuleSchema = section({
  name: key(leaf(name), 'Name used by rules.', { example: 'blocked' }),
  scope: key(
    leaf(choice(['node_isp', 'node', 'sender_isp', 'isp'])).prefault('node_isp'),
    'What stops: the node towards the ISP, the node, the sender towards the ISP, or all mail to the ISP.',
  ),
  duration: key(leaf(duration('30m')).prefault('30m'), 'How long; then one delivery goes first to try.'),
  escalate: key(
    leaf(decimal({ min: 1, max: 100 })).prefault(2),
    'Each lock that follows before a success lasts this many times longer.',
  ),
  max_duration: key(
    leaf(duration('12h')).optional(),
    'Longest lock (default: 12h, or the duration if that is longer).',
    { example: '12h' },
  ),
  threshold: key(leaf(rate).prefault('1/1m'), 'Refusals within a time that it takes.'),
  waiting: key(
    leaf(choice(['wait', 'move'])).prefault('wait'),
    'Mail that waits: wait, or move to nodes of its sender that are not locked.',
  ),
});

const anyOf = <T>(spec: Spec<T>, text: string, example: unknown) =>
  key(leaf(oneOrMany(spec)).optional(), text, { example });

const whenSchema = section({
  isp: anyOf(namePattern, 'ISP of the recipient; `other` is a domain of none.', 'gmail'),
  sender: anyOf(namePattern, 'Sender.', 'promo'),
  class: anyOf(choice(CLASSES), 'Class of the refusal.', 'block'),
  category: anyOf(choice(CATEGORIES), 'Category of the refusal.', 'rate_limited'),
  code: anyOf(replyCode, 'Reply code: 550, 45x, 5xx.', '4xx'),
  enhanced: anyOf(enhancedCode, 'Enhanced code: 5.7.1, *.7.1, 5.7.*.', '*.7.28'),
  pattern: anyOf(namePattern, 'Bounce pattern that matched.', 'my-*'),
  phase: anyOf(choice(PHASES), 'Step of the session.', ['rcpt', 'content']),
});

const thenSchema = section({
  retry: key(
    leaf(name).optional(),
    'Tries again by this retry rule, also after a permanent refusal. A shipped rule does so only for senders that name no retry rule.',
    { example: 'default' },
  ),
  lock: key(leaf(name).optional(), 'Locks by this lock rule.', { example: 'blocked', off: true }),
  slow_down: key(
    leaf(decimal({ min: 1, max: 99 })).optional(),
    'Takes this many percent off the speed of the node towards the ISP.',
    { example: 50 },
  ),
  stop_list: key(
    leaf(flag).prefault(false),
    'true puts the recipient on the stop list when the refusal is permanent.',
  ),
  fail: key(leaf(flag).prefault(false), 'true ends the delivery, whatever the code says.'),
  alert: key(leaf(flag).prefault(false), 'true writes an alert event.'),
});

export const ruleSchema = section({
  name: key(leaf(name).optional(), 'Name in events (default: its place, such as `rule-1`).', {
    example: 'gmail-rate',
  }),
  when: key(
    z
      .union([leaf(choice(['default'])), whenSchema])
      .register(expectations, { text: 'default or conditions such as {isp: gmail, code: 4xx}' }),
    '`default` (matches everything) or conditions that must all hold; each one value or a list.',
    { example: 'default' },
  ),
  then: key(thenSchema.prefault({}), 'What follows; empty: what the reply code says, and no later rule.'),
});
