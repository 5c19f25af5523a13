import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createControlServer, createStatusServer } from '../../src/api/index.ts';
import { Dashboard } from '../../src/dashboard/index.ts';
import { tokenOf } from '../support/access-token.ts';
import { clientOf, headOf, MESSAGE, startControl } from '../unit/api/control-fixture.ts';

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pr-sock-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

/** Leaves the socket file of a process that was killed. */
async function leaveStale(path: string): Promise<void> {
  const script = 'require("net").createServer().listen(process.argv[1], () => console.log("up"))';
  const child = spawn(process.execPath, ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(existsSync(path));
}

describe('the control socket', () => {
  test('is open to owner and group, and gone after close', async (t) => {
    const control = await startControl(t);
    assert.equal(statSync(control.path).mode & 0o777, 0o660);
    await control.server.close();
    assert.ok(!existsSync(control.path));
  });

  test('takes one request after the other on a connection', async (t) => {
    const { path: socketPath } = await startControl(t);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const reused: boolean[] = [];
    for (let i = 0; i < 3; i++) {
      const sent = request({ socketPath, path: '/healthz', agent });
      const response = await headOf(sent.end());
      assert.equal(response.statusCode, 200);
      await once(response.resume(), 'end');
      reused.push(sent.reusedSocket);
    }
    assert.deepEqual(reused, [false, true, true]);
  });

  test('replaces the file of a dead process', async (t) => {
    const { deps } = await startControl(t);
    const path = join(await temporary(t), 'stale.sock');
    await leaveStale(path);
    const server = createControlServer(deps);
    assert.deepEqual(await server.listenSocket(path), { ok: true, value: undefined });
    assert.equal((await clientOf({ socketPath: path }).get('/healthz')).status, 200);
    await server.close();
  });

  test('refuses one that a living process answers on, and leaves it alone', async (t) => {
    const control = await startControl(t);
    const second = createControlServer(control.deps);
    const result = await second.listenSocket(control.path);
    assert.ok(!result.ok);
    assert.match(result.error, /another process answers on .*: is postrider running already\?/);
    assert.equal((await control.get('/healthz')).status, 200);
    await second.close();
  });

  test('says why it cannot listen', async (t) => {
    const { deps } = await startControl(t);
    const directory = await temporary(t);
    const file = join(directory, 'file');
    await writeFile(file, 'precious');
    const cases = [
      [file, /exists and is not a socket/],
      [join(directory, 'none', 'a.sock'), /the directory .*none does not exist: create it/],
      [join(directory, 'x'.repeat(100)), /longer than 107 bytes/],
      [join(file, 'a.sock'), /is not a directory/],
    ] as const;
    for (const [path, expected] of cases) {
      const server = createControlServer(deps);
      const result = await server.listenSocket(path);
      assert.ok(!result.ok, path);
      assert.match(result.error, expected);
      await server.close();
    }
  });
});

describe('control over TCP', () => {
  test('needs the token, whole and right', async (t) => {
    const { deps } = await startControl(t);
    const server = createControlServer(deps, [tokenOf('all', 'a-token', ['admin'])]);
    const listening = await server.listenTcp('127.0.0.1', 0);
    assert.ok(listening.ok);
    t.after(() => server.close());
    for (const authorization of [
      '',
      'Bearer',
      'Bearer a-toke',
      'Bearer a-token2',
      'Basic a-token',
      'a-token',
    ]) {
      const client = clientOf(listening.value, { authorization });
      for (const answer of [await client.get('/v1/status'), await client.post('/v1/messages', MESSAGE)]) {
        assert.equal(answer.status, 401, authorization);
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
      }
    }
    const client = clientOf(listening.value, { authorization: 'Bearer a-token' });
    assert.equal((await client.get('/v1/status')).status, 200);
    assert.equal(deps.queue.state.counters.sum().accepted, 0);
  });

  test('a port in use is a sentence', async (t) => {
    const { deps } = await startControl(t);
    const server = createControlServer(deps);
    t.after(() => server.close());
    const first = await server.listenTcp('127.0.0.1', 0);
    assert.ok(first.ok);
    const second = await server.listenTcp('127.0.0.1', first.value.port);
    assert.deepEqual(second, {
      ok: false,
      error: `127.0.0.1:${first.value.port} is in use by another process`,
    });
    const foreign = await server.listenTcp('192.0.2.1', 0);
    assert.deepEqual(foreign, { ok: false, error: 'the address of 192.0.2.1:0 is not on this machine' });
  });
});

describe('the status server', () => {
  test('has figures and health, and nothing of the mail', async (t) => {
    const control = await startControl(t);
    await control.post('/v1/messages', MESSAGE);
    const server = createStatusServer(control.deps, new Dashboard());
    const listening = await server.listenTcp('127.0.0.1', 0);
    assert.ok(listening.ok);
    t.after(() => server.close());
    const { get, post } = clientOf(listening.value);
    for (const path of ['/', '/metrics', '/healthz', '/readyz']) {
      const answer = await get(path);
      assert.equal(answer.status, 200, path);
      assert.ok(!/u1@|acme|\/etc\//.test(answer.text), `${path} tells too much`);
    }
    assert.match((await get('/')).text, /<title>Postrider/);
    for (const path of ['/v1/status', '/v1/events', '/v1/deliveries', '/v1/queue'])
      assert.equal((await get(path)).status, 401, path);
    assert.equal((await get('/%761/status')).status, 401, 'however it is written');
    assert.equal((await post('/v1/messages', MESSAGE)).status, 403);
    assert.equal(control.queue.state.counters.sum().accepted, 1);
  });

  test('takes a token when it is given one', async (t) => {
    const { deps } = await startControl(t);
    const server = createStatusServer(deps, new Dashboard());
    const listening = await server.listenTcp('127.0.0.1', 0, 'secret');
    assert.ok(listening.ok);
    t.after(() => server.close());
    assert.equal((await clientOf(listening.value).get('/metrics')).status, 401);
    const client = clientOf(listening.value, { authorization: 'Bearer secret' });
    assert.equal((await client.get('/metrics')).status, 200);
  });
});
