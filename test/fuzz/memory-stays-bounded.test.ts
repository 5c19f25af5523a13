/**
 * Hundreds of connections at a time, each of which sends without end: the memory of the real program stays under what
 * follows from its limits, nothing of it is accepted, and others are served as ever.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import { memoryOf } from '../../bench/process-tree.ts';
import { Mta } from '../support/mta.ts';
import { mail, submit } from '../support/mta-world.ts';

const KB = 1024;
const MB = 1024 * KB;
const PIECE = 64 * KB;
const PER_KIND = 30;
/** What one of them sends at most: many times what any limit allows. */
const SENT = 20 * MB;
/** Of a connection: its socket, stream and session, and a piece that was read. */
const CONNECTION = 100 * KB;
/** What the collector has not come to yet, on a busy machine: its young generation alone may be three times 32 MB. */
const GARBAGE = 256 * MB;
/** cli/collector.ts: memory may grow to so many times of what is in use. */
const GROWTH = 3;
const MESSAGE = 100 * KB;
const RECIPIENTS = 100;
/** Longest mailbox (RFC 5321 §4.5.3.1), and what holds it. */
const RECIPIENT = 1_500;
/** api/messages.ts */
const HTTP_BODY = 1.4 * MESSAGE + MB;
/** api/batch-chunks.ts: a line; api/batches.ts: an answer that nobody reads, as text and as the bytes of it. */
const LINE = MB;
const ANSWER = 2 * MB;

interface Kind {
  readonly name: string;
  /** What begins each of them. */
  readonly head: string;
  /** Sent again and again. */
  readonly piece: string;
  /** What a limit lets it hold. */
  readonly holds: number;
}

const filled = (text: string): string => text.repeat(Math.ceil(PIECE / text.length));
const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const post = (path: string, type: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/${type}\r\ntransfer-encoding: chunked\r\n\r\n`;
const TRANSACTION = 'EHLO a.test\r\nMAIL FROM:<a@a.test>\r\n';
const CONTENT = `${TRANSACTION}RCPT TO:<b@b.test>\r\nDATA\r\nSubject: x\r\n`;
const HEADER = `${JSON.stringify({ from: 'a@a.test', parts: { from: 'a@a.test', subject: 's', text: 't' } })}\n`;

const SMTP: readonly Kind[] = [
  { name: 'a command without end', head: '', piece: filled('x'), holds: 0 },
  { name: 'a field without end', head: `${CONTENT}X: `, piece: filled('x'), holds: MESSAGE },
  { name: 'fields without end', head: CONTENT, piece: filled('X: y\r\n'), holds: MESSAGE },
  { name: 'lines without end', head: `${CONTENT}\r\n`, piece: filled('line\r\n'), holds: MESSAGE },
  {
    name: 'chunks without end',
    head: `${TRANSACTION}RCPT TO:<b@b.test>\r\n`,
    piece: `BDAT ${PIECE}\r\n${filled('x').slice(0, PIECE)}`,
    holds: MESSAGE,
  },
  {
    name: 'recipients without end',
    head: TRANSACTION,
    piece: filled(`RCPT TO:<${'x'.repeat(64)}@${'y'.repeat(60)}.${'z'.repeat(60)}.test>\r\n`),
    holds: RECIPIENTS * RECIPIENT,
  },
];

const HTTP: readonly Kind[] = [
  {
    name: 'a body without end',
    head: `${post('/v1/messages', 'json')}${chunked('{"content":"')}`,
    piece: chunked(filled('x')),
    holds: HTTP_BODY,
  },
  {
    name: 'a body that is nested without end',
    head: post('/v1/messages', 'json'),
    piece: chunked(filled('[')),
    holds: HTTP_BODY,
  },
  {
    name: 'a header of a batch without end',
    head: `${post('/v1/batches', 'x-ndjson')}${chunked('{"from":"')}`,
    piece: chunked(filled('x')),
    holds: HTTP_BODY,
  },
  {
    name: 'a line of a batch without end',
    head: `${post('/v1/batches', 'x-ndjson')}${chunked(`${HEADER}{"to":"`)}`,
    piece: chunked(filled('x')),
    holds: LINE,
  },
  {
    name: 'wrong lines of a batch without end, and its answer is not read',
    head: `${post('/v1/batches', 'x-ndjson')}${chunked(HEADER)}`,
    piece: chunked(filled('{"to":"x"}\n')),
    // The lines of three chunks, and what is said of each.
    holds: ANSWER + 3 * 500 * 400,
  },
  {
    name: 'a head without end',
    head: 'GET /v1/status HTTP/1.1\r\n',
    piece: filled('x: y\r\n'),
    holds: 64 * KB,
  },
];

/** Sends until it is through, cut off, or not read any more. */
async function send(socket: Socket, { head, piece }: Kind): Promise<void> {
  socket.write(head, 'latin1');
  for (let sent = 0; sent < SENT && !socket.destroyed; sent += piece.length) {
    if (socket.write(piece, 'latin1')) continue;
    const before = socket.bytesWritten - socket.writableLength;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('drain', resolve).once('close', resolve);
    // Who is not read never gets on: that it did not in this time is all there is to see.
    await Promise.race([promise, delay(3_000, undefined, { ref: false })]);
    socket.off('drain', resolve).off('close', resolve);
    if (socket.bytesWritten - socket.writableLength === before) return;
  }
}

/** Anonymous memory at its highest while all of that goes on. */
async function peakUnder(
  t: TestContext,
  mta: Mta,
  { kinds, open }: { readonly kinds: readonly Kind[]; readonly open: () => Socket },
): Promise<number> {
  let peak = 0;
  const look = setInterval(() => (peak = Math.max(peak, memoryOf([mta.pid]).rssAnonBytes)), 20);
  const sockets: Socket[] = [];
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(
    kinds.flatMap((kind) =>
      Array.from({ length: PER_KIND }, () => {
        const socket = open();
        sockets.push(socket);
        socket.on('error', () => undefined);
        return send(socket, kind);
      }),
    ),
  );
  await servesOthers(mta);
  clearInterval(look);
  for (const socket of sockets) socket.destroy();
  return peak;
}

async function servesOthers(mta: Mta): Promise<void> {
  const session = await mta.session();
  const sent = await submit(session, 'good@to.test', mail('good@to.test'));
  assert.ok(sent.recipients[0]?.ok, JSON.stringify(sent));
  await session.quit();
  assert.equal((await mta.api('/v1/status')).status, 200);
}

const allowed = (kinds: readonly Kind[]): number =>
  kinds.reduce((sum, { holds }) => sum + PER_KIND * (GROWTH * holds + CONNECTION), GARBAGE);

describe('memory stays bounded', () => {
  const settings = { smtp: { max_message_size: '100KB', max_recipients: RECIPIENTS } };
  const doors = [
    ['SMTP', SMTP, (mta: Mta) => connect(mta.smtp)],
    ['HTTP', HTTP, (mta: Mta) => connect(mta.socket)],
  ] as const;
  for (const [door, kinds, open] of doors)
    test(`${kinds.length * PER_KIND} connections over ${door}: ${kinds.map(({ name }) => name).join('; ')}`, async (t) => {
      const mta = await Mta.start(t, settings);
      await servesOthers(mta);
      const before = memoryOf([mta.pid]).rssAnonBytes;
      const grown = (await peakUnder(t, mta, { kinds, open: () => open(mta) })) - before;
      const [isMB, mayMB] = [grown, allowed(kinds)].map((bytes) => Math.round(bytes / MB));
      t.diagnostic(`${isMB} MB more, ${mayMB} MB may be`);
      assert.ok(isMB! <= mayMB!, `${isMB} MB more than before, and its limits allow ${mayMB}`);
      const accepted = (await mta.events('type=accepted')).map(({ recipient }) => recipient);
      assert.deepEqual([...new Set(accepted)], ['good@to.test']);
      await mta.end();
    });
});
