/** When the memory of a rendered content may be written to again: the attempt over it decides. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Classifier } from '../../../src/bounce/index.ts';
import { err, ok, type Refusal, type Reply, type Result } from '../../../src/core/index.ts';
import { KeyRing } from '../../../src/mta/dkim/index.ts';
import { Attempts } from '../../../src/mta/egress/attempt.ts';
import { Campaigns } from '../../../src/mta/egress/content.ts';
import type { EgressContext } from '../../../src/mta/egress/context.ts';
import { IspIndex } from '../../../src/mta/egress/isp.ts';
import type { Reactions } from '../../../src/mta/egress/reactions.ts';
import { composeContent, encodeCampaign } from '../../../src/mta/message/index.ts';
import type { ClientSession } from '../../../src/mta/smtp/index.ts';
import { configured } from './configured.ts';
import { FakeOwner } from './fake-owner.ts';
import { leased } from './leased.ts';

const ACCEPTED: Result<Reply, Refusal> = ok({ code: 250, enhanced: undefined, text: 'taken' });
const REFUSED: Result<Reply, Refusal> = err({
  scope: 'message',
  permanent: true,
  phase: 'content',
  reply: { code: 550, enhanced: undefined, text: 'spam' },
  cause: undefined,
  text: '550 spam',
});

function attemptsOver(campaigns: Campaigns, { clock }: FakeOwner): Attempts {
  const config = configured({
    nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }],
    strategies: [{ name: 'free', concurrent_connections: 1 }],
    senders: [{ name: 'promo', nodes: [{ node: 'n1' }], strategies: { default: 'free' } }],
  });
  const sender = { config: config.senders[0]!, keys: new KeyRing([]) };
  const context = {
    settings: { config, senders: new Map([['promo', sender]]), classifier: new Classifier() },
    isps: new IspIndex([]),
    clock,
    queue: { lifetimeNow: () => 0, stopList: { find: () => undefined }, sending: () => undefined },
    recorder: { record: () => Promise.resolve() },
    campaigns: { of: () => undefined },
    report: (_: string, text: string) => assert.fail(text),
  } as unknown as EgressContext;
  const reactions = { to: () => ({ kind: 'released', wakeAt: 0 }) } as unknown as Reactions;
  return new Attempts(context, campaigns, reactions);
}

/** Whether the next content gets the memory of one that was sent so. */
async function usedAgain(said: Result<Reply, Refusal>, flushed: boolean): Promise<boolean> {
  const campaign = composeContent(
    { from: 'news@shop.test', subject: 's', text: '{{name}}' },
    { hostname: 'mta.test', now: 0, unique: 'x' },
  );
  assert.ok(campaign.ok);
  const campaigns = new Campaigns();
  const owner = new FakeOwner();
  const sent: Buffer[] = [];
  const session = {
    ...{ transactions: 0, flushed, facts: { capabilities: {} } },
    send: ({ content }: { content: readonly Buffer[] }) => {
      sent.push(...content);
      return Promise.resolve({ recipients: [said] });
    },
  } as unknown as ClientSession;
  owner.lane.promise();
  const [end] = await attemptsOver(campaigns, owner).run({
    session,
    deliveries: [leased({ content: encodeCampaign(campaign.value), message: { kind: 'campaign' } })],
    lane: owner.lane,
    sourceIp: '127.0.0.1',
    signal: new AbortController().signal,
  });
  assert.equal(end!.kind, said.ok ? 'delivered' : 'refused');
  assert.equal(sent.length, 1);
  return campaigns.memory.take(1).buffer === sent[0]!.buffer;
}

describe('the memory of a rendered content is used again', () => {
  test('once the message was accepted and all of it has left the process', async () =>
    assert.equal(await usedAgain(ACCEPTED, true), true));

  test('not when the peer accepted before all of it was written', async () =>
    assert.equal(await usedAgain(ACCEPTED, false), false));

  test('not when the message was refused', async () => assert.equal(await usedAgain(REFUSED, true), false));
});
