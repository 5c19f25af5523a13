import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sourceCommand } from '../../src/cli/source.ts';
import { DEFAULT_TIMEOUTS } from '../../src/mta/smtp/client/index.ts';
import {
  DEFAULT_HEADERS,
  runSource,
  type SourceOptions,
  type SourceReport,
} from '../../src/testbed/index.ts';
import { peerFor } from '../support/client-session.ts';
import { startPeer, type ScriptedPeer } from '../support/scripted-peer.ts';

const options = (peer: ScriptedPeer, overrides: Partial<SourceOptions> = {}): SourceOptions => ({
  targets: [{ address: '127.0.0.1', port: peer.port }],
  sessions: 3,
  count: 20,
  messagesPerSession: 4,
  messageBytes: 2000,
  from: 'source@source.test',
  domains: 5,
  firstIndex: 100,
  headers: DEFAULT_HEADERS,
  pipelining: true,
  chunking: true,
  ratePerSecond: undefined,
  heloName: 'source.test',
  localAddress: undefined,
  tls: 'none',
  timeouts: DEFAULT_TIMEOUTS,
  ...overrides,
});

const counts = (report: SourceReport): readonly number[] => [
  report.messages,
  report.accepted,
  report.rejected,
  report.tempfailed,
  report.connectFailures,
];

describe('the load generator', () => {
  test('sends every message once, in sessions of the wanted length', async (t) => {
    const peer = await peerFor(t);
    const report = await runSource(options(peer));
    assert.deepEqual(counts(report), [20, 20, 0, 0, 0]);
    const recipients = peer.lines.filter((line) => line.startsWith('RCPT')).sort();
    const expected = Array.from({ length: 20 }, (_, i) => `RCPT TO:<u${100 + i}@d${i % 5}.test>`);
    assert.deepEqual(recipients, expected);
    assert.ok(peer.links.length >= 5);
    assert.equal(peer.verbs.filter((verb) => verb === 'QUIT').length, peer.links.length);
    assert.ok(peer.messages.every(({ content }) => content.length === 2000));
    assert.ok(report.latency.p50Ms > 0 && report.latency.p50Ms <= report.latency.maxMs);
    assert.ok(report.perSecond > 0);
  });

  test('counts what is refused, for good and for now', async (t) => {
    const RCPT = (line: string): string =>
      line.includes('d0') ? '550 no' : line.includes('d1') ? '450 later' : '250 ok';
    const report = await runSource(options(await peerFor(t, { RCPT })));
    assert.deepEqual(counts(report), [20, 12, 4, 4, 0]);
    assert.match(report.firstRefusal ?? '', /RCPT/);
  });

  test('goes on with a new session after one was lost', async (t) => {
    const content = (_line: string, count: number) => (count === 3 ? [{ act: 'reset' as const }] : '250 ok');
    const report = await runSource(options(await peerFor(t, { content }), { sessions: 1 }));
    assert.deepEqual(counts(report), [20, 19, 0, 1, 0]);
  });

  test('gives up where nobody listens', async () => {
    const peer = await startPeer();
    const unreachable = options(peer);
    await peer.close();
    assert.deepEqual(counts(await runSource(unreachable)), [0, 0, 0, 0, 9]);
  });

  test('keeps to the rate', async (t) => {
    const report = await runSource(options(await peerFor(t), { count: 11, ratePerSecond: 100 }));
    // A lower bound, which no load on the machine can break; timers may fire a millisecond early.
    assert.ok(report.seconds >= 0.095, `${report.seconds} s`);
  });

  test('stops when it is told to', async (t) => {
    const stop = new AbortController();
    const peer = await peerFor(t, { content: (_line, count) => (count === 3 && stop.abort(), '250 ok') });
    const report = await runSource(options(peer, { sessions: 1, ratePerSecond: 1000, signal: stop.signal }));
    assert.deepEqual(counts(report), [3, 3, 0, 0, 0]);
  });

  test('spreads its sessions over the targets', async (t) => {
    const peers = [await peerFor(t), await peerFor(t)];
    const targets = peers.map(({ port }) => ({ address: '127.0.0.1', port }));
    await runSource(options(peers[0]!, { targets, sessions: 2, count: 8 }));
    for (const peer of peers) assert.ok(peer.messages.length >= 1);
  });

  test('has a command that prints the report and exits with the answer', async (t) => {
    const peer = await peerFor(t, { EHLO: '250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING' });
    const printed: string[] = [];
    t.mock.method(console, 'log', (line: string) => void printed.push(line));
    const before = process.exitCode;
    const switches = ['-n', '4', '-s', '2', '-l', '1KB', '--no-chunking', '--header', 'X: {index}', '--json'];
    await sourceCommand().parseAsync([`localhost:${peer.port}`, ...switches], { from: 'user' });
    const exitCode = process.exitCode;
    process.exitCode = before;
    const report = JSON.parse(printed[0]!) as SourceReport;
    assert.deepEqual([report.accepted, exitCode], [4, 0]);
    assert.ok(peer.messages.every(({ content, how }) => how === 'DATA' && content.startsWith('X: ')));
  });
});
