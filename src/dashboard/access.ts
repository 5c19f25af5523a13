/**
 * Who may see what on the status server.
 * - The page and the sign-in: everybody who gets there.
 * - Figures without recipients: without sign-in only when the page was asked for by a name of this machine itself
 *   (127.0.0.1, localhost). So a public address, a proxy, and a stranger's page that points its own name at us all
 *   need the sign-in.
 * - Everything under /v1: the session cookie, or the token as a bearer. Without a token_file nobody.
 * - Monitoring: as ever, with the token as a bearer if there is one; the session does too.
 * - What changes something with a cookie must come from this page: Origin is ours, and a header that no form can send.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refuse, setCaller } from '../api/index.ts';
import type { Sessions } from './sessions.ts';

export const PAGE_HEADER = 'postrider-page';
const MONITORING = new Set(['/metrics', '/healthz', '/readyz']);
const LOCAL = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])(?::\d+)?$/i;

export function guard(app: FastifyInstance, sessions: Sessions): void {
  app.addHook('onRequest', async (request, reply) => {
    // The route, not the text of the URL: that can be written in many ways.
    const path = request.routeOptions.url ?? '';
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const bearer = bearerOf(request);
    const byToken = bearer !== undefined && sessions.isToken(bearer);
    if (changes && !byToken && !fromThisPage(request)) {
      const message = `this may be sent by the page only, or with the token of status.token_file as a bearer`;
      await refuse(reply, { status: 403, code: 'forbidden', message });
      return;
    }
    const session = sessions.nameOf(request.headers.cookie);
    if (byToken) setCaller(request, { kind: 'token', name: 'status.token_file', address: request.ip });
    else if (session !== undefined) setCaller(request, { kind: 'page', name: session, address: request.ip });
    if (!needsSignIn(path, sessions) || byToken || session !== undefined) return;
    void reply.header('www-authenticate', 'Bearer');
    const message = sessions.possible
      ? 'sign in on the page, or send the token of status.token_file as "Authorization: Bearer <token>"'
      : 'set status.token_file in the configuration, then sign in on the page with that token';
    await refuse(reply, { status: 401, code: 'unauthorized', message });
  });
}

function needsSignIn(path: string, sessions: Sessions): boolean {
  return path.startsWith('/v1/') || (MONITORING.has(path) && sessions.possible);
}

/** Whether figures may be seen without sign-in. */
export const isOpen = (request: IncomingMessage): boolean => LOCAL.test(request.headers.host ?? '');

/** A browser always sends Origin with a WebSocket and with what is not GET. */
export const isOwnOrigin = ({ headers }: IncomingMessage): boolean => {
  const { origin, host } = headers;
  return origin !== undefined && host !== undefined && /^https?:\/\/(.+)$/.exec(origin)?.[1] === host;
};

const fromThisPage = (request: FastifyRequest): boolean =>
  request.headers[PAGE_HEADER] === '1' && isOwnOrigin(request.raw);

const bearerOf = (request: FastifyRequest): string | undefined =>
  /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
