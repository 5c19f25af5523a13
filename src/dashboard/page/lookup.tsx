/** One message or recipient: every attempt, with what the receiver said. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DeliveryView, MessageView } from '../../api/index.ts';
import { ask } from './ask.ts';
import { useSpeech } from './speech.ts';

const LIMIT = 20;

/** Recipients have an @, ids of deliveries a dot and a number at their end; messages and campaigns are tried in turn. */
async function find(text: string): Promise<readonly DeliveryView[] | string> {
  const name = encodeURIComponent(text);
  if (text.includes('@')) return list(`recipient=${name}`);
  if (/^[\da-z]+\.\d+$/i.test(text)) {
    const one = await ask<DeliveryView>(`/v1/deliveries/${name}`);
    if (one.ok) return [one.value];
  } else if (/^[\da-z]{8,}$/i.test(text)) {
    const message = await ask<MessageView>(`/v1/messages/${name}?limit=${LIMIT}`);
    if (message.ok) return message.value.deliveries;
  }
  return list(`campaign_id=${name}`);
}

async function list(query: string): Promise<readonly DeliveryView[] | string> {
  const answer = await ask<{ readonly deliveries: readonly DeliveryView[] }>(
    `/v1/deliveries?${query}&limit=${LIMIT}`,
  );
  return answer.ok ? answer.value.deliveries : answer.message;
}

/** `wanted`: what somewhere else on the page was asked for; it is looked up and brought into view. */
export function Lookup({ wanted }: { readonly wanted: { readonly text: string } | undefined }) {
  const { say } = useSpeech();
  const [text, setText] = useState('');
  const [found, setFound] = useState<readonly DeliveryView[] | string>();
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!wanted) return;
    setText(wanted.text);
    void find(wanted.text).then((answer) => {
      setFound(answer);
      section.current?.scrollIntoView({ block: 'start' });
    });
  }, [wanted]);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const asked = text.trim();
    if (asked !== '') setFound(await find(asked));
  };
  return (
    <section class="panel" id="lookup" ref={section}>
      <h2>{say('lookup')}</h2>
      <form class="tools" onSubmit={(event) => void submit(event)}>
        <input
          type="search"
          class="grow"
          placeholder={say('lookupHint')}
          aria-label={say('lookupHint')}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button class="primary">{say('find')}</button>
      </form>
      <div aria-live="polite">
        {typeof found === 'string' && <p class="problem">{found}</p>}
        {typeof found === 'object' && found.length === 0 && <p class="muted">{say('notFound')}</p>}
        {typeof found === 'object' && found.map((delivery) => <Delivery key={delivery.id} of={delivery} />)}
      </div>
    </section>
  );
}

const TONES: Readonly<Record<string, string>> = {
  delivered: 'good',
  new: 'idle',
  retry: 'slow',
  proc: 'idle',
};

function Delivery({ of }: { readonly of: DeliveryView }) {
  const { say, dateTime, reason } = useSpeech();
  const why = of.why_waiting === undefined ? undefined : reason(of.why_waiting);
  return (
    <article class="delivery">
      <p>
        <span class={`chip ${TONES[of.state] ?? 'stuck'}`}>{of.state}</span> <strong>{of.recipient}</strong>{' '}
        <code>{of.id}</code>{' '}
        <span class="muted">
          {[of.sender, of.node, of.isp, of.labels.campaign_id].filter(Boolean).join(' · ')}
        </span>
      </p>
      <ol>
        <li>
          {dateTime(of.accepted_at)} {say('accepted')}
        </li>
        {of.attempts.map((attempt) => (
          <li>
            {dateTime(attempt.at)} <code>{attemptText(attempt)}</code>
          </li>
        ))}
        {of.final && (
          <li>
            {dateTime(of.final.at)} {[of.final.type, of.final.reason].filter(Boolean).join(' ')}
          </li>
        )}
      </ol>
      {of.next_attempt && (
        <p>
          {say('nextAttempt')} {dateTime(of.next_attempt)}: {why}
        </p>
      )}
      {of.state === 'hold' && <p>{why}</p>}
    </article>
  );
}

/** All that is known of it, but its time. */
function attemptText(record: object): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(record) as [string, unknown][]) {
    if (name === 'at' || value === undefined) continue;
    if (typeof value === 'object' && value !== null) parts.push(attemptText(value));
    else parts.push(typeof value === 'string' ? value : JSON.stringify(value));
  }
  return parts.join(' ');
}
