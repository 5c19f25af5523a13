import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TlsMode } from '../../src/mta/smtp/client/index.ts';
import { deadlines, message, outcomes, peerFor, refusalOf, sessionWith } from '../support/client-session.ts';
import { CERTIFICATE, type Answer, type Script } from '../support/scripted-peer.ts';

/** How long a handshake may hang. The answers to EHLO have to come within it too, also on a busy machine. */
const HANG_MS = 1_000;

const WITH_TLS: Script = { EHLO: '250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS' };
/** Ways in which TLS fails after it was offered. */
const BROKEN: readonly (readonly [string, Answer, string])[] = [
  ['the peer closes at STARTTLS', [{ act: 'close' }], 'disconnect'],
  ['the peer closes in the handshake', [{ send: '220 go' }, { act: 'close' }], 'tls'],
  ['the peer resets the connection in the handshake', [{ send: '220 go' }, { act: 'reset' }], 'tls'],
  ['the peer hangs in the handshake', [{ send: '220 go' }, { act: 'swallow' }], 'timeout'],
];

describe('STARTTLS', () => {
  for (const mode of ['may', 'require'] as const) {
    test(`${mode}: encrypts without looking at the certificate`, async (t) => {
      const peer = await peerFor(t, WITH_TLS);
      const session = await sessionWith(t, peer, { tls: mode, host: 'other.test' });
      assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
      assert.equal(session.facts.tls?.version, 'TLSv1.3');
      assert.equal(session.facts.tlsFallback, undefined);
      assert.deepEqual(peer.verbs.slice(0, 4), ['EHLO', 'STARTTLS', 'EHLO', 'MAIL']);
      await session.quit();
      assert.equal(peer.verbs.at(-1), 'QUIT');
    });
  }

  test('verify: takes a certificate for the host by a trusted issuer', async (t) => {
    const peer = await peerFor(t, WITH_TLS);
    const session = await sessionWith(t, peer, { tls: 'verify', ca: CERTIFICATE });
    assert.ok(session.facts.tls);
    assert.equal(peer.links[0]?.encrypted, true);
  });

  for (const [name, host, ca] of [
    ['another host', 'other.test', CERTIFICATE],
    ['nobody we trust', 'mx.test', undefined],
  ] as const) {
    test(`verify: refuses a certificate of ${name}`, async (t) => {
      const peer = await peerFor(t, WITH_TLS);
      const refusal = await refusalOf(peer, { tls: 'verify', host, ...(ca !== undefined && { ca }) });
      assert.deepEqual([refusal.scope, refusal.cause, refusal.permanent], ['host', 'tls', false]);
      assert.equal(peer.links.length, 1);
    });
  }

  test('none: stays in clear', async (t) => {
    const peer = await peerFor(t, WITH_TLS);
    const session = await sessionWith(t, peer);
    assert.equal(session.facts.tls, undefined);
    assert.deepEqual(peer.verbs, ['EHLO']);
  });

  test('what was offered in clear is forgotten', async (t) => {
    const EHLO = (_line: string, count: number): string =>
      count === 1
        ? '250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10\r\n250 STARTTLS'
        : '250-mx.test\r\n250 8BITMIME';
    const session = await sessionWith(t, await peerFor(t, { EHLO }), { tls: 'may' });
    const { pipelining, size, eightBitMime } = session.facts.capabilities;
    assert.deepEqual([pipelining, size, eightBitMime], [false, undefined, true]);
  });

  for (const mode of ['require', 'verify'] satisfies TlsMode[]) {
    test(`${mode}: refuses a peer that does not offer it, or does not do it`, async (t) => {
      const without = await refusalOf(await peerFor(t), { tls: mode });
      assert.deepEqual([without.scope, without.cause, without.permanent], ['host', 'tls', false]);
      const refusing = await peerFor(t, { ...WITH_TLS, STARTTLS: '454 4.7.0 not now' });
      const refusal = await refusalOf(refusing, { tls: mode });
      assert.deepEqual([refusal.cause, refusal.reply?.code], ['tls', 454]);
    });
  }

  test('may: goes on in clear on the same connection when STARTTLS is refused', async (t) => {
    const peer = await peerFor(t, { ...WITH_TLS, STARTTLS: '454 4.7.0 not now' });
    const session = await sessionWith(t, peer, { tls: 'may' });
    assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
    assert.match(session.facts.tlsFallback ?? '', /454/);
    assert.equal(peer.links.length, 1);
  });

  for (const [name, STARTTLS, cause] of BROKEN) {
    test(`may: connects again in clear when ${name}`, async (t) => {
      const peer = await peerFor(t, { ...WITH_TLS, STARTTLS });
      const timeouts = deadlines({ ehloMs: HANG_MS });
      const session = await sessionWith(t, peer, { tls: 'may', timeouts });
      assert.deepEqual(outcomes(await session.send(message('x\r\n'))), [250]);
      assert.equal(session.facts.tls, undefined);
      assert.match(session.facts.tlsFallback ?? '', /STARTTLS/);
      assert.deepEqual(peer.verbs.slice(0, 4), ['EHLO', 'STARTTLS', 'EHLO', 'MAIL']);
      assert.equal(peer.links.length, 2);
    });

    test(`require: refuses when ${name}`, async (t) => {
      const peer = await peerFor(t, { ...WITH_TLS, STARTTLS });
      const refusal = await refusalOf(peer, { tls: 'require', timeouts: deadlines({ ehloMs: HANG_MS }) });
      assert.deepEqual([refusal.scope, refusal.phase, refusal.cause], ['host', 'starttls', cause]);
      assert.equal(peer.links.length, 1);
    });
  }

  test('may: garbage instead of a handshake is a failure of TLS', async (t) => {
    const peer = await peerFor(t, {
      ...WITH_TLS,
      // The garbage waits for the first bytes of the handshake, so it is not a reply in clear.
      STARTTLS: [{ send: '220 go' }, { act: 'swallow' }],
    });
    const opening = sessionWith(t, peer, { tls: 'may' });
    await peer.until(() => peer.links[0]?.swallowed === true);
    peer.links[0]!.say('this is not TLS');
    const session = await opening;
    assert.match(session.facts.tlsFallback ?? '', /STARTTLS: ERR_SSL/);
  });

  test('may: connects again in clear when the peer leaves right after the handshake', async (t) => {
    const EHLO = (_line: string, count: number): Answer =>
      count === 2 ? [{ act: 'close' }] : '250-mx.test\r\n250 STARTTLS';
    const peer = await peerFor(t, { EHLO });
    const session = await sessionWith(t, peer, { tls: 'may' });
    assert.deepEqual([session.facts.tls, peer.links.length], [undefined, 2]);
    assert.match(session.facts.tlsFallback ?? '', /STARTTLS/);
  });

  test('may: a 421 to STARTTLS is the host’s answer', async (t) => {
    const peer = await peerFor(t, { ...WITH_TLS, STARTTLS: '421 4.3.2 down' });
    const refusal = await refusalOf(peer, { tls: 'may' });
    assert.deepEqual([refusal.scope, refusal.reply?.code, peer.links.length], ['host', 421, 1]);
  });
});

describe('bytes in clear behind the reply to STARTTLS (RFC 3207 §4)', () => {
  for (const [name, injected] of [
    ['a whole reply', '250 injected\r\n'],
    ['a part of one', '250-injec'],
    ['an EHLO reply', '250-mx.test\r\n250 SIZE 1\r\n'],
  ] as const) {
    for (const mode of ['may', 'require'] as const) {
      test(`${mode}: ${name} is a protocol failure, and no reason to go on in clear`, async (t) => {
        const STARTTLS = [{ raw: `220 go\r\n${injected}` }, { act: 'tls' }] as const;
        const peer = await peerFor(t, { ...WITH_TLS, STARTTLS });
        const refusal = await refusalOf(peer, { tls: mode });
        assert.deepEqual([refusal.scope, refusal.cause, refusal.phase], ['host', 'protocol', 'starttls']);
        assert.equal(peer.links.length, 1);
      });
    }
  }
});
