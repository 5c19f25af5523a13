/** The signed header fields of feedback: token, List-Unsubscribe and one click, covered by DKIM; nothing without them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTokens } from '../../src/fbl/index.ts';
import { generateKeyPem, loadKey, publicRecord } from '../../src/mta/dkim/index.ts';
import { mailauth } from '../support/mta-verifiers.ts';
import { openWorld, receiver } from '../unit/egress/sending-world.ts';

const HEADER = 'From: Shop <news@shop.test>\r\nTo: you\r\nSubject: s\r\n';
const sender = (more: object): object => ({
  name: 'promo',
  nodes: [{ node: 'n1' }],
  strategies: { default: 'free' },
  ...more,
});
const url = 'https://u.shop.test/out?t={token}';

test('token and List-Unsubscribe are on top of the message and signed', async (t) => {
  const key = loadKey(generateKeyPem('ed25519-sha256'), { domain: 'shop.test', selector: 's1' });
  assert.ok(key.ok);
  const sink = await receiver(t);
  const senders = [sender({ return_path_domain: 'b.shop.test', list_unsubscribe: { mailto: true, url } })];
  const world = await openWorld(t, { sink, keys: [key.value], settings: { senders } });
  await world.send('a@to.test', { text: `${HEADER}\r\n.Hello.\r\n` });
  await world.send('own@to.test', {
    text: `${HEADER}List-Unsubscribe: <mailto:out@shop.test>\r\n\r\nHello.\r\n`,
  });
  await world.ended(2);
  const content = (to: string): Buffer =>
    sink.messages.find(({ recipients }) => recipients.includes(to))!.content;
  const [text, own] = [content('a@to.test').toString(), content('own@to.test').toString()];
  const id = world.events().find(({ recipient }) => recipient === 'a@to.test')!.delivery_id;
  const tokens = createTokens([{ id: '1', key: Buffer.alloc(32, 7) }]);
  const found = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? assert.fail(`${pattern} in ${text}`);
  for (const [pattern, use] of [
    [/\r\nPostrider-Delivery: (h\+[^\r]*)\r\n/, 'header'],
    [/\r\nList-Unsubscribe: <mailto:(u\+[^?]*)\?subject=unsubscribe>,\r\n <https:/, 'unsubscribe'],
    [/ <https:\/\/u\.shop\.test\/out\?t=(\w+)>\r\n/, 'url'],
  ] as const)
    assert.deepEqual(tokens.verify(found(pattern)), { ok: true, value: { deliveryId: id, keyId: '1', use } });
  assert.match(text, /\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n/);
  assert.match(
    found(/;\s+h=([^;]*);/).replaceAll(/\s/g, ''),
    /list-unsubscribe-post:list-unsubscribe:postrider-delivery/,
  );
  const records = new Map([[publicRecord(key.value).name, publicRecord(key.value).text]]);
  assert.deepEqual(await mailauth(content('a@to.test'), records), ['pass']);
  assert.equal(own.match(/List-Unsubscribe/g)?.length, 1, 'a list that names its own way out keeps it');
});

test('without a signature there is no one-click field, and without the wish there is nothing', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink, settings: { senders: [sender({ list_unsubscribe: { url } })] } });
  await world.send('a@to.test', { text: `${HEADER}\r\nHello.\r\n` });
  await world.ended(1);
  await world.configure({ senders: [sender({})] });
  await world.send('b@to.test', { text: `${HEADER}\r\nHello.\r\n` });
  await world.ended(2);
  const [with_, without] = sink.messages.map(({ content }) => content.toString());
  assert.match(with_!, /^List-Unsubscribe: <https:\/\/u\.shop\.test\/out\?t=\w{35}>\r\nFrom: /);
  assert.equal(without, `${HEADER}\r\nHello.\r\n`);
});
