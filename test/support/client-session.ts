/** Opens sessions with scripted peers and makes messages for them, with short deadlines where a test needs one. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Refusal } from '../../src/core/index.ts';
import {
  DEFAULT_TIMEOUTS,
  openSession,
  type ClientSession,
  type SessionOptions,
  type Timeouts,
  type Transaction,
  type TransactionResult,
} from '../../src/mta/smtp/client/index.ts';
import { startPeer, type Script, type ScriptedPeer } from './scripted-peer.ts';

/** What a peer that offers everything says. */
export const FULL_EHLO =
  '250-mx.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN';
/** A peer that offers nothing. */
export const BARE_EHLO = '250 mx.test';

export async function peerFor(test: TestContext, script: Script = {}): Promise<ScriptedPeer> {
  const peer = await startPeer(script);
  test.after(() => peer.close());
  return peer;
}

export function optionsFor(peer: ScriptedPeer, overrides: Partial<SessionOptions> = {}): SessionOptions {
  return {
    host: 'mx.test',
    address: '127.0.0.1',
    port: peer.port,
    localAddress: '127.0.0.1',
    heloName: 'node.test',
    tls: 'none',
    timeouts: DEFAULT_TIMEOUTS,
    ...overrides,
  };
}

export const deadlines = (overrides: Partial<Timeouts>): Timeouts => ({ ...DEFAULT_TIMEOUTS, ...overrides });

/** An open session with the peer; the test fails when it is refused. */
export async function sessionWith(
  test: TestContext,
  peer: ScriptedPeer,
  overrides: Partial<SessionOptions> = {},
): Promise<ClientSession> {
  const opened = await openSession(optionsFor(peer, overrides));
  assert.ok(opened.ok, `the session was refused: ${opened.ok ? '' : opened.error.text}`);
  test.after(() => opened.value.destroy());
  return opened.value;
}

/** Why no session came about; the test fails when one did. */
export async function refusalOf(
  peer: ScriptedPeer,
  overrides: Partial<SessionOptions> = {},
): Promise<Refusal> {
  const opened = await openSession(optionsFor(peer, overrides));
  if (opened.ok) opened.value.destroy();
  assert.ok(!opened.ok, 'a session was opened');
  return opened.error;
}

export function message(text: string, overrides: Partial<Transaction> = {}): Transaction {
  const content = [Buffer.from(text)];
  return {
    from: 'sender@from.test',
    recipients: ['one@to.test'],
    content,
    bytes: content[0]!.length,
    dotLine: true,
    eightBit: false,
    smtpUtf8: false,
    ...overrides,
  };
}

/** The refusal of a recipient; the test fails when it was accepted. */
export function refusalIn(result: TransactionResult, index = 0): Refusal {
  const outcome = result.recipients[index];
  assert.ok(outcome && !outcome.ok, 'the recipient was accepted');
  return outcome.error;
}

/** The reply codes by which recipients were accepted or refused; a cause where there was no reply. */
export function outcomes(result: TransactionResult): readonly (number | string | undefined)[] {
  return result.recipients.map((outcome) =>
    outcome.ok ? outcome.value.code : (outcome.error.reply?.code ?? outcome.error.cause),
  );
}
