/** `GET /v1/cell`: the settings, last events and refusals of one node towards one ISP, from the end of the journal. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { answer, type ApiDependencies, checkRequest } from '../api/index.ts';
import { type Event, ok } from '../core/index.ts';
import type { CellDetails } from './view.ts';

/** How far back it looks, and how much of it in one turn. */
const EVENTS_BACK = 20_000;
const SLICE = 1_000;
const LAST_EVENTS = 50;
const LAST_ERRORS = 10;

const cellQuery = z.strictObject({ node: z.string().min(1).max(200), isp: z.string().min(1).max(200) });

export function addCell(app: FastifyInstance, deps: ApiDependencies): void {
  let underWay: Promise<unknown> = Promise.resolve();
  app.get('/v1/cell', async (request, reply) => {
    const query = checkRequest(cellQuery, request.query);
    if (!query.ok) return answer(reply, query);
    // One after the other: many browsers must not read the journal at once.
    const details = underWay.then(() => detailsOf(deps, query.value));
    underWay = details.catch(() => undefined);
    return answer(reply, ok(await details));
  });
}

async function detailsOf(
  { queue, egress }: ApiDependencies,
  { node, isp }: z.infer<typeof cellQuery>,
): Promise<CellDetails> {
  const { journal } = queue.state;
  const start = Math.max(0, journal.last - EVENTS_BACK);
  const needle = `"node":${JSON.stringify(node)}`;
  let [events, errors, after]: [Event[], Event[], number] = [[], [], start];
  for (let more = true; more; await nextTurn()) {
    const before = after;
    for (const { seq, line } of journal.lines(after)) {
      after = seq;
      if (line.includes(needle)) {
        const event = JSON.parse(line) as Event;
        if (event.node === node && event.isp === isp) {
          events.push(event);
          if (event.reply && event.type !== 'delivered') errors.push(event);
        }
      }
      if (seq - before >= SLICE) break;
    }
    events = events.slice(-LAST_EVENTS);
    errors = errors.slice(-LAST_ERRORS);
    more = after - before >= SLICE && after < journal.last;
  }
  const settings = egress.settingsOf(node, isp);
  return { events: events.reverse(), errors: errors.reverse(), settings, looked: after - start };
}
