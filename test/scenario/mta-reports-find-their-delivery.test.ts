/** What comes back to the MX: bounces, complaints, requests to unsubscribe, forgeries, and mail that is none of them. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { run } from '../../src/cli/program.ts';
import { ofType } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';
import { counts, deliver, openWorld, read, stopped, type World } from '../support/report-world.ts';
import { arf, dsn, handOver, plainMail, report, reporter } from '../support/reports.ts';
import { Talk } from '../support/talk.ts';
import { createPaper } from '../unit/cli/paper.ts';

test('a late bounce takes its delivery back, once, and stops mail to a dead address', async (t) => {
  const world = await openWorld(t);
  const { returnPath, delivered } = await deliver(world, 'Dead@to.test');
  await report(world.mx, returnPath.toUpperCase(), dsn({ to: returnPath, recipient: 'other@inner.test' }));
  const [bounce] = ofType(await read(world, 'hard_bounce'), 'hard_bounce');
  assert.deepEqual(
    [
      bounce!.delivery_id,
      bounce!.recipient,
      bounce!.corrects,
      bounce!.reason,
      bounce!.campaign_id,
      bounce!.node,
    ],
    [delivered.delivery_id, 'Dead@to.test', delivered.seq, 'report', 'c1', 'n1'],
  );
  assert.deepEqual(bounce!.reply, {
    enhanced: '5.1.1',
    code: 550,
    text: '550 5.1.1 no such user here',
    phase: 'content',
  });
  assert.equal(bounce!.bounce?.class, 'hard');
  assert.deepEqual(
    [bounce!.report?.kind, bounce!.report?.remote_mta, bounce!.report?.peer],
    ['dsn', 'inner.far.test', '127.0.0.1'],
  );
  assert.equal(await stopped(world, 'dead@to.test'), 'hard_bounce');
  await report(world.mx, returnPath, dsn({ to: returnPath }));
  const full = await deliver(world, 'full@to.test');
  await report(world.mx, full.returnPath, dsn({ to: full.returnPath, action: 'delayed', status: '4.2.2' }));
  await report(
    world.mx,
    full.returnPath,
    dsn({ to: full.returnPath, status: '5.2.2', text: '552 5.2.2 mailbox full' }),
  );
  const [undelivered] = ofType(await read(world, 'undelivered'), 'undelivered');
  assert.deepEqual([undelivered!.recipient, undelivered!.reason], ['full@to.test', 'report']);
  assert.equal(await stopped(world, 'full@to.test'), undefined);
  const { accepted, delivered: kept, hard_bounced, undelivered: failed } = await counts(world);
  assert.deepEqual([accepted, kept, hard_bounced, failed], [2, 0, 1, 1]);
  assert.equal(ofType(await world.mta.end(), 'hard_bounce').length, 1, 'the second report changed nothing');
});

test('a complaint finds its delivery by the header of the mail, although the recipient is hidden', async (t) => {
  const world = await openWorld(t);
  const { header, delivered } = await deliver(world, 'angry@to.test');
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header), 'feedback@far.test');
  const [complaint] = ofType(await read(world, 'complaint'), 'complaint');
  assert.deepEqual(
    [complaint!.delivery_id, complaint!.recipient, complaint!.reason, complaint!.report?.kind],
    [delivered.delivery_id, 'angry@to.test', 'abuse', 'arf/abuse'],
  );
  assert.equal(await stopped(world, 'angry@to.test'), undefined, 'only mail of that account');
  assert.equal(await stopped(world, 'angry@to.test', 'acme'), 'complaint');
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header), 'feedback@far.test');
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header, 'not-spam'));
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header, 'auth-failure'));
  await read(world, 'alert');
  const { delivered: kept } = await counts(world);
  assert.equal(kept, 1);
  assert.equal(ofType(await world.mta.end(), 'complaint').length, 1);
});

test('mail to the address in List-Unsubscribe unsubscribes, whatever it says', async (t) => {
  const world = await openWorld(t);
  const { header, delivered } = await deliver(world, 'done@to.test');
  const address = /<mailto:([^?]*)\?/.exec(header)![1]!;
  await report(world.mx, address, plainMail(address, ['Subject: ']), 'done@to.test');
  const [event] = ofType(await read(world, 'unsubscribe'), 'unsubscribe');
  assert.deepEqual([event!.delivery_id, event!.recipient], [delivered.delivery_id, 'done@to.test']);
  assert.equal(await stopped(world, 'done@to.test', 'acme'), 'unsubscribe');
  await world.mta.end();
});

test('who unsubscribes is the one that asks: the envelope says so, or the sender of a quoted mail', async (t) => {
  const world = await openWorld(t, { forward_to: 'desk@office.test' });
  const footerOf = ({ header }: { header: string }): string =>
    `> To leave: ${/<mailto:([^?]*)\?/.exec(header)![1]!}`;
  const machine = await deliver(world, 'machine@to.test');
  const reader = await deliver(world, 'reader@to.test');
  const asks = await deliver(world, 'anna@far.test');
  const passedOn = await deliver(world, 'bob@to.test');
  const [address] = /u\+\w+@bounce\.test/.exec(footerOf(machine))!;
  const auto = ['Subject: unsubscribe', 'Auto-Submitted: auto-generated'];
  await report(world.mx, address, plainMail(address, auto), 'unsubscribe@far.test');
  const box = 'news@bounce.test';
  const talk = (subject: string, about: { header: string }): Promise<void> =>
    report(world.mx, box, plainMail(box, [`Subject: ${subject}`], footerOf(about)), 'anna@far.test');
  await talk('Re: s', reader); // a reply that quotes the footer
  await talk('unsubscribe', asks);
  await talk('Unsubscribe', passedOn); // the footer of somebody else
  await world.sink.until(({ messages }) => messages >= 6);
  const told = ofType(await read(world, 'unsubscribe', 2), 'unsubscribe');
  assert.deepEqual(told.map(({ recipient }) => recipient).sort(), ['anna@far.test', 'machine@to.test']);
  const forwarded = world.sink.messages.filter(({ recipients }) => recipients.includes('desk@office.test'));
  assert.deepEqual(forwarded.map(({ content }) => /^Subject: (.*)\r$/m.exec(content.toString())![1]).sort(), [
    'Re: s',
    'Unsubscribe',
  ]);
  assert.equal(ofType(await world.mta.end(), 'unsubscribe').length, 2);
});

test('forged, foreign and cut tokens change nothing; what they say is told and kept apart', async (t) => {
  const world = await openWorld(t);
  const { returnPath, delivered } = await deliver(world, 'a@to.test');
  const forged = returnPath.replace(/.@/, (end) => (end === '0@' ? '1@' : '0@'));
  const cut = returnPath.replace(/.....@/, '@');
  const messageId = `${delivered.delivery_id}@mta.test`;
  await report(world.mx, forged, dsn({ to: forged, original: `Message-ID: <${messageId}>\r\nSubject: s` }));
  await report(world.mx, cut, dsn({ to: cut }));
  await report(world.mx, 'postmaster@bounce.test', dsn({ to: 'postmaster@bounce.test' }));
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', 'Subject: nothing'));
  const rejected = ofType(await read(world, 'report_rejected', 4), 'report_rejected');
  assert.deepEqual(rejected.map(({ reason }) => reason).sort(), [
    'bad_token',
    'bad_token',
    'unverified',
    'unverified',
  ]);
  assert.ok(
    rejected.some(({ delivery_id: id }) => id === delivered.delivery_id),
    'the Message-ID points to it',
  );
  assert.ok(rejected.every(({ report: one }) => one?.kept !== undefined));
  await keptApart(world, rejected[0]!.report!.kept!);
  assert.equal(await stopped(world, 'a@to.test'), undefined);
  assert.equal((await counts(world)).delivered, 1);
  await world.mta.end();
});

/** What is in the quarantine, by the commands; then it is removed. */
async function keptApart({ mta }: World, id: string): Promise<void> {
  const command = async (...args: string[]): Promise<string> => {
    const { printed, ...paper } = createPaper({ env: { POSTRIDER_SOCKET: mta.socket } });
    await run(['report', 'quarantine', ...args], paper);
    return printed.out + printed.err;
  };
  assert.match(await command('list'), new RegExp(`^${id} `, 'm'));
  assert.match(await command('show', id), /\r\nSubject: Undelivered Mail Returned to Sender\r\n/);
  const { body } = await mta.api('/v1/status');
  const { inbound } = body as {
    inbound: { quarantined: number; reports: { verdict: string; count: number }[] };
  };
  assert.equal(inbound.quarantined, 4);
  assert.deepEqual(
    inbound.reports.filter(({ verdict }) => verdict === 'bad_token').map(({ count }) => count),
    [2],
  );
  assert.equal(await command('remove', id, '--yes'), 'removed 1\n');
  assert.equal(await command('remove', '--all', '--dry-run'), '3 would be removed\n');
  assert.equal(await command('remove', '--all', '--yes'), 'removed 3\n');
  assert.equal(await command('list'), 'nothing is in the quarantine\n');
}

test('the listener is no relay; limits hold per peer', async (t) => {
  const world = await openWorld(t, {
    max_connections_per_peer: 2,
    rate_per_peer: '2/1h',
    max_message_size: '100KB',
  });
  const session = await reporter(world.mx);
  const send = async (to: string): Promise<string> => {
    const [first] = (await handOver(session, to, plainMail(to, ['Subject: x']), 'x@far.test')).recipients;
    return first!.ok ? 'taken' : `${first!.error.reply?.code} ${first!.error.reply?.enhanced}`;
  };
  assert.equal(await send('victim@elsewhere.test'), '550 5.7.1');
  assert.equal(await send('any@bounce.test'), 'taken');
  assert.equal(await send('any@bounce.test'), '450 4.7.1');
  const raw = new Talk(connect({ ...world.mx, localAddress: '127.0.0.1' }));
  await raw.expect(/^220 [^\r]*\r\n/);
  await raw.ask('EHLO far.test\r\n');
  assert.match(await raw.ask('MAIL FROM:<> SIZE=150000\r\n'), /^552 5\.3\.4 /);
  await assert.rejects(reporter(world.mx), /answered the greeting with 421/);
  assert.match(await raw.ask('QUIT\r\n'), /^221/);
  await session.quit();
  await world.mta.end();
});

test('behind a load balancer limits are those of each client, and who tells none has no session', async (t) => {
  const world = await openWorld(t, { proxy_protocol_from: ['127.0.0.0/8'], max_connections_per_peer: 1 });
  const answer = async (header: string): Promise<string> => {
    const talk = new Talk(connect({ ...world.mx, localAddress: '127.0.0.1' }));
    talk.send(header);
    return talk.expect(/^\d[^\r]*\r\n/);
  };
  const client = (address: string): string => `PROXY TCP4 ${address} 127.0.0.1 4711 25\r\n`;
  assert.match(await answer(client('203.0.113.9')), /^220 /);
  assert.match(await answer(client('203.0.113.9')), /^421 4\.7\.0 Too many sessions from your address/);
  assert.match(await answer(client('203.0.113.10')), /^220 /);
  assert.match(await answer('EHLO far.test\r\n'), /^421 4\.3\.0 /);
  await world.mta.end();
});

test('other mail is forwarded, marked, with a reverse-path of ours; automatic replies and loops are not', async (t) => {
  const world = await openWorld(t, { forward_to: 'desk@office.test' });
  const fields = ['Subject: question', 'X-Postrider-Sender: nobody', 'Message-ID: <q1@far.test>'];
  await report(world.mx, 'news@bounce.test', plainMail('news@bounce.test', fields), 'anna@far.test');
  await report(
    world.mx,
    'x@bounce.test',
    plainMail('x@bounce.test', ['Subject: Out of office', 'Auto-Submitted: auto-replied']),
  );
  await report(
    world.mx,
    'x@bounce.test',
    plainMail('x@bounce.test', ['Subject: again', 'Postrider-Forwarded: by x']),
    'a@far.test',
  );
  await world.sink.until(({ messages }) => messages >= 1);
  const [rejected] = ofType(await read(world, 'report_rejected'), 'report_rejected');
  assert.equal(rejected!.reason, 'loop');
  const { from, recipients, content } = world.sink.messages[0]!;
  assert.match(from, /^b\+\w{35}@bounce\.test$/);
  assert.deepEqual(recipients, ['desk@office.test']);
  const text = content.toString();
  assert.match(text, /\r\nFrom: Anna <anna@far\.test>\r\n/);
  assert.match(text, /Postrider-Forwarded: by mta\.test\r\n/);
  assert.doesNotMatch(text, /X-Postrider-Sender/);
  assert.equal(ofType(await world.mta.end(), 'accepted').length, 1);
});

test('mail to ourselves that is refused puts nobody on the stop list: what is forwarded, and copies', async (t) => {
  const refusing = await receiver(t, { unknownUsers: ['*@gone.test'] });
  const more = { routes: [routeTo(refusing)] };
  const world = await openWorld(t, { forward_to: 'desk@gone.test' }, more);
  await report(world.mx, 'a@bounce.test', plainMail('a@bounce.test', ['Subject: a']), 'anna@far.test');
  await world.mta.api('/v1/messages', {
    body: JSON.stringify({
      envelope: { from: 'news@shop.test', to: ['reader@gone.test'] },
      parts: { from: 'news@shop.test', subject: 's', text: 't' },
      copies: [{ to: 'watcher@gone.test' }],
    }),
  });
  const bounced = ofType(await read(world, 'hard_bounce', 3), 'hard_bounce');
  assert.deepEqual(bounced.map(({ recipient }) => recipient).sort(), [
    'desk@gone.test',
    'reader@gone.test',
    'watcher@gone.test',
  ]);
  assert.equal(await stopped(world, 'reader@gone.test'), 'hard_bounce');
  assert.equal(await stopped(world, 'desk@gone.test'), undefined);
  assert.equal(await stopped(world, 'watcher@gone.test'), undefined);
  await world.mta.end();
});

test('a late bounce of what was forwarded, and a complaint about it, do not end forwarding', async (t) => {
  const world = await openWorld(t, { forward_to: 'desk@office.test' });
  const ask = (): Promise<void> =>
    report(world.mx, 'a@bounce.test', plainMail('a@bounce.test', ['Subject: a']), 'anna@far.test');
  await ask();
  await world.mta.settled(1);
  const [{ from, content }] = world.sink.messages as [(typeof world.sink.messages)[0]];
  const header = content.toString().split('\r\n\r\n')[0]!;
  await report(world.mx, from, dsn({ to: from, recipient: 'desk@office.test' }));
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header));
  await read(world, 'hard_bounce');
  await read(world, 'complaint');
  assert.equal(await stopped(world, 'desk@office.test'), undefined);
  await ask();
  await world.sink.until(({ messages }) => messages >= 2);
  await world.mta.end();
});
