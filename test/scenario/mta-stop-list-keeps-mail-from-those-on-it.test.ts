/** The stop list from outside: at injection over both doors, before sending, over the API and from the command line. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../src/cli/program.ts';
import { ends, Mta, ofType } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';
import { createPaper } from '../unit/cli/paper.ts';

async function command(mta: Mta, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const paper = createPaper({ env: { POSTRIDER_SOCKET: mta.socket } });
  const code = await run(['stop-list', ...args], paper);
  return { code, ...paper.printed };
}

const message = (to: readonly string[], more: object = {}): string =>
  JSON.stringify({
    envelope: { from: 'news@shop.test', to },
    parts: { from: 'news@shop.test', subject: 's', text: 't' },
    ...more,
  });

test('at injection a recipient is refused by name, over both doors', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  assert.deepEqual(
    await command(mta, 'add', 'dead@to.test', 'closed.test', '*@trap*.test', '--reason', 'tried'),
    {
      code: 0,
      out: '3 added\n',
      err: '',
    },
  );
  const injected = await mta.api('/v1/messages', {
    body: message(['dead@to.test', 'DEAD@to.test', 'a@trap1.test', 'ok@to.test']),
  });
  const { rejected, deliveries } = injected.body as {
    rejected: { message: string }[];
    deliveries: { recipient: string }[];
  };
  assert.deepEqual(
    deliveries.map(({ recipient }) => recipient),
    ['ok@to.test'],
  );
  assert.deepEqual(
    rejected.map(({ message: text }) => text),
    [
      'the address is on the stop list (operator: tried)',
      'the address is on the stop list (operator: tried)',
      "the address's pattern is on the stop list (operator: tried)",
    ],
  );
  const session = await mta.session();
  const refused = await submit(session, ['any@closed.test', 'fine@to.test'], mail('fine@to.test'));
  const [first, second] = refused.recipients;
  assert.ok(second!.ok && first && !first.ok);
  assert.deepEqual([first.error.reply?.code, first.error.reply?.enhanced], [550, '5.7.1']);
  await session.quit();
  await mta.until((events) => ends(events).length === 2);
  assert.deepEqual(sink.stats().messages, 2);
  await mta.end();
});

test('what was accepted before ends as undelivered before it is sent; an account has a list of its own', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const later = { not_before: '1s', account_id: 'acme' };
  await mta.api('/v1/messages', { body: message(['late@to.test'], later) });
  const added = await mta.api('/v1/stop-list', {
    body: JSON.stringify({
      entries: [
        { address: 'late@to.test', account_id: 'acme', source: 'complaint' },
        { address: 'nonsense' },
        { domain: 'other.test', expires: '30d' },
      ],
    }),
  });
  assert.deepEqual(added.body, {
    added: 2,
    rejected: [
      { index: 1, field: 'address', message: 'is not an address: an address has the form local@domain' },
    ],
  });
  // Over SMTP the account stands in the header, so it comes in and ends with an event.
  const session = await mta.session();
  const taken = await submit(session, 'late@to.test', mail('late@to.test', ['X-Postrider-Account: acme']));
  assert.ok(taken.recipients[0]!.ok);
  await session.quit();
  await mta.api('/v1/messages', { body: message(['late@to.test'], { account_id: 'other' }) });
  await mta.until((events) => ends(events).length === 3);
  const events = await mta.end();
  const stopped = ofType(events, 'undelivered');
  assert.deepEqual(
    stopped.map(({ reason, account_id, attempt }) => ({ reason, account_id, attempt })),
    [
      { reason: 'stop_list', account_id: 'acme', attempt: 0 },
      { reason: 'stop_list', account_id: 'acme', attempt: 0 },
    ],
  );
  assert.equal(sink.stats().messages, 1);
});

test('a CSV file goes in with its bad lines named, comes out, and goes in again', async (t) => {
  const mta = await Mta.start(t);
  const file = join(mta.dir, 'in.csv');
  const lines = Array.from({ length: 5000 }, (_, i) => `u${i}@one.test,,"bounced, twice"`);
  lines[2999] = 'not an address@@';
  lines[3500] = 'a@one.test,,,,yesterday';
  writeFileSync(file, `\ufeffEmail,account_id,reason,source,expires\r\n${lines.join('\r\n')}\r\n`);
  const imported = await command(mta, 'import', file);
  assert.equal(imported.code, 1, imported.err);
  assert.match(
    imported.out,
    /^line 3001: address is not an address.*\nline 3502: expires is neither a time.*\n4998 added, 2 rejected\n$/,
  );
  const out = join(mta.dir, 'out.csv');
  assert.equal((await command(mta, 'export', '-o', out)).code, 0);
  const exported = readFileSync(out, 'utf8').trimEnd().split('\n');
  assert.equal(exported.length, 4999);
  assert.match(exported[1]!, /^u0@one\.test,,import,"bounced, twice",2\d{3}-[^,]+,$/);
  assert.equal((await command(mta, 'export', '-o', out)).code, 2, 'a file is not overwritten');
  const again = await command(mta, 'import', out, '--json');
  assert.deepEqual(JSON.parse(again.out), { added: 4998, rejected: 0, lines: [] });
  assert.match(
    (await command(mta, 'list', '--recipient', 'U7@one.test')).out,
    /u7@one\.test .*import .*bounced, twice/,
  );
  assert.deepEqual(await command(mta, 'remove', 'u7@one.test'), { code: 0, out: '1 removed\n', err: '' });
  assert.equal((await command(mta, 'remove', 'u7@one.test')).code, 1);
  assert.equal((await command(mta, 'list', '--recipient', 'u7@one.test')).code, 1);
  writeFileSync(file, 'a b@@\n');
  assert.deepEqual(await command(mta, 'import', file, '--json'), {
    code: 1,
    out: '{"added":0,"rejected":1,"lines":[{"line":1,"message":"address is not an address: the local part has a character that needs quotes"}]}\n',
    err: '',
  });
  const missing = await command(mta, 'import', join(mta.dir, 'none.csv'));
  assert.deepEqual([missing.code, /none\.csv/.test(missing.err)], [2, true]);
  await mta.end();
});

test('a hard bounce enters by rule, in the transaction of its event', async (t) => {
  const sink = await receiver(t, { unknownUsers: ['gone@*'] });
  const rules = [{ when: { class: 'hard' }, then: { stop_list: true } }];
  const mta = await Mta.start(t, { routes: [routeTo(sink)], rules });
  await mta.api('/v1/messages', { body: message(['Gone@to.test']) });
  await mta.until((events) => ends(events).length === 1);
  assert.match((await command(mta, 'list')).out, /gone@to\.test .*hard_bounce/);
  const again = await mta.api('/v1/messages', { body: message(['gone@to.test']) });
  assert.equal(again.status, 400);
  assert.equal(ofType(await mta.end(), 'hard_bounce').length, 1);
});
