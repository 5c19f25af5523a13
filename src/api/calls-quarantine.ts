/** The calls of the quarantine. */
import type { Call } from './call.ts';
import { quarantineBody, quarantineChange, quarantineQuery, quarantineView } from './schemas-quarantine.ts';

const change = (name: 'release' | 'remove', summary: string, description: string): Call => ({
  method: 'POST',
  path: `/v1/queue/quarantine/${name}`,
  id: `${name}Quarantined`,
  action: `quarantine ${name}`,
  tag: 'queue',
  scope: 'operate',
  summary,
  description,
  body: quarantineBody,
  answer: { status: 200, description: 'How many, and why not the others.', schema: quarantineChange },
  refusals: [503],
  example: { body: { delivery_ids: ['0a1b2c3d4e5.1'] } },
});

export const QUARANTINE_CALLS: readonly Call[] = [
  {
    method: 'GET',
    path: '/v1/queue/quarantine',
    id: 'listQuarantine',
    tag: 'queue',
    scope: 'read',
    summary: 'Deliveries that are damaged and set aside',
    description: 'They stay queued and counted, and are not sent.',
    query: quarantineQuery,
    answer: { status: 200, description: 'The oldest ones after `after`.', schema: quarantineView },
    example: {},
  },
  change('release', 'Try again what can be read again', 'What is still damaged stays, and is named.'),
  change('remove', 'End damaged deliveries', 'They end as undelivered with the reason removed.'),
];
