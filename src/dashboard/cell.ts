/** `GET /v1/cell`: the settings, last events and refusals of one node towards one ISP, from the end of the journal. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { answer, type ApiDependencies, checkRequest } from '../api/index.ts';
import { type Event, ok } from '../core/index.ts';
import type { CellDetails } from './view.ts';

/** How far back it looks at most: minutes of a busy site. In such steps, and so much of them in one turn. */
const EVENTS_BACK = 200_000;
const STEP = 10_000;
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

type Place = z.infer<typeof cellQuery>;

export async function detailsOf(
  { queue, egress }: Pick<ApiDependencies, 'queue' | 'egress'>,
  place: Place,
): Promise<CellDetails> {
  const { journal } = queue.state;
  const { last } = journal;
  const least = Math.max(0, last - EVENTS_BACK);
  let [events, errors, from]: [Event[], Event[], number] = [[], [], last];
  // From the end backwards, no further than it takes to have enough: of a busy site the end is a few seconds.
  while (from > least && (events.length < LAST_EVENTS || errors.length < LAST_ERRORS)) {
    const through = from;
    from = Math.max(least, through - STEP);
    const found = await eventsOf(journal, place, { after: from, through });
    events = [...found, ...events].slice(-LAST_EVENTS);
    errors = [...found.filter(isRefusal), ...errors].slice(-LAST_ERRORS);
  }
  const settings = egress.settingsOf(place.node, place.isp);
  return { events: events.reverse(), errors: errors.reverse(), settings, looked: last - from };
}

const isRefusal = ({ type, reply }: Event): boolean => reply !== undefined && type !== 'delivered';

async function eventsOf(
  journal: ApiDependencies['queue']['state']['journal'],
  { node, isp }: Place,
  { after, through }: { readonly after: number; readonly through: number },
): Promise<Event[]> {
  const found: Event[] = [];
  const needle = `"node":${JSON.stringify(node)}`;
  for (let at = after; at < through; await nextTurn()) {
    const before = at;
    for (const { seq, line } of journal.lines(at)) {
      if (seq > through) return found;
      at = seq;
      if (line.includes(needle)) {
        const event = JSON.parse(line) as Event;
        if (event.node === node && event.isp === isp) found.push(event);
      }
      if (seq - before >= SLICE) break;
    }
    if (at === before) return found;
  }
  return found;
}
