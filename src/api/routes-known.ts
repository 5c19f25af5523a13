/** What is answered when no route fits: the routes that are near, or the methods that the path takes. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { distance } from 'fastest-levenshtein';
import { refuse } from './refused.ts';

interface Known {
  readonly method: string;
  readonly path: string;
}

const NEAR = 3;
const LONGEST = 200;

/** Call before the routes are added: it takes note of them. */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const routes: Known[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) routes.push({ method: one, path: url });
  });
  app.setNotFoundHandler((request, reply) => unknown(routes, request, reply));
}

function unknown(routes: readonly Known[], request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.split('?', 1)[0]!.slice(0, LONGEST);
  const methods = routes.filter((route) => fits(route.path, path)).map(({ method }) => method);
  if (methods.length > 0) {
    void reply.header('allow', methods.join(', '));
    const message = `${path} takes ${methods.join(' and ')}, not ${request.method}`;
    return refuse(reply, { status: 405, code: 'method_not_allowed', message });
  }
  const near = nearest(routes, path);
  const message = `there is no ${path}; near: ${near.join(', ')}`;
  return refuse(reply, { status: 404, code: 'not_found', message, details: { near } });
}

/** Whether a path fits a route such as `/v1/messages/:id`. */
function fits(route: string, path: string): boolean {
  const [wanted, given] = [route.split('/'), path.split('/')];
  return (
    wanted.length === given.length && wanted.every((step, i) => step.startsWith(':') || step === given[i])
  );
}

function nearest(routes: readonly Known[], path: string): string[] {
  return routes
    .map(({ method, path: known }) => ({ text: `${method} ${known}`, away: distance(known, path) }))
    .sort((a, b) => a.away - b.away)
    .slice(0, NEAR)
    .map(({ text }) => text);
}
