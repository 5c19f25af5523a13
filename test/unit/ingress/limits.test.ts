import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Labels } from '../../../src/mta/ingress/index.ts';
import { limitsOf } from '../../../src/mta/ingress/limits.ts';
import type { MessageRecord } from '../../../src/queue/index.ts';
import { configured } from '../egress/configured.ts';
import { type Desk, events, injected, openDesk, ORIGIN, taken } from './fixture.ts';

const policies = [
  { name: 'weekly', max: 2, days: 7 },
  { name: 'once', max: 1, days: 30, per: 'campaign', only: ['survey'] },
  { name: 'groups', max: 5, days: 1, per: 'group', bands: ['priority', 'standard'] },
];
const refused = (desk: Desk): string[] =>
  events(desk).flatMap(({ reason, recipient, bounce }) =>
    reason === 'policy' ? [`${recipient} ${bounce?.rule}`] : [],
  );

describe('sending policies by label', () => {
  const { policies: resolved } = configured({ policies });
  const names = (labels: Partial<MessageRecord>): string[] | undefined =>
    limitsOf(resolved, { band: 'standard', ...labels } as MessageRecord)?.map(
      ({ policy, scope }) => `${policy} ${scope}`,
    );
  const table: readonly (readonly [string, Partial<MessageRecord>, string[] | undefined])[] = [
    ['no label, no limit', {}, undefined],
    ['each account', { accountId: 'shop' }, ['weekly shop']],
    ['a campaign that is named', { campaignId: 'survey', accountId: 'a' }, ['weekly a', 'once a\0survey']],
    ['one of no account', { campaignId: 'survey' }, ['once survey']],
    ['another one', { campaignId: 'spring' }, undefined],
    ['the group of priority mail', { band: 'priority', accountId: 'a', group: 'vip' }, ['groups a\0vip']],
    ['geo mail of that group', { band: 'geo', accountId: 'a', group: 'vip' }, ['weekly a']],
  ];
  for (const [what, labels, expected] of table) test(what, () => assert.deepEqual(names(labels), expected));

  test('the window is in days of 24 hours', () => assert.equal(resolved[0]!.windowMs, 7 * 86_400_000));
});

describe('sending policies over every way in', () => {
  const labels: Labels = { virtualSender: 'main', accountId: 'shop' };

  test('single messages, parts and batches share the count; the answer is as ever', async () => {
    const desk = await openDesk({ policies });
    await injected(desk, { labels });
    const parts = { from: 'news@shop.test', subject: 's', text: 't' };
    const composed = await desk.injector.compose({
      from: 'news@shop.test',
      to: ['a@one.test', 'b@one.test'],
      parts,
      labels,
      origin: ORIGIN,
    });
    assert.equal(taken(desk, composed).deliveries.length, 2);
    assert.deepEqual(refused(desk), []);
    const batch = taken(
      desk,
      await desk.injector.openBatch({ from: 'b@shop.test', content: parts, labels, origin: ORIGIN }),
    );
    const to = ['a@one.test', 'b@one.test', 'B@one.test', 'c@one.test'];
    const rejected = await batch.add(to.map((one, i) => ({ line: i + 2, to: one })));
    await batch.close();
    assert.deepEqual(rejected, []);
    assert.deepEqual(refused(desk), ['a@one.test weekly', 'B@one.test weekly']);
    await injected(desk, { labels: { ...labels, band: 'priority' } });
    await injected(desk, { labels: { ...labels, accountId: 'other' } });
    assert.equal(refused(desk).length, 2);
  });

  test('a campaign of the same name of another account has a count of its own', async () => {
    const desk = await openDesk({ policies });
    const survey = (accountId: string): Labels => ({ ...labels, accountId, campaignId: 'survey' });
    await injected(desk, { labels: survey('shop') });
    await injected(desk, { labels: survey('other') });
    assert.deepEqual(refused(desk), []);
    await injected(desk, { labels: survey('other') });
    assert.equal(refused(desk).length, 1);
  });

  test('a repeated request is counted once', async () => {
    const desk = await openDesk({ policies });
    for (let i = 0; i < 4; i++) await injected(desk, { labels: { ...labels, idempotencyKey: 'k' } });
    await injected(desk, { labels });
    assert.deepEqual(refused(desk), []);
    await injected(desk, { labels });
    assert.equal(refused(desk).length, 1);
  });
});
