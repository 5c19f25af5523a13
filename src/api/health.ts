/** For monitoring: `/healthz` (is the process alive), `/readyz` (does it do its work), `/metrics`. No recipient data. */
import type { FastifyInstance } from 'fastify';
import type { ApiDependencies, RouteContext } from './dependencies.ts';

/** Commits take milliseconds; work that waits this long for one means that the store is stuck. */
const STUCK_MS = 30_000;

/** Sees whether commits go on while work waits. It learns when it is asked, so ask more than once. */
class CommitWatch {
  readonly #deps: ApiDependencies;
  #commits = -1;
  #since = 0;

  constructor(deps: ApiDependencies) {
    this.#deps = deps;
  }

  /** How long (ms) work has waited without a commit; 0 when all is well. */
  stuckMs(): number {
    const { queue, metrics, clock } = this.#deps;
    const now = clock.mono();
    if (queue.state.committer.waiting === 0 || metrics.commits !== this.#commits) {
      this.#commits = metrics.commits;
      this.#since = now;
    }
    return now - this.#since;
  }
}

export function addHealth(app: FastifyInstance, { deps }: Pick<RouteContext, 'deps'>): void {
  const watch = new CommitWatch(deps);
  app.get('/healthz', (_request, reply) => {
    const stuckMs = watch.stuckMs();
    const stuck = stuckMs > STUCK_MS;
    const body = stuck
      ? { status: 'stuck', reason: `no commit for ${Math.round(stuckMs / 1000)} s while work waits for one` }
      : { status: 'ok' };
    return reply.code(stuck ? 503 : 200).send({ ...body, commits: deps.metrics.commits });
  });
  app.get('/readyz', (_request, reply) => {
    const { ready, notReady } = deps.status();
    return reply.code(ready ? 200 : 503).send({ ready, reasons: notReady });
  });
  app.get('/metrics', async (_request, reply) => {
    const { registry } = deps.metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
