import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
import { type Fixture, MESSAGE, startControl, until } from '../unit/api/control-fixture.ts';
import { createPaper } from '../unit/cli/paper.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `postrider ARGS` in this process, towards the server of the fixture. */
async function postrider(args: readonly string[], io: Partial<Pick<Io, 'env' | 'stdin'>> = {}): Promise<Ran> {
  const paper = createPaper(io);
  const code = await run(args, paper);
  return { code, ...paper.printed };
}
const at = ({ path }: Pick<Fixture, 'path'>): Pick<Io, 'env'> => ({ env: { POSTRIDER_SOCKET: path } });

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pr-cli-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

const CONFIG = `
hostname: mta1.a.test
nodes: [{ name: n1, address: 127.0.0.1, hostname: n1.a.test }]
senders: [{ name: main, nodes: [{ node: n1, weight: 1 }] }]
`;

describe('commands', () => {
  test('status; exit code 1 when it is not ready', async (t) => {
    const control = await startControl(t);
    const ready = await postrider(['status'], at(control));
    assert.equal(ready.code, 0);
    assert.match(ready.out, /postrider 1\.2\.3 on mta1\.a\.test: ready/);
    control.state.ready = false;
    const not = await postrider(['status', '--json'], at(control));
    assert.equal(not.code, 1);
    assert.deepEqual((JSON.parse(not.out) as { not_ready: string[] }).not_ready, ['node n1 is down']);
  });

  test('inject, message show, queue list, node list, events tell one story', async (t) => {
    const control = await startControl(t);
    const file = join(await temporary(t), 'hi.eml');
    await writeFile(file, MESSAGE.content);
    const to = [
      '--from',
      'a@a.test',
      '--to',
      'u1@gmail.com',
      'nobody',
      '--campaign',
      'c9',
      '--sender',
      'main',
    ];
    const injected = await postrider(['inject', file, ...to], at(control));
    assert.equal(injected.code, 1, 'one recipient was rejected');
    assert.match(injected.out, /rejected {2}nobody: an address has the form/);
    const id = /accepted as (\S+)/.exec(injected.out)![1]!;

    const shown = await postrider(['message', 'show', id], at(control));
    assert.equal(shown.code, 0);
    assert.match(shown.out, new RegExp(`^message ${id}\n.*campaign c9`, 's'));
    const one = await postrider(['message', 'show', `${id}.1`, '--json'], at(control));
    assert.equal((JSON.parse(one.out) as { recipient: string }).recipient, 'u1@gmail.com');

    const queue = await postrider(['queue', 'list', '--by', 'campaign,domain'], at(control));
    assert.match(queue.out, /^campaign +domain +new.*\nc9 +gmail\.com +1 +0 +0 +0 +1 +.*\n/);
    assert.match((await postrider(['node', 'list'], at(control))).out, /n1 +192\.0\.2\.10/);
    const speeds = await postrider(['node', 'list', '--isp', 'gmail', '--node', 'n1'], at(control));
    assert.match(
      speeds.out,
      /^main +gmail +n1 +60:60 +60 +3600 +86400 +10000\n\nn1 towards gmail: warm-up new$/m,
    );
    const events = await postrider(['events', '--campaign', 'c9'], at(control));
    assert.match(events.out, /^1 .* accepted +u1@gmail\.com .*c9\n$/);
    const json = await postrider(['events', '--json'], at(control));
    assert.equal((JSON.parse(json.out) as { seq: number }).seq, 1);
  });

  test('a message from standard input', async (t) => {
    const control = await startControl(t);
    async function* stdin(): AsyncGenerator<Buffer> {
      yield Buffer.from(await Promise.resolve('Subject: hi\n'));
      yield Buffer.from([0x0a, 0xff, 0x0a]);
    }
    const args = ['inject', '-', '--from', '', '--to', 'u1@gmail.com', '--json'];
    const injected = await postrider(args, { ...at(control), stdin });
    assert.equal(injected.code, 0, injected.err);
    const [request] = control.injector.requests as { content?: Buffer }[];
    assert.deepEqual(
      request!.content,
      Buffer.concat([Buffer.from('Subject: hi\n\n'), Buffer.from([0xff, 0x0a])]),
    );
  });

  test('node lift lifts one lock by its id; an unknown one is exit code 1', async (t) => {
    const control = await startControl(t);
    const lifted = await postrider(['node', 'lift', 'known'], at(control));
    assert.deepEqual([lifted.code, lifted.out], [0, 'lock known lifted\n']);
    const unknown = await postrider(['node', 'lift', 'a/b'], at(control));
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /there is no lock a\/b/);
    assert.deepEqual(control.egress.asked, [
      ['lift', 'known'],
      ['lift', 'a/b'],
    ]);
  });

  test('events --follow goes on until it is interrupted', async (t) => {
    const control = await startControl(t);
    const paper = createPaper(at(control));
    const running = run(['events', '--follow'], paper);
    await control.post('/v1/messages', MESSAGE);
    await until(() => paper.printed.out.includes('accepted'), 'the event is printed');
    paper.stop.abort();
    assert.equal(await running, 0);
    assert.equal(paper.printed.err, '');
  });

  test('events --follow says so when the server ends it', async (t) => {
    const control = await startControl(t);
    const paper = createPaper(at(control));
    await control.post('/v1/messages', MESSAGE);
    const running = run(['events', '--follow'], paper);
    await until(() => paper.printed.out.includes('accepted'), 'the event is printed');
    await control.server.close();
    assert.equal(await running, 1);
    assert.equal(paper.printed.err, 'the server ended the stream\n');
  });

  test('reload prints what changed; with errors all of them, and exit code 2', async (t) => {
    const control = await startControl(t);
    const good = await postrider(['reload'], at(control));
    assert.equal(good.out, 'reloaded, changed:\n  nodes[n1]\n  workers  after a restart\n');
    control.state.reload = { ok: false, error: ['mta.yaml:1:1 a: wrong', 'mta.yaml:2:1 b: wrong'] };
    const bad = await postrider(['reload'], at(control));
    assert.equal(bad.code, 2);
    assert.match(
      bad.err,
      /^mta\.yaml:1:1 a: wrong\nmta\.yaml:2:1 b: wrong\nerror: the configuration has 2 errors/,
    );
  });

  test('what is not there is 1, what is asked wrongly is 2', async (t) => {
    const control = await startControl(t);
    assert.equal((await postrider(['message', 'show', '0123456789a'], at(control))).code, 1);
    const malformed = await postrider(['message', 'show', 'x'], at(control));
    assert.equal(malformed.code, 2);
    assert.match(malformed.err, /^error: id: is not a message id/);
    const group = await postrider(['queue', 'list', '--by', 'nod', '--json'], at(control));
    assert.equal(group.code, 2);
    assert.match(group.out, /did you mean \\"node\\"/);
    assert.equal((await postrider(['events', '--type', 'x'], at(control))).code, 2);
    const args = ['inject', '/none', '--from', '', '--to', 'u@a.test'];
    assert.match((await postrider(args, at(control))).err, /\/none cannot be read/);
  });

  test('usage errors are 2, help and version are 0', async () => {
    for (const args of [
      [],
      ['statu'],
      ['status', '--bogus'],
      ['queue'],
      ['inject', 'x'],
      ['message', 'show'],
    ]) {
      const { code, err } = await postrider(args);
      assert.equal(code, 2, args.join(' '));
      assert.notEqual(err, '', args.join(' '));
    }
    assert.match((await postrider(['statu'])).err, /Did you mean status\?/);
    const help = await postrider(['--help']);
    assert.equal(help.code, 0);
    for (const name of [
      'serve',
      'check-config',
      'status',
      'queue',
      'message',
      'events',
      'node',
      'reload',
      'inject',
      'sink',
      'source',
    ])
      assert.match(help.out, new RegExp(`^  ${name}\\b`, 'm'));
    assert.match((await postrider(['--version'])).out, /^\d+\.\d+\.\d+/);
  });
});

describe('finding the server', () => {
  test('the configuration names the socket, also while it has errors', async (t) => {
    const control = await startControl(t);
    const file = join(await temporary(t), 'mta.yaml');
    await writeFile(file, `${CONFIG}control: { socket: ${control.path} }\n`);
    assert.equal((await postrider(['status', '-c', file])).code, 0);
    await writeFile(file, `nonsense: 1\ncontrol: { socket: ${control.path} }\n`);
    assert.equal((await postrider(['status', '-c', file])).code, 0);
    assert.equal((await postrider(['status', '--socket', control.path, '-c', '/none'])).code, 0);
    const absent = await postrider(['status', '-c', '/none']);
    assert.equal(absent.code, 2);
    assert.match(absent.err, /^error: \/none: .*no such file.*name the control socket with --socket$/m);
  });

  test('nobody there is explained', async (t) => {
    const path = join(await temporary(t), 'none.sock');
    const file = join(await temporary(t), 'mta.yaml');
    await writeFile(file, `${CONFIG}control: { socket: ${path} }\n`);
    const { code, err } = await postrider(['status', '-c', file]);
    assert.equal(code, 1);
    const start = `is it running? start it with postrider serve -c ${file}`;
    assert.equal(err, `error: no postrider answers on ${path}: ${start}\n`);
    const json = await postrider(['events', '--socket', path, '--json']);
    assert.equal(json.code, 1);
    assert.match(json.out, /"code": "ENOENT"/);
  });
});

describe('check-config', () => {
  test('counts what is there, or prints all errors', async (t) => {
    const file = join(await temporary(t), 'mta.yaml');
    await writeFile(file, CONFIG);
    const good = await postrider(['check-config', '-c', file]);
    assert.equal(good.code, 0, good.out);
    assert.match(good.out, /^ok: 1 node, 1 sender, 0 virtual senders, /m);
    await writeFile(file, `${CONFIG}worker: 3\nroutes: 5\n`);
    const bad = await postrider(['check-config', '-c', file]);
    assert.equal(bad.code, 2);
    assert.match(bad.out, /mta\.yaml:\d+:1 worker: unknown key "worker"/);
    assert.match(bad.out, /^2 errors$/m);
    const json = await postrider(['check-config', '-c', file, '--json']);
    assert.equal(json.code, 2);
    assert.equal((JSON.parse(json.out) as { errors: object[] }).errors.length, 2);
  });
});

describe('the process', () => {
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;

  test('ends with the exit code of the command', async (t) => {
    const path = join(await temporary(t), 'none.sock');
    const child = spawn(process.execPath, [main, 'status', '--socket', path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 1);
  });

  test('a reader that goes away ends it quietly', async (t) => {
    const control = await startControl(t);
    const to = Array.from({ length: 5000 }, (_, i) => `u${i}@a.test`);
    await control.post('/v1/messages', { ...MESSAGE, envelope: { from: '', to } });
    const args = [main, 'events', '--after', '0', '--socket', control.path];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(err, '');
    assert.equal(code, 0);
  });

  test('one Ctrl-C that arrives twice (npm passes it on too) ends a follower in order', async (t) => {
    const control = await startControl(t);
    await control.post('/v1/messages', MESSAGE);
    const args = [main, 'events', '--follow', '--after', '0', '--socket', control.path];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    child.kill('SIGINT');
    const ended = (await once(child, 'exit')) as [number | null, string | null];
    assert.deepEqual(ended, [0, null]);
  });
});
