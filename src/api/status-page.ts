/** The plain page of the status server: what is here. It names no recipient, campaign or path. */
import type { FastifyInstance } from 'fastify';
import type { ApiDependencies } from './dependencies.ts';

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export function addStatusPage(app: FastifyInstance, deps: ApiDependencies): void {
  app.get('/', (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header(
        'content-security-policy',
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      )
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'no-store')
      .send(page(deps)),
  );
}

function page(deps: ApiDependencies): string {
  const { version, hostname, ready, started } = deps.status();
  const title = `Postrider on ${escape(hostname)}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem }</style>
<h1>${title}</h1>
<p>Version ${escape(version)}, up since ${new Date(started).toISOString()}, ${ready ? 'ready' : 'not ready'}.</p>
<ul>
<li><a href="/metrics">/metrics</a>: figures for Prometheus</li>
<li><a href="/healthz">/healthz</a>: whether the process is alive</li>
<li><a href="/readyz">/readyz</a>: whether it does its work, and why not</li>
</ul>
<p>All else is on the control socket: <code>postrider status</code>.</p>
</html>
`;
}
