/** What `explain` prints: the speed with its setting, the entry that stops the address, the last reply. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExplainedNode, ExplainView } from '../../../src/api/index.ts';
import { explainText } from '../../../src/cli/explain.ts';
import { createPaper } from './paper.ts';

const AT = '2026-01-01T00:00:00.000Z';
const PAPER = createPaper();
const NODE: ExplainedNode = {
  ...{ node: 'n1', weight: 1, takes_mail: true, state: 'running', address: '192.0.2.10', locks: [] },
  ...{ strategy: 'own', strategy_at: 'mta.yaml:5' },
  ...{ chosen_by: 'strategies.default of sender shop', chosen_at: 'mta.yaml:30' },
  ...{ rate_per_second: 1, daily_limit: null, max_sessions: 1 },
  effective: {
    ...{ per_second: 0.5, set_by: 'cap together', set_at: 'mta.yaml:9' },
    ...{ per_day: 400, per_day_set_by: 'strategy own' },
  },
};
const SENDER = { sender: 'shop', percent: 100, lifetime_seconds: 86_400, retry_rule: 'default', locks: [] };
const VIEW: ExplainView = {
  ...{ recipient: 'u@a.test', domain: 'a.test', isp: null, counted_by: 'mx:mx.a.test', hosts_from: 'mx' },
  hosts: [{ name: 'mx.a.test', addresses: [], port: 25 }],
  stop_list: { domain: 'a.test', source: 'operator', reason: 'asked by\u001b mail', added: AT },
  senders: [{ ...SENDER, nodes: [NODE] }],
  queued: [
    {
      ...{ id: '01.1', state: 'retry', sender: 'shop', node: 'n1', attempts: 1, next_attempt: AT },
      last_reply: { at: AT, code: 451, enhanced: '4.7.1', text: 'greylisted', phase: 'rcpt' },
    },
  ],
};

test('speed, stop list and last reply stand in lines of their own', () => {
  const text = explainText(PAPER, VIEW);
  assert.match(
    text,
    /^ +speed: 30 a minute \(cap together, mta\.yaml:9\), 400 a day \(strategy own\), 1 session$/m,
  );
  assert.match(
    text,
    /^stopped {3}a\.test is in the stop list \(operator, since .*\): asked by[^\u001b]* mail$/m,
  );
  assert.match(
    text,
    /^queued .* 1 attempt, due since 2026-.*; last reply, .*: 451 4\.7\.1 greylisted \(rcpt\)$/m,
  );
});

test('strategy, what chose it, and retry rule say where they are written', () => {
  const text = explainText(PAPER, VIEW);
  assert.match(
    text,
    /^ +strategy own \(mta\.yaml:5\), by strategies\.default of sender shop \(mta\.yaml:30\)$/m,
  );
  assert.match(text, /retry rule default \(built in\),/);
  const isp = { name: 'gmail', matched_by: 'domain', entry: 'gmail.com', at: 'config/isps/google.yaml:9' };
  assert.match(
    explainText(PAPER, { ...VIEW, isp }),
    /^ISP +gmail, by domain gmail\.com \(config\/isps\/google\.yaml:9\)$/m,
  );
});

test('without limits, entries and replies it says so, or nothing', () => {
  const effective = { per_second: null, per_day: null };
  const senders = [{ ...SENDER, nodes: [{ ...NODE, effective }] }];
  const text = explainText(PAPER, { ...VIEW, stop_list: undefined, senders, queued: [] });
  assert.match(text, /^ +speed: no limit of speed, 1 session$/m);
  assert.doesNotMatch(text, /stopped|last reply/);
});

test('nodes with the same settings share their lines, and what went wrong last is told once', () => {
  const nodes: ExplainedNode[] = Array.from({ length: 12 }, (_, i) => ({
    ...NODE,
    node: `n${i}`,
    last_error: { at: `2026-01-01T00:00:0${i % 7}.000Z`, text: `451 later ${i}` },
  }));
  const odd = { ...NODE, node: 'odd', state: 'down', takes_mail: false };
  const text = explainText(PAPER, { ...VIEW, senders: [{ ...SENDER, nodes: [...nodes, odd] }] });
  assert.match(text, /^ {2}nodes {3}n0 \(192\.0\.2\.10\), n1 .* and 4 more are running, weight 1 each$/m);
  assert.match(text, /^ {2}node {4}odd \(192\.0\.2\.10\) is down, weight 1, takes no new mail$/m);
  assert.equal(text.match(/strategy own \(mta/g)?.length, 2);
  assert.deepEqual(text.match(/last error.*/g), ['last error from n6, 2026-01-01 00:00:06Z: 451 later 6']);
});

test('what is queued says when its turn is and why it waits', () => {
  const queuedAs = (changes: object): string => {
    const queued = [{ ...VIEW.queued[0]!, last_reply: undefined, ...changes }];
    return explainText(PAPER, { ...VIEW, queued })
      .split('\n')
      .find((line) => line.startsWith('queued'))!;
  };
  const why = 'the interval of the retry rule is not over';
  assert.equal(
    queuedAs({ next_attempt: '2026-01-01T00:06:00.000Z', why_waiting: why, campaign_id: 'spring' }),
    `queued    01.1 of campaign spring on n1, 1 attempt, next 2026-01-01 00:06:00Z, in 5m, ${why}`,
  );
  assert.match(queuedAs({ state: 'proc', attempts: 0 }), / 0 attempts, a session has it now$/);
  assert.match(queuedAs({ state: 'hold', why_waiting: 'held by ann' }), / 1 attempt, held by ann$/);
});
