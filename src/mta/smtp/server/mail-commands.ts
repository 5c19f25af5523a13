/** MAIL and RCPT (RFC 5321 §4.1.1.2 and §4.1.1.3): order, address, parameters, then the handler's word. */
import type { Command, Dialogue, Step } from './dialogue.ts';
import type { Parameters } from './handler.ts';
import { afterKeyword, parseParameters, parsePath, type Path } from './path.ts';
import { REPLIES, syntaxError, type CannedReply } from './replies.ts';

const FROM = Buffer.from('FROM');
const TO = Buffer.from('TO');

export const mailCommand: Command = (c, line, at, end) => {
  const wrongOrder = mailOrder(c);
  if (wrongOrder !== undefined) return c.refuse(wrongOrder);
  const start = afterKeyword(line, at, FROM);
  if (start < 0) return c.refuse(REPLIES.mailSyntax);
  const path = parsePath(line, start, end);
  // RFC 3463 §3.2: 5.1.7 is the sender's bad syntax, 5.1.3 the recipient's.
  if (!path.ok || path.value.address === 'postmaster')
    return refuseAddress(c, '5.1.7', path.ok ? 'the sender needs a domain' : path.error);
  const parameters = parseParameters(line, path.value.next, end);
  const refusal = mailParameters(c, parameters);
  if (refusal !== undefined || parameters === undefined) {
    c.transaction.reset();
    return c.refuse(refusal ?? REPLIES.badParameter);
  }
  const { address, needsUtf8 } = path.value;
  if (needsUtf8 && !c.transaction.smtpUtf8) return c.refuse(REPLIES.utf8Needed);
  c.transaction.pending = address;
  c.ask(c.settings.handler.onMail, { address, parameters }, mailStep);
};

function mailOrder(c: Dialogue): CannedReply | undefined {
  if (c.helo === '') return REPLIES.heloFirst;
  if (c.settings.tls?.required === true && c.tls === undefined) return REPLIES.tlsRequired;
  return c.transaction.open ? REPLIES.nestedMail : undefined;
}

const mailStep: Step = (c, answer) => {
  const { transaction } = c;
  if (answer !== undefined && answer.code >= 300) {
    transaction.reset();
    return c.answer(answer);
  }
  transaction.from = transaction.pending;
  if (answer === undefined) c.reply(REPLIES.mailOk);
  else c.answer(answer);
};

/** Takes over what the parameters say. Returns the reply to one that is unknown or not offered. */
function mailParameters(c: Dialogue, parameters: Parameters | undefined): CannedReply | undefined {
  c.transaction.eightBit = false;
  c.transaction.smtpUtf8 = false;
  if (parameters === undefined) return REPLIES.badParameter;
  if (parameters.size === 0) return undefined;
  if (!c.esmtp) return REPLIES.badParameter;
  for (const [keyword, value] of parameters) {
    const refusal = MAIL_PARAMETERS[keyword]?.(c, value) ?? REPLIES.badParameter;
    if (refusal !== 'taken') return refusal;
  }
  return undefined;
}

type Parameter = (c: Dialogue, value: string) => CannedReply | 'taken';

const ofDsn =
  (allowed: RegExp): Parameter =>
  (c, value) =>
    c.settings.capabilities.dsn && allowed.test(value) ? 'taken' : REPLIES.badParameter;

/** Without a prototype: a keyword is the client's text. */
const MAIL_PARAMETERS: Readonly<Record<string, Parameter>> = Object.assign(
  Object.create(null) as Record<string, Parameter>,
  {
    SIZE: (c, value) => {
      // RFC 1870 §3: at most 20 digits.
      if (!c.settings.capabilities.size || !/^[0-9]{1,20}$/.test(value)) return REPLIES.badParameter;
      return Number(value) > c.settings.maxMessageBytes ? REPLIES.tooLarge : 'taken';
    },
    BODY: (c, value) => {
      const body = value.toUpperCase();
      if (!c.settings.capabilities.eightBitMime || (body !== '7BIT' && body !== '8BITMIME'))
        return REPLIES.badParameter;
      c.transaction.eightBit = body === '8BITMIME';
      return 'taken';
    },
    SMTPUTF8: (c, value) => {
      if (!c.settings.capabilities.smtpUtf8 || value !== '') return REPLIES.badParameter;
      c.transaction.smtpUtf8 = true;
      return 'taken';
    },
    // RFC 4954 §5: who first submitted the message; of no use here.
    AUTH: () => 'taken',
    RET: ofDsn(/^(?:FULL|HDRS)$/i),
    ENVID: ofDsn(/^.{1,100}$/),
  } satisfies Record<string, Parameter>,
);

export const rcptCommand: Command = (c, line, at, end) => {
  if (!c.transaction.open) return c.refuse(c.helo === '' ? REPLIES.heloFirst : REPLIES.mailFirst);
  if (c.transaction.chunked) return c.refuse(REPLIES.mixedContent);
  const start = afterKeyword(line, at, TO);
  if (start < 0) return c.refuse(REPLIES.rcptSyntax);
  const path = parsePath(line, start, end);
  c.transaction.rcptTried = true;
  if (!path.ok || path.value.address === '')
    return refuseAddress(c, '5.1.3', path.ok ? 'a recipient cannot be empty' : path.error);
  if (path.value.needsUtf8 && !c.transaction.smtpUtf8) return c.refuse(REPLIES.utf8Needed);
  const parameters = parseParameters(line, path.value.next, end);
  if (parameters === undefined || !rcptParameters(c, parameters)) return c.refuse(REPLIES.badParameter);
  // RFC 5321 §4.5.3.1.10: too many recipients are a temporary refusal of each one.
  if (c.transaction.recipients.length >= c.settings.maxRecipients) return c.reply(REPLIES.tooManyRecipients);
  const address = withDomain(c, path.value);
  c.transaction.pending = address;
  c.ask(c.settings.handler.onRcpt, { address, parameters }, rcptStep);
};

/** RFC 5321 §4.1.1.3: `<postmaster>` alone is the postmaster of this host. */
const withDomain = (c: Dialogue, path: Path): string =>
  path.address === 'postmaster' ? `postmaster@${c.settings.hostname.toLowerCase()}` : path.address;

const rcptStep: Step = (c, answer) => {
  if (answer === undefined || answer.code < 300) c.transaction.recipients.push(c.transaction.pending);
  if (answer === undefined) c.reply(REPLIES.rcptOk);
  else c.answer(answer);
};

/** RFC 3461 §4: NOTIFY and ORCPT, when DSN is offered. */
function rcptParameters(c: Dialogue, parameters: Parameters): boolean {
  for (const keyword of parameters.keys())
    if (!c.esmtp || !c.settings.capabilities.dsn || (keyword !== 'NOTIFY' && keyword !== 'ORCPT'))
      return false;
  return true;
}

function refuseAddress(c: Dialogue, enhanced: string, reason: string): void {
  c.answer(syntaxError(enhanced, `Syntax error in the address: ${reason}`));
  c.countError();
}
