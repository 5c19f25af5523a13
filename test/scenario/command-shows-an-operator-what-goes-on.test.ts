/** The commands that an operator has in front of him, on a terminal and into a pipe, against the running program. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { MAIN, Mta } from '../support/mta.ts';
import { batch, receiver, routeTo } from '../support/mta-world.ts';
import { noTerminal, onTerminal } from '../support/terminal.ts';

const piped = (...args: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { ...process.env, NODE_OPTIONS: '' } },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });

test(
  'status, top, watch and the history of a recipient',
  { skip: noTerminal, timeout: 120_000 },
  async (t) => {
    const greylisted = { code: 451, enhanced: '4.7.1', text: 'Greylisted' };
    const sink = await receiver(t, { rules: [{ phase: 'rcpt', recipient: 'r1@*', action: greylisted }] });
    const mta = await Mta.start(t, { routes: [routeTo(sink)] });
    await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(3) });
    await mta.until((events) => events.filter(({ reply }) => reply !== undefined).length >= 3);
    const where = ['-c', mta.configFile];

    const status = await piped('status', ...where);
    assert.equal(status.code, 0, status.err);
    assert.match(status.out, /^sending {5}2 delivered, 1 put off, 0 bounced in the last /m);
    assert.ok(!status.out.includes('\x1b'), 'no colours in a pipe');

    const history = await piped('message', 'list', '--recipient', 'r1@to.test', ...where);
    assert.equal(history.code, 0, history.err);
    assert.match(
      history.out,
      /^r1@to\.test .* retry\n.*accepted for sender shop.*\n.*451 4\.7\.1 Greylisted/m,
    );
    const table = await piped('message', 'list', '--state', 'delivered', ...where);
    assert.equal(table.out.trim().split('\n').length, 3);
    const nobody = await piped('message', 'list', '--recipient', 'nobody@to.test', ...where);
    assert.equal(nobody.code, 1);
    assert.match(nobody.out, /none is queued or in the history/);

    const frame = await piped('top', ...where);
    assert.equal(frame.code, 0, frame.err);
    assert.match(frame.out, /^n1 +other +1 +(-|\d+\S+) +1 +0 /m);
    assert.ok(!frame.out.includes('\x1b'));
    const json = JSON.parse((await piped('top', '--json', ...where)).out) as {
      queue: { totals: { total: number } };
    };
    assert.equal(json.queue.totals.total, 1);
    const alerts = await piped('events', '--type', 'alert', ...where);
    assert.match(alerts.err, /none among the last 20 events: --after 0/);
    const nothing = await piped('queue', 'purge', ...where);
    assert.equal(nothing.code, 2);
    assert.match(nothing.err, /nothing is selected: .*--campaign.* or --all/);
    const unasked = await piped('queue', 'purge', '--all', ...where);
    assert.equal(unasked.code, 2);
    assert.match(unasked.err, /purge 1 deliveries\? .*add --yes/);
    const wrong = await piped('status', '--watch', '0', ...where);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /seconds from 0\.2/);

    // On a terminal: the other screen, colours, no line longer than it, and the terminal as it was after Ctrl-C.
    const drawn = await onTerminal(['top', '--every', '0.2', ...where], {
      columns: 60,
      rows: 12,
      until: '\x1b[J\x1b[H',
    });
    assert.equal(drawn.code, 0, drawn.text);
    assert.ok(drawn.text.startsWith('\x1b[?1049h'), JSON.stringify(drawn.text.slice(0, 40)));
    assert.ok(drawn.text.includes('\x1b[?25h\x1b[?1049l'), 'the terminal is given back');
    assert.ok(drawn.text.includes('\x1b[32mready'), 'colours');
    const lines = drawn.text.replaceAll(/\x1b\[[?\d]*[a-zA-Z]/g, '\n').split(/[\r\n]+/);
    assert.ok(
      lines.every((line) => line.length <= 60),
      lines.find((line) => line.length > 60),
    );
    const plain = await onTerminal(['status', '-w', '0.2', ...where], {
      until: '\x1b[J\x1b[H',
      env: { NO_COLOR: '1' },
    });
    assert.equal(plain.code, 0, plain.text);
    assert.ok(!/\x1b\[\d+m/.test(plain.text), 'NO_COLOR');
    await mta.end();
  },
);

test('without a server the answer is no, and says what to do', async (t) => {
  const mta = await Mta.prepare(t);
  for (const command of [['status'], ['top'], ['queue', 'list'], ['message', 'list']]) {
    const { code, err } = await piped(...command, '-c', mta.configFile);
    assert.equal(code, 1, command.join(' '));
    assert.match(err, /is it running|no server|start it/i, err);
  }
});
