/** The logs of a run with bounces, a reload, a crash and a restart: nobody is named, and the delivery log has each event once. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { Mta } from '../support/mta.ts';
import { eventually, FROM, receiver, routeTo } from '../support/mta-world.ts';

const WORD = 'lavender';
const mail = (from: number, count: number): string =>
  [
    { from: FROM, parts: { from: FROM, subject: `${WORD} subject`, text: `${WORD} body` } },
    ...Array.from({ length: count }, (_, i) => ({
      to: `person${from + i}@to.test`,
      metadata: { customer: WORD },
    })),
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');

for (const recipients of [false, true])
  test(`log.recipients: ${recipients}`, { timeout: 120_000 }, async (t) => {
    const reply = (code: number, text: string): object => ({ action: { code, enhanced: undefined, text } });
    const sink = await receiver(t, {
      rules: [
        { phase: 'rcpt', recipient: 'person1@*', ...reply(550, 'person1@to.test is unknown') },
        { phase: 'rcpt', recipient: 'person2@*', ...reply(451, 'person2@to.test later') },
        { phase: 'content', recipient: 'person3@*', action: 'disconnect' },
        { phase: 'rcpt', recipient: 'person4@*', ...reply(451, 'rate limited: too many to person4@to.test') },
      ] as never,
    });
    const log = { level: 'info', recipients, deliveries: { file: 'deliveries.log' } };
    const mta = await Mta.start(t, { routes: [routeTo(sink)], log });
    const file = join(mta.dir, 'deliveries.log');
    const logged = (): Event[] =>
      existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as Event)
        : [];
    const send = async (from: number): Promise<void> => {
      const body = mail(from, 10);
      await mta.api('/v1/batches', { type: 'application/x-ndjson', body });
      await mta.until((events) => events.filter(({ reply: said }) => said !== undefined).length >= from + 9);
    };
    await send(0);
    await eventually(() => logged().length >= 20, 'the delivery log is written');
    let text = mta.stderr;
    await mta.kill('SIGKILL');
    await mta.start();
    await send(10);
    assert.equal((await mta.api('/v1/config/reload', { body: '{}' })).status, 200);
    const events = await mta.end();
    text += mta.stderr;
    assert.deepEqual(
      logged().map(({ seq, type, delivery_id: id }) => [seq, type, id]),
      events.filter(({ delivery_id: id }) => id).map(({ seq, type, delivery_id: id }) => [seq, type, id]),
    );
    assert.ok(!text.includes(WORD), 'content in the log');
    assert.ok(
      !/person\d/.test(text),
      text.split('\n').find((line) => /person\d/.test(line)),
    );
    const deliveries = readFileSync(file, 'utf8');
    assert.equal(/person\d/.test(deliveries), recipients);
    assert.equal(deliveries.includes(WORD), recipients, 'metadata');
    assert.ok(!deliveries.includes(`${WORD} body`));
    const levels = new Set(mta.log.map(({ level }) => level));
    assert.ok([...levels].every((level) => level >= 30));
  });
