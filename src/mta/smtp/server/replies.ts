/**
 * Replies in wire form. Constant ones are encoded once, with and without the enhanced status code (RFC 2034);
 * those of a handler are made safe: printable ASCII only, lines of at most 512 octets (RFC 5321 §4.5.3.1.5).
 */
import type { Reply } from '../../../core/index.ts';

export interface CannedReply {
  readonly code: number;
  /** With and without the enhanced status code. */
  readonly enhancedWire: string;
  readonly plainWire: string;
}

const canned = (code: number, enhanced: string, text: string): CannedReply => ({
  code,
  enhancedWire: `${code} ${enhanced} ${text}\r\n`,
  plainWire: `${code} ${text}\r\n`,
});

/** RFC 2034 §4: replies of class 3 and the greeting carry no enhanced status code. */
const plain = (code: number, text: string): CannedReply => {
  const wire = `${code} ${text}\r\n`;
  return { code, enhancedWire: wire, plainWire: wire };
};

export const REPLIES = {
  ok: canned(250, '2.0.0', 'Ok'),
  mailOk: canned(250, '2.1.0', 'Ok'),
  rcptOk: canned(250, '2.1.5', 'Ok'),
  chunkOk: canned(250, '2.0.0', 'Chunk received'),
  goAhead: plain(354, 'End data with <CR><LF>.<CR><LF>'),
  bye: canned(221, '2.0.0', 'Bye'),
  help: canned(214, '2.0.0', 'See RFC 5321'),
  vrfy: canned(252, '2.0.0', 'Cannot VRFY, but will take mail for the address'),
  tlsReady: canned(220, '2.0.0', 'Ready to start TLS'),
  authOk: canned(235, '2.7.0', 'Authentication successful'),
  authPlain: plain(334, ''),
  authUser: plain(334, 'VXNlcm5hbWU6'),
  authPassword: plain(334, 'UGFzc3dvcmQ6'),

  proxyHeader: canned(421, '4.3.0', 'A PROXY protocol header is needed here, closing connection'),
  timeout: canned(421, '4.4.2', 'Timeout, closing connection'),
  shutdown: canned(421, '4.3.2', 'Service shutting down, try again later'),
  tooManyConnections: canned(421, '4.3.2', 'Too many connections, try again later'),
  tooManyErrors: canned(421, '4.7.0', 'Too many errors, closing connection'),
  fault: canned(421, '4.3.0', 'Internal error, closing connection'),

  handlerFault: canned(451, '4.3.0', 'Internal error, try again later'),
  authFault: canned(454, '4.7.0', 'Temporary authentication failure'),
  tooManyRecipients: canned(452, '4.5.3', 'Too many recipients'),
  noMemory: canned(452, '4.3.1', 'Too much mail in flight, try again later'),

  commandTooLong: canned(500, '5.5.2', 'Line too long'),
  bareLineEnd: canned(500, '5.5.2', 'Command lines end with CRLF'),
  unknown: canned(500, '5.5.1', 'Command not recognized'),
  notImplemented: canned(502, '5.5.1', 'Command not implemented'),
  heloSyntax: canned(501, '5.5.4', 'A host name or address literal is needed'),
  mailSyntax: canned(501, '5.5.4', 'Syntax: MAIL FROM:<address>'),
  rcptSyntax: canned(501, '5.5.4', 'Syntax: RCPT TO:<address>'),
  bdatSyntax: canned(501, '5.5.4', 'Syntax: BDAT size [LAST]'),
  noArgument: canned(501, '5.5.4', 'This command takes no argument'),
  authSyntax: canned(501, '5.5.2', 'Cannot decode the response'),
  authCancelled: canned(501, '5.7.0', 'Authentication cancelled'),
  xclientSyntax: canned(501, '5.5.4', 'Syntax: XCLIENT attribute=value ...'),
  xclientValue: canned(501, '5.5.4', 'An attribute of XCLIENT has a value that it cannot have'),
  xclientLogin: canned(501, '5.7.8', 'XCLIENT names a user that is not known here'),
  xclientDenied: canned(550, '5.7.0', 'XCLIENT is not for this address'),
  inTransaction: canned(503, '5.5.1', 'Not within a transaction, RSET first'),
  heloFirst: canned(503, '5.5.1', 'EHLO or HELO first'),
  nestedMail: canned(503, '5.5.1', 'Sender already given'),
  mailFirst: canned(503, '5.5.1', 'MAIL first'),
  rcptFirst: canned(503, '5.5.1', 'RCPT first'),
  mixedContent: canned(503, '5.5.1', 'DATA and BDAT do not mix'),
  chunkRefused: canned(503, '5.5.1', 'The transaction has failed, RSET first'),
  noAuthNow: canned(503, '5.5.1', 'AUTH is not possible now'),
  tlsActive: canned(503, '5.5.1', 'TLS is active already'),
  authMechanism: canned(504, '5.5.4', 'Mechanism not supported'),
  tlsRequired: canned(530, '5.7.0', 'Must issue a STARTTLS command first'),
  authFailed: canned(535, '5.7.8', 'Authentication credentials invalid'),
  authInClear: canned(538, '5.7.11', 'Encryption required for requested authentication mechanism'),
  bareContent: canned(
    550,
    '5.6.0',
    'Bare CR or LF in the message: each line has to end with CRLF (curl: --crlf)',
  ),
  tooLarge: canned(552, '5.3.4', 'Message exceeds the size limit'),
  utf8Needed: canned(553, '5.6.7', 'A non-ASCII address needs SMTPUTF8'),
  noRecipients: canned(554, '5.5.1', 'No valid recipients'),
  earlyTalker: canned(554, '5.5.0', 'Talking too early'),
  badParameter: canned(555, '5.5.4', 'Parameter not recognized or not implemented'),
} as const;

/** Text of one reply line: 512 octets less code, separator, enhanced code and CRLF, rounded down. */
const MAX_LINE = 480;

/** Printable ASCII only: whatever a handler quotes must not be able to end the line. */
function sanitize(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c > 0x7e) return replaceUnprintable(text);
  }
  return text;
}

function replaceUnprintable(text: string): string {
  let safe = '';
  for (const c of text) safe += c < ' ' || c > '~' ? '?' : c;
  return safe;
}

/** Lines of the text: split at line feeds and at the length limit, at least one. */
function linesOf(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const safe = sanitize(line.endsWith('\r') ? line.slice(0, -1) : line);
    for (let at = 0; at === 0 || at < safe.length; at += MAX_LINE) lines.push(safe.slice(at, at + MAX_LINE));
  }
  return lines;
}

/** Wire form of a handler's reply. A line feed in the text makes a multi-line reply. */
export function encodeReply(reply: Reply, enhanced: boolean): string {
  const status = enhanced && reply.enhanced !== undefined ? ` ${sanitize(reply.enhanced)}` : '';
  if (reply.text.length <= MAX_LINE && !reply.text.includes('\n'))
    return `${reply.code}${status} ${sanitize(reply.text)}\r\n`;
  const lines = linesOf(reply.text);
  return lines
    .map((line, i) =>
      i < lines.length - 1
        ? `${reply.code}-${status.trimStart()}${status && ' '}${line}\r\n`
        : `${reply.code}${status} ${line}\r\n`,
    )
    .join('');
}

/** A refusal with a text of its own, for errors that say what is wrong. */
export const syntaxError = (enhanced: string, text: string): Reply => ({ code: 501, enhanced, text });
