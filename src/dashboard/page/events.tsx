/** The newest events, with filters. What is shown stands still while it is paused. */
import { useState } from 'preact/hooks';
import type { Event } from '../../core/index.ts';
import type { EventDraft } from '../../queue/index.ts';
import { useSpeech } from './speech.ts';

const SHOWN = 100;

export function Events({ events }: { readonly events: readonly EventDraft[] }) {
  const { say } = useSpeech();
  const [type, setType] = useState('');
  const [text, setText] = useState('');
  const [held, setHeld] = useState<readonly EventDraft[]>();
  const all = held ?? events;
  const types = [...new Set(all.map((event) => event.type))].sort();
  const wanted = text.trim().toLowerCase();
  const shown = all
    .filter((event) => type === '' || event.type === type)
    .filter((event) => wanted === '' || JSON.stringify(event).toLowerCase().includes(wanted))
    .slice(0, SHOWN);
  return (
    <section class="panel" id="events">
      <h2>{say('events')}</h2>
      <div class="tools">
        <select
          aria-label={say('event')}
          value={type}
          onChange={({ currentTarget }) => setType(currentTarget.value)}
        >
          <option value="">{say('allTypes')}</option>
          {types.map((one) => (
            <option value={one}>{say(`type_${one}`)}</option>
          ))}
        </select>
        <input
          type="search"
          placeholder={say('filter')}
          aria-label={say('filter')}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button aria-pressed={held !== undefined} onClick={() => setHeld(held ? undefined : events)}>
          {say(held ? 'resume' : 'pause')}
        </button>
      </div>
      {shown.length === 0 ? <p class="muted">{say('noEvents')}</p> : <EventTable events={shown} />}
    </section>
  );
}

export function EventTable({ events }: { readonly events: readonly (EventDraft | Event)[] }) {
  const { say, time, reason } = useSpeech();
  return (
    <div class="scroll tall" tabIndex={0} role="region" aria-label={say('event')}>
      <table class="events">
        <thead>
          <tr>
            <th scope="col">{say('time')}</th>
            <th scope="col">{say('event')}</th>
            <th scope="col">{say('recipient')}</th>
            <th scope="col">{say('isp')}</th>
            <th scope="col">{say('node')}</th>
            <th scope="col">{say('reply')}</th>
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr>
              <td class="nowrap">{time(event.time)}</td>
              <td>
                <span class={`chip ${toneOf(event.type)}`}>{say(`type_${event.type}`)}</span>
              </td>
              <td>{event.recipient}</td>
              <td>{event.isp}</td>
              <td>{event.node}</td>
              <td>{replyText(event, reason)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const TONES: Readonly<Record<string, string>> = {
  delivered: 'good',
  soft_bounce: 'slow',
  hard_bounce: 'stuck',
  undelivered: 'stuck',
  alert: 'stuck',
};
const toneOf = (type: string): string => TONES[type] ?? 'idle';

/** What the receiver said, and what the server says of it. */
function replyText(
  { reply, reason }: Pick<EventDraft, 'reply' | 'reason'>,
  inWords: (reason: string) => string,
): string {
  return [reply?.code, reply?.enhanced, reply?.text, reason && inWords(reason)].filter(Boolean).join(' ');
}
