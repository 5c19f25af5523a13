/** A client that goes away in DATA, in BDAT or in a batch: what was not acknowledged as a whole is not sent. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { batch, eventually, FROM, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const HALF = `From: <${FROM}>\r\nTo: <half@to.test>\r\n\r\nThis is the first ha`;

const CUTS: readonly (readonly [string, readonly string[]])[] = [
  ['in DATA', ['DATA\r\n', HALF]],
  ['in DATA, just before the last dot', ['DATA\r\n', `${HALF}lf.\r\n`]],
  ['in BDAT', [`BDAT 5000 LAST\r\n${HALF}`]],
  ['between two chunks', [`BDAT ${HALF.length}\r\n${HALF}`]],
];

describe('a client that disconnects', () => {
  for (const [name, steps] of CUTS)
    for (const how of ['with FIN', 'with RST'] as const)
      test(`${name}, ${how}`, async (t) => {
        const sink = await receiver(t);
        const mta = await Mta.start(t, { routes: [routeTo(sink)] });
        const talk = await mta.talk();
        await talk.expect(/220 .*\r\n/);
        await talk.ask('EHLO app.test\r\n');
        await talk.ask(`MAIL FROM:<${FROM}>\r\n`);
        await talk.ask('RCPT TO:<half@to.test>\r\n');
        for (const [i, step] of steps.entries())
          if (i === steps.length - 1) talk.send(step);
          else await talk.ask(step);
        if (how === 'with FIN') talk.socket.end();
        else talk.socket.resetAndDestroy();
        await once(talk.socket, 'close');
        const session = await mta.session();
        assert.ok((await submit(session, 'whole@to.test', mail('whole@to.test'))).recipients[0]?.ok);
        await session.quit();
        await mta.settled(1);
        const accepted = ofType(await mta.end(), 'accepted').map(({ recipient }) => recipient);
        assert.deepEqual(accepted, ['whole@to.test']);
        assert.equal(sink.stats().messages, 1);
      });
});

test('a batch whose connection breaks ends at its committed lines, each sent once', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const lines = batch(3000);
  const half = lines.slice(0, Math.floor(lines.length / 2));
  const socket = connect(mta.socket);
  await once(socket, 'connect');
  socket.write(
    `POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${lines.length}\r\n\r\n${half}`,
  );
  await eventually(async () => (await mta.status()).counters.accepted >= 500, '500 lines are committed');
  socket.destroy();
  await eventually(async () => (await mta.status()).queue.total === 0, 'all of it is sent');
  const events = await mta.end();
  const recipients = ofType(events, 'accepted').map(({ recipient }) => recipient!);
  const whole = half.split('\n').length - 2;
  assert.ok(recipients.length >= 500 && recipients.length <= whole, `${recipients.length} of ${whole}`);
  assert.equal(ofType(events, 'delivered').length, recipients.length);
  assert.deepEqual([sink.stats().recipients, sink.stats().duplicates], [recipients.length, 0]);
});
