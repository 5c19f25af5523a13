/**
 * AUTH PLAIN and LOGIN (RFC 4954, RFC 4616). Offered and taken only under TLS or from the loopback interface; every
 * failure counts as an error of the session, so guessing ends with 421. Passwords are never logged or kept.
 */
import type { Command, Dialogue } from './dialogue.ts';
import { REPLIES } from './replies.ts';

interface Verdict {
  readonly identity: string | undefined;
  readonly fault: boolean;
}

export const authCommand: Command = (c, line, at, end) => {
  if (c.settings.auth === undefined) return c.refuse(REPLIES.notImplemented);
  if (c.helo === '') return c.refuse(REPLIES.heloFirst);
  // RFC 4954 §4: once per session, and not within a transaction.
  if (c.identity !== undefined || c.transaction.open) return c.refuse(REPLIES.noAuthNow);
  if (!c.mayAuthenticate) return c.refuse(REPLIES.authInClear);
  const [mechanism, initial, ...rest] = line.toString('latin1', at, end).trim().split(' ');
  if (rest.length > 0) return c.refuse(REPLIES.authSyntax);
  if (mechanism?.toUpperCase() === 'PLAIN') begin(c, 'plain', initial);
  else if (mechanism?.toUpperCase() === 'LOGIN') begin(c, 'user', initial);
  else c.refuse(REPLIES.authMechanism);
};

function begin(c: Dialogue, next: 'plain' | 'user', initial: string | undefined): void {
  c.auth = { next, user: '' };
  c.mode = 'auth';
  if (initial === undefined) c.reply(next === 'plain' ? REPLIES.authPlain : REPLIES.authUser);
  // RFC 4954 §4: `=` is an empty initial response.
  else respond(c, initial === '=' ? '' : initial);
}

/** A line of the client within the exchange. */
export function authLine(c: Dialogue, line: Buffer, start: number, end: number): void {
  respond(c, line.toString('latin1', start, end));
}

function respond(c: Dialogue, response: string): void {
  const exchange = c.auth;
  c.auth = undefined;
  c.mode = 'command';
  if (exchange === undefined || response === '*') return c.refuse(REPLIES.authCancelled);
  const text = decode(response);
  if (text === undefined) return c.refuse(REPLIES.authSyntax);
  if (exchange.next === 'plain') return plain(c, text);
  if (exchange.next === 'password') return verify(c, exchange.user, text);
  c.auth = { next: 'password', user: text };
  c.mode = 'auth';
  c.reply(REPLIES.authPassword);
}

function decode(response: string): string | undefined {
  if (response.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(response)) return undefined;
  return Buffer.from(response, 'base64').toString('utf8');
}

function plain(c: Dialogue, text: string): void {
  const [authorize, user, password, ...rest] = text.split('\0');
  if (user === undefined || password === undefined || rest.length > 0) return c.refuse(REPLIES.authSyntax);
  // Nobody may act for somebody else.
  if (authorize !== '' && authorize !== user) return c.refuse(REPLIES.authFailed);
  verify(c, user, password);
}

function verify(c: Dialogue, user: string, password: string): void {
  void c.suspend(ask(c, user, password), conclude);
}

async function ask(c: Dialogue, user: string, password: string): Promise<Verdict> {
  try {
    return { identity: await c.settings.auth?.verify(user, password), fault: false };
  } catch (error) {
    c.settings.onError(error, 'auth');
    return { identity: undefined, fault: true };
  }
}

function conclude(c: Dialogue, verdict: Verdict): void {
  if (verdict.fault) return c.reply(REPLIES.authFault);
  if (verdict.identity === undefined) return c.refuse(REPLIES.authFailed);
  c.identity = verdict.identity;
  c.reply(REPLIES.authOk);
}
