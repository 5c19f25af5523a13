/** Mail that breaks its worker is set aside, alone: it is told, kept within bounds, and the rest is read. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Classifier } from '../../../src/bounce/index.ts';
import { createTokens } from '../../../src/fbl/index.ts';
import { InboundReader, ParsePool } from '../../../src/mta/inbound/index.ts';
import { configured } from '../egress/configured.ts';
import { events, openDesk } from '../ingress/fixture.ts';

const worker = new URL('./poisoned-worker.ts', import.meta.url);

function openPool(t: TestContext): { pool: ParsePool; restarts: () => number } {
  let restarts = 0;
  const limits = { timeoutMs: 2_000, maxHeapMb: 24 };
  const settings = { checkReporter: false, dnsServers: [], worker, onRestart: () => void restarts++ };
  const pool = new ParsePool({ ...settings, ...limits });
  t.after(() => pool.close());
  return { pool, restarts: () => restarts };
}

const task = (text: string): Parameters<ParsePool['read']>[0] => ({
  raw: Buffer.from(text),
  peer: '192.0.2.1',
  helo: 'far.test',
  from: '',
});

for (const [poison, reason, ended] of [
  ['die', /./, 2],
  ['fill', /memory/, 2],
  ['hang', /^it takes too long to read$/, 2],
  ['throw', /^a fault of the parser$/, 0],
] as const)
  test(`a mail that makes its worker ${poison} is blamed alone`, async (t) => {
    const { pool, restarts } = openPool(t);
    const texts = ['good', 'good', poison, 'good', 'good', 'good'];
    const results = await Promise.all(texts.map((text) => pool.read(task(text))));
    assert.deepEqual(
      results.map(({ ok }) => ok),
      texts.map((text) => text === 'good'),
    );
    const [bad] = results.filter((result) => !result.ok);
    assert.match(bad!.error, reason);
    assert.equal(restarts(), ended, 'one of the crowd, one alone; a fault that is caught ends none');
    assert.ok((await pool.read(task('good'))).ok, 'the pool goes on');
  });

test('what broke a worker is told and kept, the oldest making room; other mail is read', async (t) => {
  const { queue, injector, clock, ...desk } = await openDesk();
  const { pool } = openPool(t);
  const { mx } = configured({ mx: { quarantine_size: '2KB' } });
  const classifier = new Classifier({});
  const read: string[] = [];
  const reader = new InboundReader({
    queue,
    pool,
    injector,
    clock,
    tokens: createTokens([{ id: '1', key: Buffer.alloc(32, 1) }]),
    hostname: 'mta.test',
    mx: () => mx,
    historyRetentionMs: () => 7 * 86_400_000,
    classifier: () => classifier,
    sender: () => undefined,
    onRead: (kind, verdict) => void read.push(`${kind}: ${verdict}`),
    report: () => undefined,
  });
  const poison = (name: string, bytes = 1_000): string => `die ${name}`.padEnd(bytes, '.');
  const mails = [poison('a'), 'good', poison('b'), poison('huge', 3_000), 'good', poison('c')];
  for (const text of mails) {
    const raw = Buffer.from(text);
    const { from, peer, helo } = task(text);
    const mail = { from, peer, helo, to: ['any@bounce.test'], at: clock.now(), bytes: raw.length };
    await queue.inbox.store(queue.nextNumber(), mail, raw);
  }
  reader.poke();
  while (queue.inbox.waiting.mails > 0) await turn();
  await reader.stop();
  assert.deepEqual(read.sort(), [
    ...Array<string>(2).fill('auto_reply: auto_reply'),
    ...Array<string>(4).fill('unreadable: unreadable'),
  ]);
  const told = events({ queue, injector, clock, ...desk }).filter(({ type }) => type === 'report_rejected');
  assert.deepEqual(
    told.map(({ reason }) => reason),
    Array<string>(4).fill('unreadable'),
  );
  const { inbox } = queue;
  const [b, c] = inbox.quarantined(10);
  const rawOf = (id: string): string => String(inbox.quarantinedMail(id)?.raw);
  assert.deepEqual([rawOf(b!.id), rawOf(c!.id)], [poison('b'), poison('c')]);
  assert.deepEqual(inbox.quarantined(10, b!.id), [c]);
  assert.deepEqual(inbox.kept, { mails: 2, bytes: 2_000 });
  assert.equal(await inbox.removeQuarantined([b!.id, b!.id, 'zzzzzzzzzzz']), 1);
  assert.equal(inbox.quarantinedMail(b!.id), undefined);
  assert.deepEqual(inbox.kept, { mails: 1, bytes: 1_000 });
  assert.equal(await inbox.removeQuarantined(), 1);
  assert.deepEqual([inbox.kept, inbox.quarantined(10)], [{ mails: 0, bytes: 0 }, []]);
});
