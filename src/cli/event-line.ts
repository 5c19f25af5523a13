/** An event as one line for people. */
import type { Event, EventType } from '../core/index.ts';
import { clean, type Io, paint, shortClock } from './io.ts';
import { replyText } from './story.ts';

const COLOURS: Partial<Record<EventType, 'red' | 'green' | 'yellow'>> = {
  delivered: 'green',
  soft_bounce: 'yellow',
  hard_bounce: 'red',
  undelivered: 'red',
  alert: 'red',
};
const LONGEST_TYPE = 11;

/** `17  2026-05-01 08:00:00Z  soft_bounce  u1@a.test  n1 -> mx.a.test  451 4.7.1 later (rcpt)  next 08:10:00Z` */
export function eventLine(io: Pick<Io, 'colour' | 'columns' | 'now'>, event: Event): string {
  const {
    seq,
    type,
    time,
    recipient,
    node,
    mx,
    reply,
    reason,
    next_attempt: next,
    next_node: nextNode,
    campaign_id,
    delivery_id,
  } = event;
  const colour = COLOURS[type];
  const name = type.padEnd(LONGEST_TYPE);
  const path = [node, mx].filter((part) => part !== undefined).join(' -> ');
  const parts = [
    String(seq),
    shortClock(io, time),
    colour ? paint(io, colour, name) : name,
    clean(recipient ?? ''),
    clean(path),
    reply ? replyText(reply) : '',
    reason === undefined ? '' : clean(reason),
    next === undefined ? '' : `next ${shortClock(io, next)}`,
    nextNode === undefined ? '' : `to node ${clean(nextNode)}`,
    event.possible_duplicate ? 'possible duplicate' : '',
    [delivery_id, campaign_id]
      .filter((part) => part !== undefined)
      .map(clean)
      .join(' '),
  ];
  return parts.filter((part) => part !== '').join('  ');
}
