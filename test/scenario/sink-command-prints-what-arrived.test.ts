import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { talkTo } from '../support/talk.ts';

const PROGRAM = `import { sinkCommand } from ${JSON.stringify(new URL('../../src/cli/sink.ts', import.meta.url).href)};
await sinkCommand().parseAsync(process.argv.slice(1), { from: 'user' });`;

interface Running {
  readonly child: ChildProcess;
  readonly port: number;
  /** The lines on standard output after the first, and the exit code, when it has ended. */
  readonly ended: Promise<{ readonly lines: readonly string[]; readonly code: number | null }>;
}

async function started(t: TestContext, ...switches: string[]): Promise<Running> {
  const args = ['--input-type=module', '-e', PROGRAM, '--', '127.0.0.1:0', '--json', ...switches];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const output = createInterface(child.stdout);
  const exit = once(child, 'close') as Promise<[number | null]>;
  const first = new Promise<string>((resolve) => output.once('line', resolve));
  output.on('line', (line) => lines.push(line));
  const { listening } = JSON.parse(await first) as { listening: { port: number }[] };
  const ended = exit.then(([code]) => ({ lines: lines.slice(1), code }));
  return { child, port: listening[0]?.port ?? 0, ended };
}

test('it ends after so many messages, with one line of statistics', async (t) => {
  const { port, ended } = await started(
    t,
    '--exit-after',
    '1',
    '--rule',
    'rcpt x@* = 550 5.1.1 no',
    '--no-chunking',
  );
  const talk = await talkTo(port);
  await talk.expect(/^220 [^\n]*\n/);
  assert.doesNotMatch(await talk.ask('EHLO me\r\n'), /CHUNKING/);
  talk.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<x@d.test>\r\nRCPT TO:<y@d.test>\r\nDATA\r\n.\r\n');
  await talk.expect(/550 5\.1\.1 no\r\n250 [^\n]*\n354 [^\n]*\n250 2\.0\.0 Ok\r\n/);
  const { lines, code } = await ended;
  assert.equal(code, 0);
  assert.equal(lines.length, 1);
  const stats = JSON.parse(lines[0] ?? '') as { messages: number; byReply: object };
  assert.equal(stats.messages, 1);
  assert.deepEqual(stats.byReply, { '550 5.1.1 no': 1, accepted: 1 });
});

test('a signal ends it in order', async (t) => {
  const { child, port, ended } = await started(t, '--tls', 'on');
  const talk = await talkTo(port);
  await talk.expect(/^220 [^\n]*\n/);
  assert.match(await talk.ask('EHLO me\r\n'), /STARTTLS/);
  child.kill('SIGTERM');
  assert.match(await talk.ended(), /^421 4\.3\.2 /);
  const { lines, code } = await ended;
  assert.equal(code, 0);
  assert.equal((JSON.parse(lines[0] ?? '') as { connections: number }).connections, 1);
});
