/** What the model test may do, as data that fast-check can make and shrink. */
import fc from 'fast-check';
import { BANDS } from '../../../src/queue/queue-head.ts';
import { CAMPAIGNS, DOMAINS, NODES } from './model.ts';

const node = fc.constantFrom(...NODES);
const domain = fc.constantFrom(...DOMAINS);
const delayMs = fc.constantFrom(0, 0, 0, 1, 50, 400);
const lifetimeMs = fc.constantFrom(1, 30, 300, 100_000, 100_000, 100_000);
/** Which of those there are, counted from the first and around. */
const which = fc.nat(7);
const recipients = (minLength: number) => fc.array(domain, { minLength, maxLength: 3 });

const facts = {
  node,
  campaign: fc.constantFrom(...CAMPAIGNS),
  band: fc.constantFrom(...BANDS),
  delayMs,
  lifetimeMs,
};

const accept = fc.record({
  op: fc.constant('accept'),
  to: recipients(1),
  open: fc.boolean(),
  ...facts,
});
const append = fc.record({
  op: fc.constant('append'),
  which,
  to: recipients(0),
  close: fc.boolean(),
  delayMs,
  lifetimeMs,
});
const lease = fc.record({ op: fc.constant('lease'), which, limit: fc.integer({ min: 1, max: 4 }) });
const kind = fc.constantFrom('delivered', 'hard_bounce', 'removed', 'dropped', 'deferred', 'released');
const outcome = fc.record({ op: fc.constant('outcome'), which, kind, node, delayMs });
const sweep = fc.record({ op: fc.constant('sweep') });
const prune = fc.record({ op: fc.constant('prune') });

const operation = fc.oneof(
  { weight: 4, arbitrary: accept },
  { weight: 2, arbitrary: append },
  { weight: 4, arbitrary: lease },
  { weight: 8, arbitrary: outcome },
  { weight: 1, arbitrary: sweep },
  { weight: 1, arbitrary: prune },
);

const commit = fc.record({
  step: fc.constant('commit'),
  passMs: fc.constantFrom(0, 0, 1, 50, 6_000),
  operations: fc.array(operation, { minLength: 1, maxLength: 5 }),
  /** Places that the dispatcher has in each queue. */
  places: fc.nat(2),
  stored: fc.oneof({ weight: 7, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
});
const reopen = fc.record({
  step: fc.constant('reopen'),
  clean: fc.boolean(),
  passMs: fc.constantFrom(-500, 0, 7),
});
const selector = fc.oneof(
  fc.record({ campaign: fc.constantFrom(...CAMPAIGNS) }),
  fc.record({ domain, node }),
  fc.record({ node }),
  fc.constant({}),
);
const one = fc.record({ recipient: domain.map((name) => `r0@${name}`) });
const operate = fc.oneof(
  fc.record({ step: fc.constant('operate'), op: fc.constantFrom('hold', 'release'), selector, node }),
  fc.record({
    step: fc.constant('operate'),
    op: fc.constantFrom('purge', 'retry', 'move'),
    selector: fc.oneof(selector, one),
    node,
  }),
);
const trim = fc.record({ step: fc.constant('trim'), ageMs: fc.constantFrom(0, 20, 5_000) });

export const steps = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: commit },
    { weight: 1, arbitrary: reopen },
    { weight: 3, arbitrary: operate },
    { weight: 1, arbitrary: trim },
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
export type Step = Of<typeof steps>[number];
export type Commit = Of<typeof commit>;
export type Operation = Of<typeof operation>;
export type Operate = Of<typeof operate>;
export type OutcomeOperation = Of<typeof outcome>;
