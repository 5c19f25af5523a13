/** The rules of a virtual sender, by what arrives: who sends it, From, Reply-To, the key that signs and the return path. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { simpleParser } from 'mailparser';
import { generateKeyPem } from '../../src/mta/dkim/index.ts';
import type { SinkMessage } from '../../src/testbed/index.ts';
import { Mta, ofType } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';

const REVERSE_PATH = 'bounce@app.test';
const key = (domain: string): object => ({ domain, selector: 's1', key_file: `${domain}.pem` });
const strategies = { default: 'unlimited' };
const SENDERS = [
  { name: 'promo', nodes: [{ node: 'n1' }], strategies, dkim: [key('shop.test')] },
  {
    name: 'news',
    nodes: [{ node: 'n2' }],
    strategies,
    dkim: [key('shop.test'), key('brand.test')],
    return_path_domain: 'bounce.brand.test',
  },
];
const NODES = ['n1', 'n2'].map((name, i) => ({
  name,
  address: `127.0.0.${i + 2}`,
  hostname: `${name}.test`,
}));
const news = (override: object): object[] => [{ sender: 'news', percent: 100, ...override }];
const RULES = [
  { when: { group: 'vip', to_domain: ['a.test', 'b.test'] }, senders: news({ from_name: 'VIP desk' }) },
  { when: { to_domain: 'a.test' }, senders: news({ reply_to: 'answers@brand.test' }) },
  { when: { isp: 'big' }, senders: news({ from_email: 'hi@brand.test' }) },
  {
    when: { from_email: 'boss@shop.test' },
    senders: news({ from_email: 'ceo@brand.test', from_name: 'The "CEO"', reply_to: 'office@brand.test' }),
  },
  { when: { from_domain: 'other.test' }, senders: news({}) },
  { when: 'default', senders: [{ sender: 'promo', percent: 100 }] },
];

interface Case {
  readonly what: string;
  readonly to: string;
  readonly group?: string;
  readonly from?: string;
  /** Sender, From, Reply-To, and the domain that signs. */
  readonly gives: readonly [string, string, string | undefined, string | undefined];
}

const SHOP = '"Shop" <shop@shop.test>';
const BOSS = '"Boss" <boss@shop.test>';
const CASES: readonly Case[] = [
  {
    what: 'group and To domain; the name alone is replaced',
    to: 'a.test',
    group: 'vip',
    gives: ['news', '"VIP desk" <shop@shop.test>', undefined, 'shop.test'],
  },
  {
    what: 'the second value of a list',
    to: 'b.test',
    group: 'vip',
    gives: ['news', '"VIP desk" <shop@shop.test>', undefined, 'shop.test'],
  },
  {
    what: 'the group is another: the next rule; Reply-To alone is replaced',
    to: 'a.test',
    group: 'mass',
    gives: ['news', SHOP, 'answers@brand.test', 'shop.test'],
  },
  { what: 'no group at all', to: 'a.test', gives: ['news', SHOP, 'answers@brand.test', 'shop.test'] },
  {
    what: 'ISP; the address alone is replaced, and another key signs',
    to: 'big.test',
    gives: ['news', '"Shop" <hi@brand.test>', undefined, 'brand.test'],
  },
  {
    what: 'From address; all three are replaced',
    to: 'c.test',
    from: BOSS,
    gives: ['news', '"The "CEO"" <ceo@brand.test>', 'office@brand.test', 'brand.test'],
  },
  {
    what: 'To domain goes before From address, as the rules stand',
    to: 'a.test',
    from: BOSS,
    gives: ['news', BOSS, 'answers@brand.test', 'shop.test'],
  },
  {
    what: 'ISP goes before From address',
    to: 'big.test',
    from: BOSS,
    gives: ['news', '"Boss" <hi@brand.test>', undefined, 'brand.test'],
  },
  {
    what: 'From domain; a rule without overrides changes nothing, and no key is there for it',
    to: 'c.test',
    from: '"Other" <x@other.test>',
    gives: ['news', '"Other" <x@other.test>', undefined, undefined],
  },
  {
    what: 'a group without the To domain is not both: the default',
    to: 'c.test',
    group: 'vip',
    gives: ['promo', SHOP, undefined, 'shop.test'],
  },
  { what: 'a subdomain is another domain', to: 'sub.a.test', gives: ['promo', SHOP, undefined, 'shop.test'] },
  { what: 'none', to: 'c.test', gives: ['promo', SHOP, undefined, 'shop.test'] },
];

async function seen({ peerAddress, from, content }: SinkMessage): Promise<unknown[]> {
  const parsed = await simpleParser(content);
  const sender = peerAddress === '127.0.0.2' ? 'promo' : 'news';
  if (sender === 'promo') assert.equal(from, REVERSE_PATH);
  else assert.match(from, /@bounce\.brand\.test$/);
  const { text, value } = parsed.from!;
  assert.equal(value.length, 1, text);
  const signed = /^DKIM-Signature:[^]*?\bd=([^;\s]+);/m.exec(content.toString('latin1'))?.[1];
  return [sender, `"${value[0]!.name}" <${value[0]!.address}>`, parsed.replyTo?.value[0]?.address, signed];
}

test('each case arrives as its rule says', async (t) => {
  const sink = await receiver(t, { keep: CASES.length });
  const mta = await Mta.prepare(t, {
    routes: [routeTo(sink)],
    isps: [{ name: 'big', domains: ['big.test'] }],
    nodes: NODES,
    senders: SENDERS,
    virtual_senders: [{ name: 'main', rules: RULES }],
  });
  for (const domain of ['shop.test', 'brand.test'])
    writeFileSync(join(mta.dir, `${domain}.pem`), generateKeyPem('ed25519-sha256'), { mode: 0o600 });
  await mta.start();
  for (const [i, { to, group, from = SHOP }] of CASES.entries()) {
    const envelope = { from: REVERSE_PATH, to: [`u${i}@${to}`] };
    const body = JSON.stringify({ envelope, group, parts: { from, subject: `Case ${i}`, text: 'Hello' } });
    assert.equal((await mta.api('/v1/messages', { body })).status, 202);
  }
  const events = ofType(await mta.settled(CASES.length), 'delivered');
  assert.equal(events.length, CASES.length);
  for (const [i, { what, to, gives }] of CASES.entries()) {
    const message = sink.messages.find(({ recipients }) => recipients[0] === `u${i}@${to}`);
    assert.deepEqual(await seen(message!), gives, what);
  }
  await mta.end();
});
