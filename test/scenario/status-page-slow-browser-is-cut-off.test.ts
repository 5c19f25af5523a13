/** A browser that never reads holds no memory of the server; those that read go on. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Live } from '../../src/dashboard/live.ts';
import { RecentEvents } from '../../src/dashboard/recent-events.ts';
import { Sessions } from '../../src/dashboard/sessions.ts';
import type { Picture } from '../../src/dashboard/snapshot.ts';
import type { Snapshot } from '../../src/dashboard/view.ts';
import { createFakeClock } from '../support/fake-clock.ts';

/** More than the buffers of a connection take. */
const LARGE = 'x'.repeat(8 * 1024 * 1024);

const pictureOf = (snapshot: Partial<Snapshot>): Picture => ({
  snapshot: () => snapshot as Snapshot,
  find: () => assert.fail('nobody searches'),
});

test('a browser that never reads is cut off', { timeout: 30_000 }, async (t) => {
  const server = createServer();
  const problems: unknown[] = [];
  const live = new Live({
    sessions: new Sessions(undefined, createFakeClock()),
    picture: () => Promise.resolve(pictureOf({ hostname: LARGE })),
    recent: new RecentEvents(),
    onError: (error) => problems.push(error),
  });
  live.attach(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    live.close();
    server.close();
  });
  const sides: { closed: Promise<unknown> }[] = [];
  server.on('connection', (socket) => sides.push({ closed: once(socket, 'close') }));
  const host = `127.0.0.1:${port}`;
  const dead = connect(port, '127.0.0.1');
  t.after(() => dead.destroy());
  dead.pause();
  dead.write(
    `GET /live HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(server, 'upgrade');
  const reader = new WebSocket(`ws://${host}/live`, { origin: `http://${host}` });
  t.after(() => reader.terminate());
  await once(reader, 'message');
  await sides[0]!.closed;
  // It is told again after the other one is gone.
  await once(reader, 'message');
  assert.equal(reader.readyState, WebSocket.OPEN);
  assert.deepEqual(problems, []);
});

test('a page of a stranger gets no connection', { timeout: 30_000 }, async (t) => {
  const server = createServer();
  const live = new Live({
    sessions: new Sessions(undefined, createFakeClock()),
    picture: () => Promise.resolve(pictureOf({})),
    recent: new RecentEvents(),
    onError: (error) => assert.fail(String(error)),
  });
  live.attach(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    live.close();
    server.close();
  });
  const statusOf = async (headers: Record<string, string>): Promise<number | undefined> => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { headers });
    socket.on('error', () => undefined);
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number }];
    return answer.statusCode;
  };
  assert.equal(await statusOf({ origin: 'http://evil.example' }), 403);
  const named = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
  assert.equal(await statusOf(named), 401, 'a name of theirs that points at us');
});
