/** Schema of a bounce pattern: the fields of AKMTA, plus our class and category. */
import { BOUNCE_CATEGORIES, BOUNCE_CLASSES, PATTERN_TYPES, patternProblem } from '../bounce/index.ts';
import type { Phase } from '../core/index.ts';
import { err, ok } from '../core/index.ts';
import { key, leaf, oneOrMany, section, type Spec } from './kind.ts';
import { choice, name, text, textSpec } from './kinds.ts';

const PHASES: readonly Phase[] = ['greeting', 'ehlo', 'starttls', 'auth', 'mail', 'rcpt', 'data', 'content'];

const expression: Spec<string> = textSpec(
  { label: 'regular expression', json: { type: 'string' } },
  'a regular expression such as "mailbox.*full"',
  (value) => {
    const problem = patternProblem(value);
    return problem === undefined ? ok(value) : err(problem);
  },
);

export const bouncePatternSchema = section({
  name: key(leaf(name), 'Name in events, rules, metrics.', { example: 'my-full' }),
  isp: key(
    leaf(oneOrMany(text)).prefault('*'),
    'Replies of this ISP or these only; * is all. Patterns of an ISP are tried first.',
  ),
  pattern: key(
    leaf(expression),
    'Regular expression (RE2), regardless of case, on one line: reply code, enhanced code, text.',
    { example: 'mailbox.*full' },
  ),
  type: key(
    leaf(choice(PATTERN_TYPES)).optional(),
    'HB: the address is dead; SB: temporary; B: any other failure. Says the class where `class` is not given.',
    { example: 'SB', off: true },
  ),
  class: key(
    leaf(choice(BOUNCE_CLASSES)).optional(),
    'hard: the address is dead; soft: temporary; block: node, domain or content is refused. Default: by type, category.',
    { example: 'soft' },
  ),
  category: key(leaf(choice(BOUNCE_CATEGORIES)), 'Finer than the class; rules may ask for it.', {
    example: 'mailbox_full',
  }),
  phase: key(leaf(oneOrMany(choice(PHASES))).optional(), 'Only replies in these phases of a session.', {
    example: 'rcpt',
    off: true,
  }),
  message: key(leaf(text).optional(), 'What the reply means, for people.', {
    example: 'The mailbox is full',
    off: true,
  }),
  source: key(leaf(text).optional(), 'Where the wording is known from.', {
    example: 'page of the provider',
    off: true,
  }),
});
