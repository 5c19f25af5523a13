/**
 * Signed return paths at the running server: keys are replaced while bounces still come, and a token that is old, made
 * up, cut, moved to another delivery or domain, or sent again changes nothing.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Event } from '../../src/core/index.ts';
import { ofType } from '../support/mta.ts';
import { counts, deliver, openWorld, read, stopped, verdicts, type World } from '../support/report-world.ts';
import { arf, dsn, report } from '../support/reports.ts';

const bounce = (world: World, to: string): Promise<void> => report(world.mx, to, dsn({ to }));
const reasons = (events: readonly Event[]): string[] =>
  ofType(events, 'report_rejected').map(({ reason }) => String(reason));

test('a new key signs, the old one still verifies, and nothing of it once it is removed', async (t) => {
  const secret = (world: World): string => join(world.mta.dir, 'data', 'secret');
  const world = await openWorld(t);
  const first = await deliver(world, 'first@to.test');
  const late = await deliver(world, 'late@to.test');
  await world.mta.kill('SIGTERM');
  const old = readFileSync(secret(world), 'utf8').trim();
  writeFileSync(secret(world), `${'5a'.repeat(32)}\n${old}\n`);
  await world.mta.start();
  const second = await deliver(world, 'second@to.test');
  for (const { returnPath } of [first, second]) await bounce(world, returnPath);
  const told = ofType(await read(world, 'hard_bounce', 2), 'hard_bounce').map(({ recipient }) => recipient);
  assert.deepEqual(told.sort(), ['first@to.test', 'second@to.test']);
  await world.mta.kill('SIGTERM');
  writeFileSync(secret(world), `${'5a'.repeat(32)}\n`);
  await world.mta.start();
  const third = await deliver(world, 'third@to.test');
  await bounce(world, late.returnPath);
  await bounce(world, third.returnPath);
  const events = await read(world, 'hard_bounce', 3);
  assert.deepEqual(reasons(await read(world, 'report_rejected')), ['bad_token']);
  assert.equal(ofType(events, 'hard_bounce')[2]!.recipient, 'third@to.test');
  assert.equal(await stopped(world, 'late@to.test'), undefined);
  await world.mta.end();
});

test('when the history of a delivery is over, its bounces are told and change nothing', async (t) => {
  const world = await openWorld(t, {}, { history_retention: '1ms' });
  const { returnPath, header, delivered } = await deliver(world, 'a@to.test');
  await bounce(world, returnPath);
  const [rejected] = ofType(await read(world, 'report_rejected'), 'report_rejected');
  assert.deepEqual([rejected!.reason, rejected!.delivery_id], ['history_over', delivered.delivery_id]);
  assert.equal(await stopped(world, 'a@to.test'), undefined);
  assert.equal((await counts(world)).delivered, 1);
  await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header));
  const [complaint] = ofType(await read(world, 'complaint'), 'complaint');
  assert.equal(complaint!.delivery_id, delivered.delivery_id, 'a complaint obliges all the same');
  await world.mta.end();
});

test('a token cannot be made up, cut, or moved to another delivery or domain', async (t) => {
  const world = await openWorld(t, { domains: ['bounce.test', 'other.test'] });
  const one = await deliver(world, 'one@to.test');
  const two = await deliver(world, 'two@to.test');
  const [ours, theirs] = [one.returnPath, two.returnPath];
  // Key id, 11 of the message, 7 of the recipient, 16 of the signature.
  const signature = (address: string): string => address.slice(2 + 19, 2 + 35);
  const bad = [
    ours.replace(signature(ours), signature(theirs)),
    ours.replace(signature(ours), '0'.repeat(16)),
    ours.replace('@bounce.test', '@other.test'),
    ours.replace(/^b/, 'u'),
    ours.replace(/^b/, 'h'),
    ...[1, 8, 16, 20, 34].map((cut) => ours.replace(new RegExp(`.{${cut}}@`), '@')),
    ours.replace('@', '0@'),
  ];
  for (const to of bad) await bounce(world, to);
  const told = reasons(await read(world, 'report_rejected', bad.length));
  assert.deepEqual(
    told,
    bad.map(() => 'bad_token'),
  );
  assert.equal((await counts(world)).delivered, 2);
  for (const to of ['one@to.test', 'two@to.test']) assert.equal(await stopped(world, to), undefined);
  assert.equal(ofType(await world.mta.end(), 'hard_bounce').length, 0);
});

test('a report that comes again counts once, each kind for itself', async (t) => {
  const world = await openWorld(t);
  const { returnPath, header } = await deliver(world, 'a@to.test');
  const { returnPath: last } = await deliver(world, 'last@to.test');
  for (let i = 0; i < 5; i++) await bounce(world, returnPath);
  for (let i = 0; i < 5; i++) await report(world.mx, 'fbl@bounce.test', arf('fbl@bounce.test', header));
  await bounce(world, last);
  await read(world, 'hard_bounce', 2);
  await verdicts(world, 'duplicate', 8);
  const { accepted, delivered, hard_bounced } = await counts(world);
  assert.deepEqual([accepted, delivered, hard_bounced], [2, 0, 2]);
  assert.equal(ofType(await world.mta.end(), 'complaint').length, 1);
});

test('a report without a token is kept apart, with a hint whose mail it may be, and stops nobody', async (t) => {
  const world = await openWorld(t);
  const feedbackId = 'c1:acme:news:shop';
  const { delivered } = await deliver(world, 'a@to.test', { 'Feedback-ID': feedbackId });
  await deliver(world, 'b@to.test');
  const about = (fields: string, recipient: string): Promise<void> =>
    report(world.mx, 'fbl@bounce.test', dsn({ to: 'fbl@bounce.test', recipient, original: fields }));
  await about(`Subject: s\r\nMessage-ID: <${delivered.delivery_id}@mta.test>`, 'x@inner.test');
  await read(world, 'report_rejected', 1);
  await about(`Subject: s\r\nFeedback-ID: ${feedbackId}`, 'A@to.test');
  const hints = ofType(await read(world, 'report_rejected', 2), 'report_rejected');
  assert.deepEqual(
    hints.map(({ reason, delivery_id: id }) => [reason, id]),
    hints.map(() => ['unverified', delivered.delivery_id]),
  );
  for (const { report: one } of hints) assert.ok(one?.kept !== undefined);
  await about('Subject: s', 'nobody@to.test');
  const [, , unknown] = ofType(await read(world, 'report_rejected', 3), 'report_rejected');
  assert.equal(unknown!.delivery_id, undefined);
  for (const to of ['a@to.test', 'b@to.test', 'nobody@to.test'])
    for (const account of ['', 'acme']) assert.equal(await stopped(world, to, account), undefined);
  assert.equal((await counts(world)).delivered, 2);
  assert.equal(ofType(await world.mta.end(), 'hard_bounce').length, 0);
});

test('what a report says is read as words of the ISP of the recipient', async (t) => {
  const world = await openWorld(t, {}, { isps: [{ name: 'yandex', domains: ['ya.test'] }] });
  const text = '550 5.7.1 Policy rejection on the target address';
  for (const to of ['a@ya.test', 'a@to.test']) {
    const { returnPath } = await deliver(world, to);
    await report(world.mx, returnPath, dsn({ to: returnPath, status: '5.7.1', text }));
  }
  const told = ofType(await read(world, 'undelivered', 2), 'undelivered');
  assert.deepEqual(
    // Reports are read side by side, so either may be the first.
    told.map(({ recipient, bounce: found }) => [recipient, found?.category]).sort(),
    [
      ['a@to.test', 'policy'],
      ['a@ya.test', 'inactive_mailbox'],
    ],
  );
  await world.mta.end();
});
