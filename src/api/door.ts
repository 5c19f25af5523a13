/** Who may come in over HTTP: bearer tokens, each with its scopes, bounds and speed. */
import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Clock, Rate } from '../core/index.ts';
import type { Scope } from './call.ts';
import { type Caller, callerOf, setCaller } from './caller.ts';
import { callOf } from './calls.ts';
import { refuse, type Refused } from './refused.ts';

/** A token of the configuration, with its secret read. */
export interface AccessToken {
  readonly name: string;
  readonly secret: string;
  readonly scopes: readonly Scope[];
  /** Empty: all. */
  readonly accounts: readonly string[];
  readonly senders: readonly string[];
  /** Requests it may make; null: any number. */
  readonly rate: Rate | null;
}

/** Calls that are not described need no more than this. */
const MONITORING: Scope = 'read';

interface Known {
  readonly caller: Caller;
  readonly bucket: Bucket | undefined;
}

/** Refuses what may not come in. Without a token everything may on the control socket, nothing over TCP. */
export function guardDoor(
  app: FastifyInstance,
  { tokens, required, clock }: { tokens: readonly AccessToken[]; required: boolean; clock: Clock },
): void {
  // Looked up by digest, so the time of it says nothing about a secret.
  const known = new Map(tokens.map((token) => [digest(token.secret), knownOf(token, clock)]));
  app.addHook('onRequest', async (request, reply) => {
    const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    const found = given === undefined ? undefined : known.get(digest(given));
    if (!found) {
      if (given !== undefined || required) await unknown(reply);
      return;
    }
    setCaller(request, { ...found.caller, address: request.socket.remoteAddress });
    const waitMs = found.bucket?.take() ?? 0;
    const refused =
      waitMs > 0 ? tooOften(found.caller.name, waitMs) : forbidden(callerOf(request), callOf(request));
    if (refused) await refuse(reply, refused);
  });
}

const knownOf = (token: AccessToken, clock: Clock): Known => ({
  caller: {
    kind: 'token',
    name: token.name,
    scopes: new Set(token.scopes),
    accounts: token.accounts.length > 0 ? token.accounts : undefined,
    senders: token.senders.length > 0 ? token.senders : undefined,
  },
  bucket: token.rate ? new Bucket(token.rate, clock) : undefined,
});

function unknown(reply: FastifyReply): FastifyReply {
  void reply.header('www-authenticate', 'Bearer');
  const message = 'send a token of control.tokens as "Authorization: Bearer <token>"; this is none';
  return refuse(reply, { status: 401, code: 'unauthorized', message });
}

const tooOften = (name: string, waitMs: number): Refused => ({
  status: 429,
  code: 'too_many',
  message: `the token ${name} makes more requests than its rate allows`,
  retryAfterSeconds: Math.ceil(waitMs / 1000),
});

function forbidden(
  { name, scopes, accounts, senders }: Caller,
  call: ReturnType<typeof callOf>,
): Refused | undefined {
  const scope = call?.scope ?? MONITORING;
  const refused = (message: string): Refused => ({ status: 403, code: 'forbidden', message });
  if (scopes && !scopes.has(scope) && !scopes.has('admin'))
    return refused(`the token ${name} has the scopes ${[...scopes].join(', ')}, and this needs ${scope}`);
  const fits = call?.bound === 'by accounts and senders' || (call?.bound === 'by accounts' && !senders);
  if ((accounts ?? senders) && !fits)
    return refused(
      `this is about the mail of all, and the token ${name} is bound to some accounts or senders`,
    );
  return undefined;
}

/** Lets as many pass as the rate says, all of them at once if nobody came before. */
class Bucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  #left: number;
  #at: number;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#left = rate.count;
    this.#at = clock.mono();
  }

  /** 0 when one may pass, else the time until then in ms. */
  take(): number {
    const { count, perMs } = this.#rate;
    const now = this.#clock.mono();
    this.#left = Math.min(count, this.#left + ((now - this.#at) * count) / perMs);
    this.#at = now;
    if (this.#left < 1) return ((1 - this.#left) * perMs) / count;
    this.#left -= 1;
    return 0;
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
