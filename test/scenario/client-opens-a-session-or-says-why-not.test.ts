import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openSession } from '../../src/mta/smtp/client/index.ts';
import { message, optionsFor, outcomes, peerFor, refusalOf, sessionWith } from '../support/client-session.ts';
import { startPeer } from '../support/scripted-peer.ts';

describe('opening a session', () => {
  test('binds the address of the node and tells the facts', async (t) => {
    const peer = await peerFor(t);
    const session = await sessionWith(t, peer, { localAddress: '127.0.0.9', heloName: 'n9.node.test' });
    const { facts } = session;
    assert.deepEqual(
      [facts.localAddress, facts.remoteAddress, facts.host],
      ['127.0.0.9', '127.0.0.1', 'mx.test'],
    );
    assert.equal(facts.greeting, 'mx.test ESMTP');
    assert.equal(facts.capabilities.enhancedStatusCodes, true);
    assert.deepEqual(peer.lines, ['EHLO n9.node.test']);
    assert.equal(session.usable, true);
  });

  test('an address that is not on the machine takes the node down, the peer is not asked', async (t) => {
    const peer = await peerFor(t);
    const refusal = await refusalOf(peer, { localAddress: '192.0.2.77' });
    assert.deepEqual([refusal.scope, refusal.cause, refusal.permanent], ['node', 'node_down', false]);
    assert.equal(peer.links.length, 0);
  });

  test('a port where nobody listens refuses the host', async () => {
    const peer = await startPeer();
    const options = optionsFor(peer);
    await peer.close();
    const opened = await openSession(options);
    assert.ok(!opened.ok);
    const { scope, cause, phase, text } = opened.error;
    assert.deepEqual([scope, cause, phase], ['host', 'connect', 'connect']);
    assert.match(text, /ECONNREFUSED/);
  });

  test('falls back to HELO, and sends step by step', async (t) => {
    const peer = await peerFor(t, { EHLO: '502 5.5.1 what?' });
    const session = await sessionWith(t, peer, { tls: 'may' });
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
    assert.deepEqual(peer.lines.slice(0, 3), [
      'EHLO node.test',
      'HELO node.test',
      'MAIL FROM:<sender@from.test>',
    ]);
  });

  test('a refused HELO refuses the host', async (t) => {
    const peer = await peerFor(t, { EHLO: '550 5.7.1 bad name', HELO: '550 5.7.1 bad name, too' });
    const refusal = await refusalOf(peer);
    assert.deepEqual(
      [refusal.scope, refusal.permanent, refusal.reply?.text],
      ['host', false, 'bad name, too'],
    );
  });

  test('can be stopped at any moment', async (t) => {
    const stop = new AbortController();
    const peer = await peerFor(t, { EHLO: [{ act: 'hang' }] });
    const opening = openSession({ ...optionsFor(peer), signal: stop.signal });
    await peer.until(() => peer.verbs.includes('EHLO'));
    stop.abort();
    const opened = await opening;
    assert.ok(!opened.ok);
    assert.deepEqual([opened.error.scope, opened.error.cause], ['session', 'internal']);
    await peer.until(() => peer.links[0]!.closed);
  });

  test('is not begun when it was stopped before', async (t) => {
    const peer = await peerFor(t);
    const refusal = await refusalOf(peer, { signal: AbortSignal.abort() });
    assert.equal(refusal.cause, 'internal');
    assert.equal(peer.lines.length, 0);
  });
});

describe('ending a session', () => {
  test('quit says QUIT and waits for the answer', async (t) => {
    const peer = await peerFor(t);
    const session = await sessionWith(t, peer);
    await session.quit();
    assert.deepEqual([peer.verbs, session.usable], [['EHLO', 'QUIT'], false]);
    await session.quit();
    assert.deepEqual(peer.verbs, ['EHLO', 'QUIT']);
  });

  test('quit does not wait for ever', async (t) => {
    const peer = await peerFor(t, { QUIT: [{ act: 'hang' }] });
    const timeouts = { ...optionsFor(peer).timeouts, mailMs: 30 };
    const session = await sessionWith(t, peer, { timeouts });
    await session.quit();
    await peer.until(() => peer.links[0]!.closed);
  });

  test('destroy ends a transaction under way', async (t) => {
    const peer = await peerFor(t, { content: [{ act: 'hang' }] });
    const session = await sessionWith(t, peer);
    const sending = session.send(message('x\r\n'));
    await peer.until(() => peer.messages.length === 1);
    session.destroy();
    const result = await sending;
    assert.deepEqual(outcomes(result), ['disconnect']);
    assert.equal((await session.closed).text, 'closed by us');
  });

  test('two messages at a time are a mistake', async (t) => {
    const session = await sessionWith(t, await peerFor(t));
    const first = session.send(message('x\r\n'));
    await assert.rejects(session.send(message('y\r\n')), /one transaction at a time/);
    assert.deepEqual(outcomes(await first), [250]);
  });
});
