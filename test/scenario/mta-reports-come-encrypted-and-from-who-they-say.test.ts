/**
 * The MX offers STARTTLS and takes reports over it; with `check_reporter: require` only reporters that DKIM or SPF prove
 * have an effect, and what was found out is told either way. The DNS is one of our own.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { signMessageSync } from '../../src/mta/dkim/index.ts';
import type { ZoneEntry } from '../../src/testbed/index.ts';
import { ofType, type Settings } from '../support/mta.ts';
import { dns } from '../support/mta-world.ts';
import { counts, deliver, openWorld, read, stopped, type World } from '../support/report-world.ts';
import { dsn, report } from '../support/reports.ts';
import { Talk } from '../support/talk.ts';
import { makeKeys } from '../unit/dkim/odd-messages.ts';

const keys = makeKeys();
const TLS = join(import.meta.dirname, '../support/tls');

const ZONES: Record<string, ZoneEntry> = {
  ...Object.fromEntries([...keys.records].map(([name, text]) => [name, { TXT: [text] }])),
  'good.test': { TXT: ['v=spf1 ip4:127.0.0.0/8 -all'] },
  'bad.test': { TXT: ['v=spf1 ip4:192.0.2.1 -all'] },
};

async function openChecked(t: TestContext, mx: Settings): Promise<World> {
  const { stub } = await dns(t, ZONES);
  const settings = { servers: [stub.address], timeout: '500ms', allow_loopback_mx: true };
  return openWorld(t, mx, { dns: settings });
}

const signed = (content: Buffer): Buffer =>
  Buffer.concat([signMessageSync(content, [keys.rsa], { now: Date.now() }), content]);

test('a report may come over STARTTLS', async (t) => {
  const tls = { cert_file: join(TLS, 'cert.pem'), key_file: join(TLS, 'key.pem') };
  const world = await openWorld(t, { tls });
  const { returnPath } = await deliver(world, 'a@to.test');
  const talk = new Talk(connect({ ...world.mx, localAddress: '127.0.0.1' }));
  await talk.expect(/^220 [^\r]*\r\n/);
  assert.match(await talk.ask('EHLO far.test\r\n'), /^250[- ]STARTTLS\r$/m);
  assert.match(await talk.ask('STARTTLS\r\n'), /^220 /);
  await talk.startTls();
  assert.doesNotMatch(await talk.ask('EHLO far.test\r\n'), /STARTTLS/);
  assert.match(await talk.ask('MAIL FROM:<>\r\n'), /^250 /);
  assert.match(await talk.ask(`RCPT TO:<${returnPath}>\r\n`), /^250 /);
  assert.match(await talk.ask('DATA\r\n'), /^354 /);
  assert.match(await talk.ask(`${dsn({ to: returnPath }).toString()}.\r\n`), /^250 2\.0\.0 taken as /);
  assert.match(await talk.ask('QUIT\r\n'), /^221 /);
  const [bounce] = ofType(await read(world, 'hard_bounce'), 'hard_bounce');
  assert.equal(bounce!.recipient, 'a@to.test');
  await world.mta.end();
});

test('where a proof is required, a reporter without one changes nothing', async (t) => {
  const world = await openChecked(t, { check_reporter: 'require' });
  const bySignature = await deliver(world, 'signature@to.test');
  const bySpf = await deliver(world, 'spf@to.test');
  const unproved = await deliver(world, 'unproved@to.test');
  const changed = await deliver(world, 'changed@to.test');
  const about = ({ returnPath: to }: { returnPath: string }): Buffer => dsn({ to });
  await report(world.mx, bySignature.returnPath, signed(about(bySignature)), 'x@bad.test');
  await report(world.mx, bySpf.returnPath, about(bySpf), 'x@good.test');
  await report(world.mx, unproved.returnPath, about(unproved), 'x@bad.test');
  const altered = Buffer.from(
    signed(about(changed)).toString('latin1').replace('It could', 'IT could'),
    'latin1',
  );
  await report(world.mx, changed.returnPath, altered, 'x@bad.test');
  await read(world, 'report_rejected', 2);
  const events = await read(world, 'hard_bounce', 2);
  const proofs: unknown = Object.fromEntries(
    ofType(events, 'hard_bounce').map(({ recipient, report: one }) => [recipient, [one?.dkim, one?.spf]]),
  );
  assert.deepEqual(proofs, { 'signature@to.test': ['pass', 'fail'], 'spf@to.test': ['none', 'pass'] });
  const rejected = ofType(await read(world, 'report_rejected', 2), 'report_rejected');
  assert.deepEqual(rejected.map(({ reason, report: one }) => [reason, one?.dkim, one?.spf]).sort(), [
    // A body that was changed: mailauth calls it neutral.
    ['unauthenticated', 'neutral', 'fail'],
    ['unauthenticated', 'none', 'fail'],
  ]);
  for (const to of ['unproved@to.test', 'changed@to.test']) assert.equal(await stopped(world, to), undefined);
  assert.equal(await stopped(world, 'spf@to.test'), 'hard_bounce');
  assert.equal((await counts(world)).delivered, 2);
  await world.mta.end();
});

test('by default what was found out is told, and counts all the same', async (t) => {
  const world = await openChecked(t, {});
  const { returnPath } = await deliver(world, 'a@to.test');
  await report(world.mx, returnPath, dsn({ to: returnPath }), 'x@bad.test');
  const [bounce] = ofType(await read(world, 'hard_bounce'), 'hard_bounce');
  assert.deepEqual([bounce!.report?.dkim, bounce!.report?.spf], ['none', 'fail']);
  await world.mta.end();
});
