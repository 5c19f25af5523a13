import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Labels } from '../../../src/mta/ingress/index.ts';
import { wakeAt as wakeAtOf } from '../../support/queues.ts';
import {
  events,
  injected,
  mail,
  openDesk,
  ORIGIN,
  refusal,
  refusedBy,
  request,
  stored,
  storedContent,
  taken,
} from './fixture.ts';

const HOUR = 3_600_000;

describe('recipients', () => {
  test('bad addresses are named, the others are committed together', async () => {
    const desk = await openDesk();
    const to = ['a@one.test', 'no address', 'b@two.test', 'c@[127.0.0.1]'];
    const { messageId, deliveries, rejected } = await injected(desk, { to });
    assert.deepEqual(deliveries, [
      { id: `${messageId}.1`, recipient: 'a@one.test' },
      { id: `${messageId}.2`, recipient: 'b@two.test' },
    ]);
    assert.deepEqual(
      rejected.map(({ recipient }) => recipient),
      ['no address', 'c@[127.0.0.1]'],
    );
    assert.ok(rejected.every(({ text }) => text !== ''));
    assert.deepEqual(
      events(desk).map(({ type, recipient }) => `${type} ${recipient}`),
      ['accepted a@one.test', 'accepted b@two.test'],
    );
    assert.equal(desk.kv.commits, 2, 'the store was made, then one commit');
  });

  test('all are bad: nothing is stored', async () => {
    const { kind, field, code, enhanced } = await refusal(await openDesk(), { to: ['x', 'y@'] });
    assert.deepEqual([kind, field, code, enhanced], ['invalid', 'to', 550, '5.1.3']);
  });

  test('none at all', async () => {
    const { field, code } = await refusal(await openDesk(), { to: [] });
    assert.deepEqual([field, code], ['to', 550]);
  });

  test('one that is named twice gets one delivery; the domain knows no case, the local part does', async () => {
    const to = [
      'a@one.test',
      'a@ONE.test',
      'a@one.test',
      'A@one.test',
      'ä@one.test',
      'b@bücher.test',
      'b@xn--bcher-kva.test',
    ];
    const { deliveries } = await injected(await openDesk(), { to });
    assert.deepEqual(
      deliveries.map(({ recipient }) => recipient),
      ['a@one.test', 'A@one.test', 'ä@one.test', 'b@xn--bcher-kva.test'],
    );
  });

  test('5,000 are too many for one message: 452, so that a client sends the rest again', async () => {
    const to = Array.from({ length: 5_000 }, (_, i) => `r${i}@one.test`);
    const { kind, field, code, enhanced, text } = await refusal(await openDesk(), { to });
    assert.deepEqual([kind, field, code, enhanced], ['invalid', 'to', 452, '4.5.3']);
    assert.match(text, /5000 recipients, the limit is 1000/);
    const { deliveries } = await injected(await openDesk(), { to: to.slice(0, 1_000) });
    assert.equal(deliveries.length, 1_000);
  });
});

describe('the reverse-path', () => {
  test('the null one is taken, a bad one refused', async () => {
    const desk = await openDesk();
    const { messageId } = await injected(desk, { from: '' });
    assert.equal(stored(desk, messageId).message.from, '');
    const { field, code, enhanced } = await refusal(await openDesk(), { from: 'no address' });
    assert.deepEqual([field, code, enhanced], ['from', 550, '5.1.7']);
  });

  test('is stored with the A-label of its domain, as the command has it', async () => {
    const desk = await openDesk();
    for (const [from, as] of [
      ['имя@Bücher.test', 'имя@xn--bcher-kva.test'],
      ['Name@a.test', 'Name@a.test'],
    ] as const) {
      const { messageId } = await injected(desk, { from });
      assert.equal(stored(desk, messageId).message.from, as);
      const { content: _, ...facts } = request({ from });
      const parts = { from: 'a@a.test', subject: 's', text: 't' };
      const composed = await desk.injector.compose({ ...facts, parts });
      assert.ok(composed.ok, JSON.stringify(composed));
      assert.equal(stored(desk, composed.value.messageId).message.from, as);
      const batch = await desk.injector.openBatch({ ...facts, content: parts });
      assert.ok(batch.ok, JSON.stringify(batch));
      await batch.value.add([{ line: 2, to: 'x@one.test' }]);
      await batch.value.close();
      assert.equal(stored(desk, batch.value.messageId).message.from, as);
    }
  });
});

describe('routing', () => {
  test('by the only virtual sender, with its split and override', async () => {
    const desk = await openDesk();
    const senders: string[] = [];
    for (let i = 0; i < 4; i++) {
      const { messageId } = await injected(desk, { labels: {} });
      const { record, message } = stored(desk, messageId);
      assert.equal(message.virtualSender, 'main');
      assert.deepEqual(record.override, record.sender === 'news' ? { fromName: 'News' } : undefined);
      senders.push(record.sender);
    }
    assert.deepEqual(senders.sort(), ['news', 'news', 'promo', 'promo']);
  });

  test('an unknown sender in a header is the caller’s fault, with the nearest name', async () => {
    const content = mail(['X-Postrider-Sender: prom']);
    const { kind, field, code, text } = await refusal(await openDesk(), { content, labels: {} });
    assert.deepEqual([kind, field, code], ['invalid', 'sender', 550]);
    assert.match(text, /did you mean "promo"/);
  });

  test('names that the caller may not use', async () => {
    const origin = { ...ORIGIN, allowedSenders: ['news'] };
    assert.match((await refusal(await openDesk(), { origin })).text, /may not use/);
    const desk = await openDesk();
    const { messageId } = await injected(desk, { origin, labels: {} });
    const { record, message } = stored(desk, messageId);
    assert.deepEqual([record.sender, message.virtualSender], ['news', undefined]);
  });

  test('a sender by name has no virtual sender in its events', async () => {
    const desk = await openDesk();
    await injected(desk, { labels: { sender: 'promo' } });
    assert.equal(events(desk)[0]!.virtual_sender, undefined);
    await injected(desk, { labels: { virtualSender: 'main' } });
    assert.equal(events(desk)[1]!.virtual_sender, 'main');
  });
});

describe('labels', () => {
  const FIELDS = [
    'X-Postrider-Campaign: c1',
    'X-Postrider-Account: a1',
    'X-Postrider-Group: g1',
    'X-Postrider-Band: priority',
    'X-Postrider-Metadata: {"order": 7}',
    'X-Postrider-Sender: promo',
  ];

  test('travel in headers, which do not leave', async () => {
    const desk = await openDesk();
    const { messageId } = await injected(desk, { content: mail(FIELDS), labels: {} });
    const { message, record } = stored(desk, messageId);
    const { campaignId, accountId, group, band, metadata } = message;
    assert.deepEqual(
      [campaignId, accountId, group, band, metadata],
      ['c1', 'a1', 'g1', 'priority', { order: 7 }],
    );
    assert.equal(record.sender, 'promo');
    assert.doesNotMatch(storedContent(desk, messageId), /postrider/i);
  });

  test('a test send is one by its header, too', async () => {
    const desk = await openDesk();
    const content = mail(['X-Postrider-Campaign: c1', 'X-Postrider-Test: true']);
    const { messageId } = await injected(desk, { content, labels: {} });
    const { campaignId, test: isTest, testOf } = stored(desk, messageId).message;
    assert.deepEqual([campaignId, isTest, testOf], ['(test)', true, 'c1']);
    assert.doesNotMatch(storedContent(desk, messageId), /postrider/i);
  });

  test('those of the request win, one by one', async () => {
    const desk = await openDesk();
    const labels: Labels = { campaignId: 'c2', band: undefined, group: 'g2' };
    const { messageId } = await injected(desk, { content: mail(FIELDS), labels });
    const { campaignId, accountId, group, band } = stored(desk, messageId).message;
    assert.deepEqual([campaignId, accountId, group, band], ['c2', 'a1', 'g2', 'priority']);
  });

  test('a sender of the request wins over a virtual sender in a header, and the other way round', async () => {
    const desk = await openDesk();
    const bySender = await injected(desk, {
      content: mail(['X-Postrider-Virtual-Sender: main']),
      labels: { sender: 'news' },
    });
    assert.equal(stored(desk, bySender.messageId).record.sender, 'news');
    assert.equal(stored(desk, bySender.messageId).message.virtualSender, undefined);
    const byVirtual = await injected(desk, { content: mail(FIELDS), labels: { virtualSender: 'main' } });
    assert.equal(stored(desk, byVirtual.messageId).message.virtualSender, 'main');
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['X-Postrider-Test: yes', /X-Postrider-Test must be true, or not there/],
    ['X-Postrider-Band: fast', /X-Postrider-Band must be one of priority, geo, standard/],
    ['X-Postrider-Not-Before: tomorrow', /X-Postrider-Not-Before must be a time such as/],
    ['X-Postrider-Deadline: 2026-13-45', /X-Postrider-Deadline must be/],
    [
      'X-Postrider-Deadline: 2h',
      /^X-Postrider-Deadline: a deadline belongs to the band geo, and .* standard/,
    ],
    ['X-Postrider-Expires: -2h', /X-Postrider-Expires must be/],
    ['X-Postrider-Metadata: {oops', /X-Postrider-Metadata must be a JSON object/],
    ['X-Postrider-Metadata: [1]', /X-Postrider-Metadata must be a JSON object/],
    [`X-Postrider-Campaign: ${'x'.repeat(300)}`, /X-Postrider-Campaign must be at most \d+ printable/],
    ['X-Postrider-Colour: red', /X-Postrider-Colour is not a field of this version/],
  ];
  for (const [field, message] of wrong) {
    test(`refused, with the name of the field: ${field.slice(0, 40)}`, async () => {
      const { kind, code, text, ...refused } = await refusal(await openDesk(), { content: mail([field]) });
      assert.deepEqual([kind, code], ['invalid', 550]);
      assert.match(text, message);
      assert.match(refused.field!, /^X-Postrider-/);
    });
  }
});

describe('times', () => {
  test('the lifetime counts from the time the mail may leave', async () => {
    const desk = await openDesk();
    const now = desk.clock.now();
    const { messageId } = await injected(desk, { labels: { sender: 'promo', notBefore: now + 5 * HOUR } });
    const { wakeAt, expiresAt } = stored(desk, messageId).record;
    assert.deepEqual([wakeAt - now, expiresAt - now], [5 * HOUR, 7 * HOUR]);
    assert.equal(wakeAtOf(desk.queue, 'n1', 'one.test'), now + 5 * HOUR);
  });

  test('expires goes before the sender’s lifetime; a time that is over means now', async () => {
    const desk = await openDesk();
    const now = desk.clock.now();
    const labels = { sender: 'promo', notBefore: now - HOUR, expires: now + 60_000 };
    const { record } = stored(desk, (await injected(desk, { labels })).messageId);
    assert.deepEqual([record.wakeAt - now, record.expiresAt - now], [0, 60_000]);
  });

  test('as durations in headers', async () => {
    const desk = await openDesk();
    const content = mail(['X-Postrider-Not-Before: 30m', 'X-Postrider-Expires: 90m']);
    const { wakeAt, expiresAt } = stored(desk, (await injected(desk, { content })).messageId).record;
    assert.deepEqual(
      [wakeAt, expiresAt].map((at) => at - desk.clock.now()),
      [HOUR / 2, 1.5 * HOUR],
    );
  });
});

describe('the message', () => {
  test('Bcc and Return-Path go; Received, Date and Message-ID come', async () => {
    const desk = await openDesk();
    const content = mail(['Bcc: secret@one.test', 'Return-Path: <x@y.test>']);
    const { messageId } = await injected(desk, { content });
    const text = storedContent(desk, messageId);
    assert.doesNotMatch(text, /secret|return-path/i);
    assert.match(text, /^Received: from app\.test \(\[127\.0\.0\.9\]\)\r\n\tby mta\.test with ESMTP id /);
    assert.ok(text.includes(`\r\nMessage-ID: <${messageId}@mta.test>\r\n`));
    assert.match(text, /\r\nDate: Thu, 01 Jan 2026 /);
    assert.ok(text.endsWith('\r\n\r\nHello.\r\n'));
  });

  test('what is there already stays', async () => {
    const desk = await openDesk();
    const own = ['Message-ID: <own@shop.test>', 'Date: Mon, 1 Jan 2024 00:00:00 +0000'];
    const text = storedContent(desk, (await injected(desk, { content: mail(own) })).messageId);
    assert.equal(text.match(/^Message-ID: /gm)!.length, 1);
    assert.ok(text.includes(own.join('\r\n')));
  });

  test('too large, without From, with a NUL: refused in the words of SMTP', async () => {
    const small = await openDesk({ smtp: { max_message_size: '1KB' } });
    const large = await refusal(small, { content: mail([], 'x'.repeat(1_000)) });
    assert.deepEqual([large.field, large.code, large.enhanced], ['content', 552, '5.3.4']);
    const noFrom = await refusal(await openDesk(), { content: Buffer.from('Subject: s\r\n\r\nx\r\n') });
    assert.deepEqual([noFrom.field, noFrom.code], ['content', 554]);
    assert.equal((await refusal(await openDesk(), { content: mail([], 'x\0') })).code, 554);
  });

  test('facts that the sending side needs', async () => {
    const desk = await openDesk();
    const { messageId } = await injected(desk, { content: mail([], 'Grüße\r\n.dot\r\n') });
    const { eightBit, dotLine, smtpUtf8, fromAddress, fromDomain, kind } = stored(desk, messageId).message;
    assert.deepEqual([eightBit, dotLine, smtpUtf8, kind], [true, true, false, 'raw']);
    assert.deepEqual([fromAddress, fromDomain], ['news@shop.test', 'shop.test']);
  });
});

describe('the store', () => {
  test('a failure is `unavailable`: 452, told to the operator, and a second try is good', async () => {
    const desk = await openDesk();
    desk.kv.failures = 1;
    const { kind, code, enhanced } = refusedBy(desk, await desk.injector.inject(request()));
    assert.deepEqual([kind, code, enhanced], ['unavailable', 452, '4.3.1']);
    assert.match(String(desk.errors[0]), /the disk is full/);
    assert.equal((await injected(desk)).deliveries.length, 1);
    assert.equal(events(desk).length, 1);
  });
});

describe('compose', () => {
  const parts = { from: 'Shop <news@shop.test>', subject: 'Grüße', text: 'Hallo', html: '<p>Hallo</p>' };

  test('makes a message of parts', async () => {
    const desk = await openDesk();
    const { content: _, ...rest } = request({ to: ['a@one.test', 'a@one.test', 'bad'], labels: {} });
    const done = taken(desk, await desk.injector.compose({ ...rest, parts }));
    assert.deepEqual([done.deliveries.length, done.rejected.length], [1, 1]);
    const { message } = stored(desk, done.messageId);
    assert.deepEqual(
      [message.kind, message.virtualSender, message.fromDomain, message.from],
      ['campaign', 'main', 'shop.test', 'bounce@shop.test'],
    );
  });

  test('a variable is empty, gets the default, or refuses the message and is named', async () => {
    const desk = await openDesk();
    const { content: _, ...rest } = request();
    const dear = { ...parts, text: 'Dear {{name}},' };
    const compose = (more: object): ReturnType<typeof desk.injector.compose> =>
      desk.injector.compose({ ...rest, parts: dear, ...more });
    const refused = refusedBy(desk, await compose({ missing: 'refuse' }));
    assert.deepEqual([refused.kind, refused.field], ['invalid', 'defaults.name']);
    assert.match(refused.text, /missing, and there is no default/);
    for (const more of [{}, { missing: 'empty' }, { missing: 'refuse', defaults: { name: 'reader' } }])
      assert.equal(taken(desk, await compose(more)).deliveries.length, 1, JSON.stringify(more));
    const { messageId } = taken(desk, await compose({ defaults: { name: 'reader' } }));
    assert.match(storedContent(desk, messageId), /reader/);
  });

  test('names the part that is wrong', async () => {
    const desk = await openDesk();
    const { content: _, ...rest } = request();
    const noFrom = refusedBy(desk, await desk.injector.compose({ ...rest, parts: { ...parts, from: 'x' } }));
    assert.deepEqual([noFrom.kind, noFrom.field, noFrom.code], ['invalid', 'parts.from', 550]);
    const small = await openDesk({ smtp: { max_message_size: '1KB' } });
    const large = await small.injector.compose({ ...rest, parts: { ...parts, text: 'x'.repeat(2_000) } });
    assert.equal(refusedBy(small, large).code, 552);
  });
});
