/** The files of the page. They are made by the build; a program that runs from its sources takes those of the last build. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';

const PLACES = ['assets', '../../dist/dashboard/assets'].map((place) => join(import.meta.dirname, place));
const FILES = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.js', file: 'main.js', type: 'text/javascript; charset=utf-8' },
  { path: '/page.css', file: 'style.css', type: 'text/css; charset=utf-8' },
  { path: '/icon.svg', file: 'icon.svg', type: 'image/svg+xml' },
] as const;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

export function addAssets(app: FastifyInstance): void {
  const place = PLACES.find((one) => existsSync(join(one, 'index.html')));
  for (const { path, file, type } of FILES) {
    const body = place === undefined ? undefined : readFileSync(join(place, file));
    app.get(path, (_request, reply) =>
      secured(reply)
        .code(body ? 200 : 503)
        .type(body ? type : 'text/plain; charset=utf-8')
        .send(body ?? 'The page is not built: npm run build\n'),
    );
  }
}

const secured = (reply: FastifyReply): FastifyReply =>
  reply
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cross-origin-resource-policy', 'same-origin')
    .header('cache-control', 'no-cache');
