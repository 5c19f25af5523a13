/**
 * The verbs (RFC 5321 §4.1) as a table from their first four bytes, upper-cased and packed into one integer, to a
 * function.
 */
import { authCommand } from './auth-commands.ts';
import { bdatCommand, dataCommand } from './content-commands.ts';
import type { Command, Dialogue, Step } from './dialogue.ts';
import { mailCommand, rcptCommand } from './mail-commands.ts';
import { isHeloName, skipSpaces } from './path.ts';
import { encodeReply, REPLIES, type CannedReply } from './replies.ts';
import { XCLIENT_EXTENSION, xclientCommand } from './xclient.ts';

const SPACE = 0x20;
const UPPER_CASE = 0xdfdfdfdf | 0;

/** The first four letters of a verb as an integer. */
const pack = (verb: string): number => Buffer.from(verb).readInt32BE(0) & UPPER_CASE;

/** Calls the verb's function, or refuses the line. */
export function dispatch(c: Dialogue, line: Buffer, start: number, end: number): void {
  if (end - start < 4) return c.refuse(REPLIES.unknown);
  const verb =
    ((line[start]! << 24) | (line[start + 1]! << 16) | (line[start + 2]! << 8) | line[start + 3]!) &
    UPPER_CASE;
  const command = COMMANDS.get(verb);
  if (command === undefined) return c.refuse(REPLIES.unknown);
  const word = LONG_VERBS.get(verb);
  const at = word === undefined ? start + 4 : longEnd(line, start, word);
  if (at < 0 || (at < end && line[at] !== SPACE)) return c.refuse(REPLIES.unknown);
  command(c, line, skipSpaces(line, at), end);
}

const STARTTLS = pack('STARTTLS');
const XCLIENT = pack('XCLIENT');
const LONG_VERBS: ReadonlyMap<number, string> = new Map([
  [STARTTLS, 'STARTTLS'],
  [XCLIENT, 'XCLIENT'],
]);

/** Where a verb of more than four letters ends; -1 when it is another word. */
function longEnd(line: Buffer, start: number, word: string): number {
  const end = start + word.length;
  return line.toString('latin1', start, end).toUpperCase() === word ? end : -1;
}

const hello = (esmtp: boolean, step: Step): Command => {
  return (c, line, at, end) => {
    const name = line.toString('latin1', at, end).trimEnd();
    if (!isHeloName(name)) return c.refuse(REPLIES.heloSyntax);
    // RFC 5321 §4.1.4: EHLO in the middle of a session is a RSET.
    c.transaction.reset();
    c.helo = name;
    c.esmtp = esmtp;
    c.ask(c.settings.handler.onHelo, name, step);
  };
};

const helloStep = (text: (c: Dialogue) => string): Step => {
  return (c, answer) => {
    if (answer === undefined) c.write(text(c));
    else if (answer.code < 400) c.write(encodeReply(answer, false));
    else {
      c.helo = '';
      c.answer(answer);
    }
    c.flush();
  };
};

const heloStep = helloStep((c) => `250 ${c.settings.hostname}\r\n`);
const ehloStep = helloStep((c) => {
  const lines = [c.settings.hostname, ...extensions(c)];
  return lines.map((line, i) => `250${i < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('');
});

function extensions(c: Dialogue): string[] {
  const { capabilities, maxMessageBytes, tls, auth } = c.settings;
  const lines: string[] = [];
  if (capabilities.pipelining) lines.push('PIPELINING');
  if (capabilities.size) lines.push(`SIZE ${maxMessageBytes}`);
  if (tls !== undefined && c.tls === undefined) lines.push('STARTTLS');
  if (auth !== undefined && c.mayAuthenticate) lines.push('AUTH PLAIN LOGIN');
  if (capabilities.enhancedStatusCodes) lines.push('ENHANCEDSTATUSCODES');
  if (capabilities.eightBitMime) lines.push('8BITMIME');
  if (capabilities.smtpUtf8) lines.push('SMTPUTF8');
  if (capabilities.chunking) lines.push('CHUNKING');
  if (capabilities.dsn) lines.push('DSN');
  if (c.mayXclient) lines.push(XCLIENT_EXTENSION);
  return lines;
}

/** RFC 2920 §3.2: of all replies only those to MAIL, RCPT and RSET may wait for what follows. */
const always = (reply: CannedReply): Command => {
  return (c) => {
    c.reply(reply);
    c.flush();
  };
};

function rset(c: Dialogue): void {
  c.transaction.reset();
  c.reply(REPLIES.ok);
}

const starttls: Command = (c, _line, at, end) => {
  if (c.settings.tls === undefined) return c.refuse(REPLIES.notImplemented);
  if (c.tls !== undefined) return c.refuse(REPLIES.tlsActive);
  if (at < end) return c.refuse(REPLIES.noArgument);
  // RFC 3207 §4.2: what was learned in clear is forgotten, the client says EHLO again.
  c.transaction.reset();
  c.helo = '';
  c.esmtp = false;
  c.identity = undefined;
  c.startTls();
};

const COMMANDS: ReadonlyMap<number, Command> = new Map<number, Command>([
  [pack('EHLO'), hello(true, ehloStep)],
  [pack('HELO'), hello(false, heloStep)],
  [pack('MAIL'), mailCommand],
  [pack('RCPT'), rcptCommand],
  [pack('DATA'), dataCommand],
  [pack('BDAT'), bdatCommand],
  [pack('RSET'), rset],
  [pack('NOOP'), always(REPLIES.ok)],
  [pack('HELP'), always(REPLIES.help)],
  [pack('VRFY'), always(REPLIES.vrfy)],
  [pack('EXPN'), (c) => c.refuse(REPLIES.notImplemented)],
  [pack('QUIT'), (c) => c.close(REPLIES.bye)],
  [pack('AUTH'), authCommand],
  [STARTTLS, starttls],
  [XCLIENT, xclientCommand],
]);
