/** The status page: what it has seen, and its routes on the status server. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type ApiDependencies, checkRequest, answer, refuse, type StatusPage } from '../api/index.ts';
import type { Commit } from '../queue/index.ts';
import { guard, isOpen } from './access.ts';
import { addAssets } from './assets.ts';
import { addCell } from './cell.ts';
import { Live } from './live.ts';
import { Observer } from './observer.ts';
import { Sessions } from './sessions.ts';
import { takePicture } from './snapshot.ts';
import type { SessionView } from './view.ts';

const signInBody = z.strictObject({ token: z.string().min(1).max(1000) });

export class Dashboard implements StatusPage {
  readonly #observer = new Observer();

  /** To be told of each group commit. */
  onCommit({ events, runs = [] }: Commit): void {
    for (const event of events) this.#observer.add(event);
    for (const run of runs) this.#observer.addRun(run);
  }

  attach(app: FastifyInstance, deps: ApiDependencies, token: string | undefined): void {
    const sessions = new Sessions(token, deps.clock);
    const live = new Live({
      sessions,
      picture: (slices) => takePicture({ deps, observer: this.#observer }, slices),
      recent: this.#observer.recent,
      onError: (error) => deps.log.error({ err: error }, 'the status page could not be told'),
    });
    guard(app, sessions);
    addAssets(app);
    addSession(app, sessions);
    addCell(app, deps);
    live.attach(app.server);
    app.addHook('preClose', (done) => {
      live.close();
      done();
    });
  }
}

function addSession(app: FastifyInstance, sessions: Sessions): void {
  app.get('/session', (request, reply) => {
    const view: SessionView = {
      signedIn: sessions.knows(request.headers.cookie),
      canSignIn: sessions.possible,
      open: isOpen(request.raw),
    };
    return reply.header('cache-control', 'no-store').send(view);
  });
  app.post('/session', (request, reply) => {
    const body = checkRequest(signInBody, request.body);
    if (!body.ok) return answer(reply, body);
    const signIn = sessions.signIn(body.value.token);
    if (signIn.ok) return reply.header('set-cookie', signIn.cookie).code(204).send();
    return signIn.why === 'wrong'
      ? refuse(reply, {
          status: 401,
          code: 'unauthorized',
          message: 'this is not the token of status.token_file',
        })
      : refuse(reply, { status: 429, code: 'too_many', message: 'too many wrong tokens: wait a minute' });
  });
  app.delete('/session', (request, reply) =>
    reply.header('set-cookie', sessions.signOut(request.headers.cookie)).code(204).send(),
  );
}
