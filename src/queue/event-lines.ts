/**
 * The fields of events as JSON, without the braces. Of the deliveries that one work accepts, ends or moves most events
 * differ in delivery and recipient alone, so the rest of their text is made once in a commit: a quarter of the time
 * that writing each out takes (4 us). An event that quotes a reply is one of its own.
 */
import type { EventDraft, EventRun } from './committer.ts';
import { messageIdOf } from '../core/index.ts';

/** What an event has beside delivery, recipient and time, and its text around those two. */
interface Shape {
  /** The fields that have a value. */
  readonly labels: Readonly<EventFields>;
  readonly count: number;
  readonly middle: string;
  readonly end: string;
}

type EventFields = Partial<Record<keyof EventDraft, unknown>>;

/** A batch has one for each sender and node, a job for each row that it goes through; more are not looked through. */
const SHAPES = 8;
const NO_RECIPIENT = '"recipient":""';
/** What JSON writes as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

const fieldsOf = (draft: EventDraft): string => JSON.stringify({ ...draft, time: undefined }).slice(1, -1);

/** Whether others with the same text around delivery and recipient can be expected. */
const isAlike = ({ type, reply, report }: EventDraft): boolean =>
  (type === 'accepted' || type === 'moved' || type === 'undelivered') &&
  reply === undefined &&
  report === undefined;

export class EventLines {
  readonly #shapes: Shape[] = [];
  #message: string | undefined;

  fields(draft: EventDraft): string {
    const { delivery_id: id, message_id: message, recipient } = draft;
    // The first event of a message: most messages have no other.
    const first = message !== this.#message;
    this.#message = message;
    if (first || id === undefined || recipient === undefined || !isAlike(draft)) return fieldsOf(draft);
    return filled(this.#shapes.find((one) => fits(one, draft)) ?? this.#add(draft), id, recipient);
  }

  /** The fields of each event of a run, by its place in it. */
  ofRun({ draft, number, indexes, recipients }: EventRun): (i: number) => string {
    const shape = this.#add(draft);
    const message = messageIdOf(number);
    return (i) => filled(shape, `${message}.${indexes[i]!}`, recipients[i]!);
  }

  #add(draft: EventDraft): Shape {
    const { time: _, delivery_id: __, recipient: ___, ...labels } = draft;
    const { metadata, ...others } = { ...draft, delivery_id: undefined, recipient: '' };
    // Metadata, the one field that may have fields of that name, goes behind it.
    const text = fieldsOf({ ...others, metadata });
    const at = text.indexOf(NO_RECIPIENT);
    const shape = {
      labels,
      count: Object.values(labels).filter((value) => value !== undefined).length,
      middle: `,${text.slice(0, at)}`,
      end: text.slice(at + NO_RECIPIENT.length),
    };
    if (this.#shapes.push(shape) > SHAPES) this.#shapes.shift();
    return shape;
  }
}

function filled({ middle, end }: Shape, id: string, recipient: string): string {
  const quoted = PLAIN.test(recipient) ? `"${recipient}"` : JSON.stringify(recipient);
  return `"delivery_id":"${id}"${middle}"recipient":${quoted}${end}`;
}

function fits({ labels, count }: Shape, draft: EventDraft): boolean {
  let same = 0;
  for (const name in draft) {
    const value = draft[name as keyof EventDraft];
    if (value === undefined || name === 'time' || name === 'delivery_id' || name === 'recipient') continue;
    if (value !== labels[name as keyof EventDraft]) return false;
    same++;
  }
  return same === count;
}
