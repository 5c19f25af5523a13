/** The reports over the journal: equal causes add up whatever their numbers, by group and time, in every form. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import type { BounceReport } from '../../src/api/index.ts';
import { run } from '../../src/cli/program.ts';
import { Mta } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';
import { noTerminal, PYTHON } from '../support/terminal.ts';
import { createPaper } from '../unit/cli/paper.ts';

/** The cells of the first sheet as text, read by a program that knows nothing of the library that wrote them. */
const cellsOf = (file: string): string[][] =>
  JSON.parse(
    execFileSync(PYTHON, [join(import.meta.dirname, '../support/xlsx-cells.py'), file], {
      encoding: 'utf8',
    }),
  ) as string[][];

test('bounces and undelivered by group, as JSON, table, CSV and spreadsheet', async (t) => {
  const refuse = (recipient: string, code: number, enhanced: string, text: string): object => ({
    phase: 'rcpt',
    recipient,
    action: { code, enhanced, text },
  });
  const sink = await receiver(t, {
    rules: [
      refuse('a1@*', 550, '5.1.1', 'a1@to.test does not exist, case 11'),
      refuse('a2@*', 550, '5.1.1', 'a2@to.test does not exist, case 22'),
      refuse('b@*', 554, '5.7.1', 'Not from you'),
    ] as never,
  });
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const body = JSON.stringify({
    envelope: { from: 'news@shop.test', to: ['a1@to.test', 'a2@to.test', 'b@to.test', 'ok@to.test'] },
    parts: { from: 'news@shop.test', subject: 's', text: 't' },
    campaign_id: 'c1',
  });
  await mta.api('/v1/messages', { body });
  await mta.settled(4);
  const get = async (path: string): Promise<BounceReport> =>
    (await mta.api(`/v1/reports/${path}`)).body as BounceReport;
  const bounces = await get('bounces?from=1h&group_by=campaign,class,reply');
  assert.equal(bounces.rows.length, 1);
  assert.deepEqual(
    [bounces.rows[0]!.count, bounces.rows[0]!.late, bounces.rows[0]!.group.campaign],
    [2, 0, 'c1'],
  );
  assert.match(bounces.rows[0]!.group.reply!, /^550 5\.1\.1 <address> does not exist, case #$/);
  const undelivered = await get('undelivered?group_by=reason');
  assert.deepEqual(
    undelivered.rows.map(({ group, count }) => [group.reason, count]),
    [['refused', 1]],
  );
  assert.equal((await get('bounces?to=2020-01-01T00:00:00Z')).events, 0);
  assert.equal((await get('bounces?from=2090-01-01T00:00:00Z')).events, 0);
  assert.equal((await mta.api('/v1/reports/bounces?group_by=nonsense')).status, 400);

  const command = async (...args: string[]): Promise<{ code: number; out: string }> => {
    const paper = createPaper({ env: { POSTRIDER_SOCKET: mta.socket } });
    return { code: await run(['report', ...args], paper), out: paper.printed.out };
  };
  assert.match((await command('bounces', '--by', 'node,class')).out, /^node +class +count.*\nn1 +hard +2 /);
  assert.match(
    (await command('undelivered', '--format', 'csv', '--by', 'reason')).out,
    /^reason,count,late,first,last\nrefused,1,0,/,
  );
  const file = join(mta.dir, 'out.xlsx');
  assert.equal((await command('bounces', '--format', 'xlsx', '-o', file)).code, 0);
  const { out: csv } = await command('bounces', '--format', 'csv');
  const written = parse(csv);
  assert.equal(written.length, 2, csv);
  if (noTerminal) t.diagnostic(`the spreadsheet was not read: ${noTerminal}`);
  else assert.deepEqual(cellsOf(file), written);
  assert.equal((await command('bounces', '--format', 'xlsx')).code, 2);
  await mta.end();
});
