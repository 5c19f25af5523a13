/**
 * DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030): how content is received, and what is decided at its end. The octets
 * that belong to a refused BDAT are read and thrown away, for the client has sent them already. A message that is
 * refused is still read to its true end, so nothing in it is ever taken for a command.
 */
import type { Reply } from '../../../core/index.ts';
import type { Command, Dialogue, Step } from './dialogue.ts';
import type { Overflow } from './content.ts';
import { hasBareLineEnd } from './line-ends.ts';
import { skipSpaces } from './path.ts';
import { REPLIES, type CannedReply } from './replies.ts';

/** A client that sends this many times the limit is cut off instead of being read to the end. */
const CUT_OFF_FACTOR = 4;

export const dataCommand: Command = (c, _line, at, end) => {
  if (at < end) return c.refuse(REPLIES.noArgument);
  if (c.transaction.chunked) return c.refuse(REPLIES.mixedContent);
  const refusal = contentOrder(c);
  if (refusal === REPLIES.noRecipients) return c.reply(refusal);
  if (refusal !== undefined) return c.refuse(refusal);
  c.ask(c.settings.handler.onData, undefined, dataStep);
};

function contentOrder(c: Dialogue): CannedReply | undefined {
  const { transaction } = c;
  if (!transaction.open) return REPLIES.mailFirst;
  if (transaction.recipients.length > 0) return undefined;
  return transaction.rcptTried ? REPLIES.noRecipients : REPLIES.rcptFirst;
}

const dataStep: Step = (c, answer) => {
  if (answer !== undefined && answer.code >= 400) {
    c.transaction.reset();
    return c.answer(answer);
  }
  if (c.settings.refuseEarlyTalkers && c.input.remaining > 0) return c.close(REPLIES.earlyTalker);
  if (answer?.code === 354) c.answer(answer);
  else c.reply(REPLIES.goAhead);
  c.flush();
  c.mode = 'data';
};

/** Consumes what there is of the content behind DATA. */
export function readData(c: Dialogue): void {
  const { input, transaction } = c;
  const next = transaction.reader.read(input.bytes, input.at);
  input.at = next < 0 ? input.bytes.length : next;
  if (transaction.content.bytes > CUT_OFF_FACTOR * c.settings.maxMessageBytes)
    return c.close(REPLIES.tooLarge);
  c.settings.handler.onContentBytes?.(c, transaction.content.bytes);
  if (next < 0 || c.mode !== 'data') return;
  c.mode = 'command';
  finish(c);
}

/** The end of the content: a reason of ours to refuse the message, or the handler's decision. */
function finish(c: Dialogue): void {
  const { transaction } = c;
  const { overflow } = transaction.content;
  if (overflow !== undefined) return refuseMessage(c, overflowReply(overflow));
  const content = transaction.content.take();
  if (c.settings.bareLineEnds === 'refuse') {
    const bare = transaction.chunked ? hasBareLineEnd(content) : transaction.reader.bare;
    if (bare) return refuseMessage(c, REPLIES.bareContent);
  }
  const { from, recipients, eightBit, smtpUtf8 } = transaction;
  const lines = transaction.chunked ? undefined : transaction.reader.lines;
  c.ask(
    c.settings.handler.onMessage,
    { from: from ?? '', recipients, content, lines, eightBit, smtpUtf8 },
    messageStep,
  );
}

const overflowReply = (overflow: Overflow): CannedReply =>
  overflow === 'size' ? REPLIES.tooLarge : REPLIES.noMemory;

function refuseMessage(c: Dialogue, reply: CannedReply): void {
  c.transaction.reset();
  c.reply(reply);
}

const messageStep: Step = (c, answer) => {
  c.transaction.reset();
  if (answer === undefined || answer.code < 300) c.forgiveErrors();
  if (answer === undefined) c.reply(REPLIES.ok);
  else c.answer(answer);
};

export const bdatCommand: Command = (c, line, at, end) => {
  const chunk = parseBdat(line, at, end);
  // Without a size there is no telling where the octets end and commands begin: the session cannot go on.
  if (chunk === undefined) return c.close(REPLIES.bdatSyntax);
  const { transaction } = c;
  if (chunk.bytes > CUT_OFF_FACTOR * c.settings.maxMessageBytes) return c.close(REPLIES.tooLarge);
  transaction.chunkLeft = chunk.bytes;
  transaction.chunkLast = chunk.last;
  transaction.chunkRefusal = chunkRefusal(c);
  if (transaction.chunkRefusal !== undefined || transaction.chunked) return beginChunk(c);
  transaction.chunked = true;
  c.ask(c.settings.handler.onData, undefined, bdatStep);
};

function chunkRefusal(c: Dialogue): CannedReply | undefined {
  if (!c.settings.capabilities.chunking) return REPLIES.notImplemented;
  return c.transaction.failed ? REPLIES.chunkRefused : contentOrder(c);
}

const bdatStep: Step = (c, answer) => {
  if (answer !== undefined && answer.code >= 400) c.transaction.chunkRefusal = answer;
  beginChunk(c);
};

function beginChunk(c: Dialogue): void {
  c.mode = 'chunk';
  if (c.transaction.chunkLeft === 0) endChunk(c);
}

/** Consumes what there is of the octets behind BDAT. */
export function readChunk(c: Dialogue): void {
  const { input, transaction } = c;
  const bytes = Math.min(transaction.chunkLeft, input.remaining);
  if (transaction.chunkRefusal === undefined)
    transaction.content.append(input.bytes, input.at, input.at + bytes);
  input.at += bytes;
  transaction.chunkLeft -= bytes;
  c.settings.handler.onContentBytes?.(c, transaction.content.bytes);
  if (transaction.chunkLeft === 0 && c.mode === 'chunk') endChunk(c);
}

function endChunk(c: Dialogue): void {
  const { chunkRefusal: refusal, chunkLast, content } = c.transaction;
  c.mode = 'command';
  if (refusal !== undefined) refuseChunk(c, refusal);
  else if (content.overflow !== undefined) refuseChunk(c, overflowReply(content.overflow));
  else if (chunkLast) finish(c);
  else c.reply(REPLIES.chunkOk);
}

/** RFC 3030 §2: after a refused chunk the transaction is over until RSET; its last chunk ends it here too. */
function refuseChunk(c: Dialogue, refusal: CannedReply | Reply): void {
  const { transaction } = c;
  // A client that pipelines cannot know that all its recipients are refused: no error of its own.
  const blameless = transaction.chunked || refusal === REPLIES.noRecipients;
  if (transaction.chunkLast) transaction.reset();
  else transaction.failed = transaction.open;
  if ('text' in refusal) c.answer(refusal);
  else if (blameless) c.reply(refusal);
  else c.refuse(refusal);
}

/** `size [LAST]`. A size of more than 15 digits is none. */
function parseBdat(line: Buffer, at: number, end: number): { bytes: number; last: boolean } | undefined {
  let next = at;
  let bytes = 0;
  for (; next < end; next++) {
    const digit = line[next]! - 0x30;
    if (digit < 0 || digit > 9) break;
    bytes = bytes * 10 + digit;
  }
  if (next === at || next - at > 15) return undefined;
  if (next === end) return { bytes, last: false };
  const word = line.toString('latin1', skipSpaces(line, next), end).trimEnd();
  if (word === '') return { bytes, last: false };
  return line[next] === 0x20 && word.toUpperCase() === 'LAST' ? { bytes, last: true } : undefined;
}
