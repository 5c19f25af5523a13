import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { simpleParser } from 'mailparser';
import { generateKeyPem, loadKey, publicRecord } from '../../src/mta/dkim/index.ts';
import { createTokens } from '../../src/fbl/index.ts';
import { compileRaw, composeContent, encodeCampaign } from '../../src/mta/message/index.ts';
import { BARE_EHLO } from '../support/client-session.ts';
import { startPeer } from '../support/scripted-peer.ts';
import { wakeAt } from '../support/queues.ts';
import { openWorld, receiver } from '../unit/egress/sending-world.ts';

const ehloOf = (extensions: readonly string[]): string =>
  [BARE_EHLO, ...extensions]
    .map((line, i, all) => (i === 0 ? line : `250 ${line}`).replace(' ', i < all.length - 1 ? '-' : ' '))
    .join('\r\n');
const HEADER = 'From: Shop <news@shop.test>\r\nTo: you\r\nSubject: s\r\nMIME-Version: 1.0\r\n';
const EIGHT_BIT = Buffer.from(
  `${HEADER}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n`,
);

test('8BITMIME: as it is where the peer takes it, converted where it does not', async (t) => {
  for (const [ehlo, pattern] of [
    [`${BARE_EHLO.replace(' ', '-')}\r\n250 8BITMIME`, /8bit\r\n\r\nGrüße\r\n$/],
    [BARE_EHLO, /(?:quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe|base64\r\n\r\nR3LDvMOfZQ0K)\r\n$/],
  ] as const) {
    const peer = await startPeer({ EHLO: ehlo });
    t.after(() => peer.close());
    const routes = [{ domain: '*', hosts: [`127.0.0.1:${peer.port}`], tls: 'none' }];
    const world = await openWorld(t, { settings: { routes } });
    await world.send('a@to.test', { text: EIGHT_BIT });
    await world.ended(1);
    assert.match(peer.messages[0]!.content, pattern);
    assert.equal(
      peer.lines.some((line) => line.includes('BODY=8BITMIME')),
      ehlo !== BARE_EHLO,
    );
  }
});

test('a campaign asks for SMTPUTF8 only where its header as it leaves has an address beyond ASCII', async (t) => {
  const options = { hostname: 'mta.test', now: Date.now(), unique: 'u' };
  const content = (header: string): Buffer => {
    const campaign = compileRaw(Buffer.from(`From: Grüße <a@bücher.test>\n${header}\n\nHi\n`), options);
    assert.ok(campaign.ok, JSON.stringify(campaign));
    return encodeCampaign(campaign.value);
  };
  const named = content('Subject: Grüße\nReply-To: "{{v}}" <{{reply}}>');
  const cases = [
    ['domain', { text: named, vars: { v: 'Zoë', reply: 'r@bücher.test' } }, false],
    ['value', { text: named, vars: { v: 'Zoë', reply: 'имя@x.test' } }, true],
    ['fixed', { text: content('Reply-To: имя@x.test') }, true],
    ['rule', { text: named, override: { replyTo: 'имя@x.test', fromName: 'Zoë' } }, true],
    ['raw', { kind: 'raw', override: { fromEmail: 'имя@x.test' } }, true],
  ] as const;
  for (const extensions of [['8BITMIME', 'SMTPUTF8'], ['8BITMIME']]) {
    const peer = await startPeer({ EHLO: ehloOf(extensions) });
    t.after(() => peer.close());
    const routes = [{ domain: '*', hosts: [`127.0.0.1:${peer.port}`], tls: 'none' }];
    const world = await openWorld(t, { settings: { routes } });
    for (const [i, [name, message, beyond]] of cases.entries()) {
      await world.send(`${name}@to.test`, { kind: 'campaign', ...message });
      await world.ended(i + 1);
      if (beyond && extensions.length === 1) {
        assert.match(world.events().at(-1)!.reply!.text, /no SMTPUTF8/, name);
        continue;
      }
      const command = peer.lines.findLast((line) => line.startsWith('MAIL FROM'))!;
      assert.equal(command.includes(' SMTPUTF8'), beyond, name);
      const header = peer.messages.at(-1)!.content.split('\r\n\r\n')[0]!;
      assert.equal(/[^\x00-\x7f]/.test(header), beyond, name);
    }
    assert.equal(peer.messages.length, extensions.length === 1 ? 1 : cases.length);
  }
});

test('a reverse-path beyond ASCII goes to who takes SMTPUTF8 and to nobody else', async (t) => {
  for (const extensions of [['8BITMIME', 'SMTPUTF8'], ['8BITMIME']]) {
    const offered = extensions.includes('SMTPUTF8');
    const peer = await startPeer({ EHLO: ehloOf(extensions) });
    t.after(() => peer.close());
    const routes = [{ domain: '*', hosts: [`127.0.0.1:${peer.port}`], tls: 'none' }];
    const world = await openWorld(t, { settings: { routes } });
    await world.send('beyond@to.test', { from: 'имя@shop.test' });
    await world.send('plain@to.test', { from: 'name@shop.test' });
    await world.ended(2);
    assert.deepEqual(world.story('plain@to.test'), ['delivered 250']);
    assert.deepEqual(world.story('beyond@to.test'), [offered ? 'delivered 250' : 'undelivered refused']);
    const commands = peer.lines.filter((line) => line.startsWith('MAIL FROM')).sort();
    assert.deepEqual(commands, [
      'MAIL FROM:<name@shop.test>',
      ...(offered ? ['MAIL FROM:<имя@shop.test> SMTPUTF8'] : []),
    ]);
    if (offered) continue;
    const { bounce, reply } = world.events().find(({ type }) => type === 'undelivered')!;
    assert.deepEqual([bounce!.class, bounce!.category], ['other', 'protocol']);
    assert.match(reply!.text, /no SMTPUTF8/);
  }
});

test('dkim_missing: refuse keeps mail without a key from leaving, send lets it go unsigned', async (t) => {
  const sink = await receiver(t);
  const sender = (dkim_missing: string): object => ({
    name: 'promo',
    nodes: [{ node: 'n1' }],
    strategies: { default: 'free' },
    dkim_missing,
  });
  const world = await openWorld(t, { sink, settings: { senders: [sender('refuse')] } });
  await world.send('a@to.test');
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), ['undelivered refused']);
  assert.match(world.events().at(-1)!.reply!.text, /no DKIM key for shop\.test and dkim_missing is refuse/);
  assert.equal(sink.stats().messages, 0);
  await world.configure({ senders: [sender('send')] });
  await world.send('b@to.test');
  await world.ended(2);
  assert.equal(sink.stats().messages, 1);
});

test('signed last, over the header as it leaves', async (t) => {
  const key = loadKey(generateKeyPem('ed25519-sha256'), { domain: 'brand.test', selector: 's1' });
  assert.ok(key.ok);
  const sink = await receiver(t);
  const isps = [
    { name: 'big', domains: ['to.test'], headers: { add: { 'X-Class': 'bulk' }, remove: ['X-Old'] } },
  ];
  const world = await openWorld(t, { sink, keys: [key.value], settings: { isps } });
  const text = `X-Old: 1\r\n${HEADER}\r\nHello.\r\n`;
  const override = { fromEmail: 'hi@brand.test', fromName: 'Brand', replyTo: 'r@brand.test' };
  await world.send('a@to.test', { text, override });
  await world.send('b@to.test', { text });
  await world.ended(2);
  const [signed, plain] = ['a@to.test', 'b@to.test'].map((to) =>
    sink.messages.find(({ recipients }) => recipients.includes(to))!.content.toString(),
  );
  assert.match(signed!, /^DKIM-Signature: /);
  assert.match(signed!, /d=brand\.test/);
  assert.match(signed!, /\r\nX-Class: bulk\r\n/);
  assert.match(signed!, /\r\nFrom: Brand <hi@brand\.test>\r\n/);
  assert.doesNotMatch(signed!, /X-Old|news@shop\.test/);
  assert.doesNotMatch(plain!, /DKIM-Signature/, 'there is no key for shop.test');
  assert.equal(world.events().at(-1)!.isp, 'big');
});

test('a campaign with AMP in the encodings of the ISP: three alternatives, signed as they leave', async (t) => {
  const key = loadKey(generateKeyPem('ed25519-sha256'), { domain: 'shop.test', selector: 's1' });
  assert.ok(key.ok);
  const sink = await receiver(t);
  const isps = [
    { name: 'big', domains: ['to.test'], encoding: { text: 'quoted-printable', html: 'base64' } },
  ];
  const world = await openWorld(t, { sink, keys: [key.value], settings: { isps } });
  const parts = {
    from: 'Shop <news@shop.test>',
    subject: 'Grüße {{name}}',
    text: 'Grüße, {{name}}\n',
    amp: '<!doctype html><html ⚡4email><body>{{name}}</body></html>',
    html: '<p>Grüße, {{name}}</p>',
  };
  const composed = composeContent(parts, { hostname: 'mta.test', now: Date.now(), unique: 'u' });
  assert.ok(composed.ok);
  const text = encodeCampaign(composed.value);
  await world.send('a@to.test', { kind: 'campaign', text, vars: { name: 'Zoë <b>' } });
  await world.ended(1);
  const content = sink.messages[0]!.content;
  const read = await simpleParser(content);
  assert.equal(read.subject, 'Grüße Zoë <b>');
  assert.equal(read.text?.trim(), 'Grüße, Zoë <b>');
  assert.equal(String(read.html).trim(), '<p>Grüße, Zoë &lt;b&gt;</p>');
  const raw = content.toString();
  const leaves = [...raw.matchAll(/Content-Type: (text\/[\w-]+);[^]*?Content-Transfer-Encoding: (\S+)/g)];
  assert.deepEqual(
    leaves.map(([, type, encoding]) => `${type} ${encoding}`),
    ['text/plain quoted-printable', 'text/x-amp-html base64', 'text/html base64'],
  );
  const amp = /x-amp-html[^]*?\r\n\r\n([\w+/=\r\n]+?)\r\n--/.exec(raw)![1]!;
  assert.match(Buffer.from(amp, 'base64').toString(), /⚡4email><body>Zoë &lt;b&gt;<\/body>/);
  const verdict = await dkimVerify(content, {
    resolver: () => Promise.resolve([[publicRecord(key.value).text]]),
  });
  assert.equal(verdict.results[0]?.status.result, 'pass');
});

test('a body that is the same for all is hashed once for each form, and every signature holds', async (t) => {
  const key = loadKey(generateKeyPem('ed25519-sha256'), { domain: 'shop.test', selector: 's1' });
  assert.ok(key.ok);
  const sink = await receiver(t);
  const isps = [
    { name: 'big', domains: ['to.test'], encoding: { text: 'base64', html: 'base64' } },
    { name: 'plain', domains: ['plain.test'], encoding: { text: '8bit', html: '8bit' } },
  ];
  const world = await openWorld(t, { sink, keys: [key.value], settings: { isps } });
  const texts = ['Grüße, alle  zusammen\n', 'Grüße, {{name}}\n'];
  for (const [i, html] of texts.entries()) {
    const parts = { from: 'Shop <news@shop.test>', subject: 'For {{name}}', html };
    const composed = composeContent(parts, { hostname: 'mta.test', now: Date.now(), unique: `u${i}` });
    assert.ok(composed.ok);
    const text = encodeCampaign(composed.value);
    const to = ['a@to.test', 'b@plain.test', 'c@other.test', 'd@to.test', 'e@plain.test', 'f@other.test'];
    if (i === 0) await world.send(to, { kind: 'campaign', text, vars: { name: 'all' } });
    else for (const each of to) await world.send(each, { kind: 'campaign', text, vars: { name: each } });
  }
  await world.ended(12);
  const hashes = new Map<string, number>();
  for (const { content } of sink.messages) {
    const verdict = await dkimVerify(content, {
      resolver: () => Promise.resolve([[publicRecord(key.value).text]]),
    });
    assert.equal(verdict.results[0]?.status.result, 'pass', content.toString());
    const hash = /bh=([^;]+);/.exec(content.toString())![1]!;
    hashes.set(hash, (hashes.get(hash) ?? 0) + 1);
  }
  assert.deepEqual([...hashes.values()].toSorted(), [1, 1, 1, 1, 1, 1, 2, 2, 2]);
});

test('the return path is the signed one, the null one stays null', async (t) => {
  const sink = await receiver(t);
  const senders = [
    {
      name: 'promo',
      nodes: [{ node: 'n1' }],
      strategies: { default: 'free' },
      return_path_domain: 'b.shop.test',
    },
  ];
  const world = await openWorld(t, { sink, settings: { senders } });
  await world.send('a@to.test');
  await world.send('b@to.test', { from: '' });
  await world.ended(2);
  const fromOf = (to: string): string =>
    sink.messages.find(({ recipients }) => recipients.includes(to))!.from;
  const tokens = createTokens([{ id: '1', key: Buffer.alloc(32, 7) }]);
  const verified = tokens.verify(fromOf('a@to.test'));
  assert.ok(verified.ok);
  assert.equal(verified.value.deliveryId, world.events()[0]!.delivery_id);
  assert.equal(fromOf('b@to.test'), '');
});

test('lines that begin with a dot arrive as they were', async (t) => {
  const sink = await receiver(t, { capabilities: { chunking: false } });
  const world = await openWorld(t, { sink });
  const text = `${HEADER}\r\n.\r\n..two\r\nend\r\n`;
  await world.send('a@to.test', { text });
  await world.ended(1);
  assert.equal(sink.messages[0]!.content.toString(), text);
});

test('a drop strategy discards without a connection', async (t) => {
  const sink = await receiver(t);
  const strategies = [{ name: 'free', drop: true, concurrent_connections: 2 }];
  const world = await openWorld(t, { sink, settings: { strategies } });
  const recipients = Array.from({ length: 30 }, (_, i) => `r${i}@to.test`);
  await world.send(recipients);
  await world.send('late@to.test');
  await world.ended(31);
  for (const to of [...recipients, 'late@to.test'])
    assert.deepEqual(world.story(to), ['undelivered dropped']);
  assert.equal(world.events().at(-1)!.attempt, 0);
  assert.equal(sink.stats().connections, 0);
});

test('our own fault never bounces: the delivery waits, and it is reported with its stack', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink, faults: true });
  await world.send('b@to.test', { kind: 'campaign', text: 'no campaign at all' });
  await world.send('c@to.test');
  const faults = await world.reported(/a fault of our own; the delivery waits/);
  await world.ended(1);
  await world.stop();
  assert.deepEqual(world.story('b@to.test'), []);
  assert.deepEqual(world.story('c@to.test'), ['delivered 250']);
  for (const { details } of faults) {
    assert.ok(details['error'] instanceof Error && details['delivery_id']);
  }
  assert.equal(world.queue.state.counters.sum().queued, 1);
  assert.ok(wakeAt(world.queue, 'n1', 'to.test') > Date.now() + 50_000);
  assert.equal(world.egress.nodes()[0]!.delivered, 1, 'what was not delivered does not count as such');
});
