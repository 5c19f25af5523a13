/** The client against Postfix's smtp-sink, which was written by others and misbehaves on request. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { DEFAULT_TIMEOUTS, openSession, type ClientSession } from '../../src/mta/smtp/client/index.ts';
import { message, outcomes, refusalIn } from '../support/client-session.ts';

const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`;
const isMissing = spawnSync('smtp-sink', ['-?'], { env: { PATH } }).error !== undefined;
const canSkip = isMissing && process.env['CI'] === undefined;
const skip = canSkip ? 'smtp-sink is not installed (Debian: postfix)' : false;

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isListening(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  const listening = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return listening;
}

interface Sink {
  readonly port: number;
  /** What was received, with the headers that the sink adds. */
  readonly dumps: () => readonly string[];
}

async function startSink(t: TestContext, switches: readonly string[] = []): Promise<Sink> {
  const directory = mkdtempSync(join(tmpdir(), 'smtp-sink-'));
  chmodSync(directory, 0o777);
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const port = await freePort();
  const args = [...user, '-R', directory, '-d', 'dump.', ...switches, `127.0.0.1:${port}`, '100'];
  const sink: ChildProcess = spawn('smtp-sink', args, { env: { PATH }, stdio: 'ignore', cwd: directory });
  const exited = once(sink, 'exit');
  t.after(async () => {
    sink.kill();
    await exited;
    rmSync(directory, { recursive: true });
  });
  while (!(await isListening(port))) assert.equal(sink.exitCode, null, 'smtp-sink has ended');
  const dumps = () => readdirSync(directory).map((file) => readFileSync(join(directory, file), 'latin1'));
  return { port, dumps };
}

async function sessionTo(sink: Sink, t: TestContext): Promise<ClientSession> {
  const opened = await openSession({
    host: 'sink.test',
    address: '127.0.0.1',
    port: sink.port,
    localAddress: '127.0.0.1',
    heloName: 'node.test',
    tls: 'may',
    timeouts: DEFAULT_TIMEOUTS,
  });
  assert.ok(opened.ok);
  t.after(() => opened.value.destroy());
  return opened.value;
}

describe('against smtp-sink', { skip }, () => {
  for (const [name, switches, pipelining] of [
    ['with PIPELINING', [], true],
    ['without PIPELINING', ['-p'], false],
    ['with HELO only', ['-e'], false],
  ] as const) {
    test(`messages arrive ${name}`, async (t) => {
      const sink = await startSink(t, switches);
      const session = await sessionTo(sink, t);
      assert.equal(session.facts.capabilities.pipelining, pipelining);
      for (const word of ['alpha', 'beta']) {
        const text = `Subject: ${word}\r\n\r\n.dot\r\n..\r\n.\r\n${word} is the end\r\n`;
        const recipients = ['a@to.test', 'b@to.test'];
        assert.deepEqual(outcomes(await session.send(message(text, { recipients }))), [250, 250]);
      }
      await session.quit();
      const dumps = sink.dumps().join('');
      for (const words of ['alpha is the end', 'beta is the end', 'b@to.test'])
        assert.ok(dumps.includes(words));
    });
  }

  for (const [command, phase, scope] of [
    ['MAIL', 'mail', 'message'],
    ['RCPT', 'rcpt', 'recipient'],
    ['DATA', 'data', 'message'],
    ['.', 'content', 'message'],
  ] as const) {
    test(`a hard refusal of ${command} is permanent, a soft one is not`, async (t) => {
      for (const [flag, permanent] of [
        ['-f', true],
        ['-r', false],
      ] as const) {
        const session = await sessionTo(await startSink(t, [flag, command]), t);
        const refusal = refusalIn(await session.send(message('x\r\n')));
        assert.deepEqual([refusal.phase, refusal.scope, refusal.permanent], [phase, scope, permanent]);
      }
    });

    test(`a disconnect at ${command} is transient`, async (t) => {
      const session = await sessionTo(await startSink(t, ['-q', command]), t);
      const result = await session.send(message('x\r\n'));
      const refusal = refusalIn(result);
      assert.deepEqual([refusal.scope, refusal.permanent, result.reusable], ['session', false, false]);
      assert.equal(refusal.possiblyDelivered ?? false, command === '.');
    });
  }
});
