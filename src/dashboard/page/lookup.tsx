/** One message or recipient: every attempt, with what the receiver said. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AttemptView, DeliveryView } from '../../api/index.ts';
import { ask, type Failure } from './ask.ts';
import { useSpeech } from './speech.ts';

const LIMIT = 20;

interface Answered {
  readonly deliveries: readonly DeliveryView[];
  readonly next?: string | undefined;
}

/** What was found so far, or what went wrong. */
type Found =
  | {
      readonly deliveries: readonly DeliveryView[];
      /** Where the rest is. */
      readonly more?: { readonly path: string; readonly cursor: string };
    }
  | Failure;

/** Recipients have an @, ids of deliveries a dot and a number at their end; messages and campaigns are tried in turn. */
async function find(text: string): Promise<Found> {
  const name = encodeURIComponent(text);
  if (text.includes('@')) return list(`recipient=${name}`);
  if (/^[\da-z]+\.\d+$/i.test(text)) {
    const one = await ask<DeliveryView>(`/v1/deliveries/${name}`);
    if (one.ok) return { deliveries: [one.value] };
  } else if (/^[\da-z]{8,}$/i.test(text)) {
    const message = await page(`/v1/messages/${name}?limit=${LIMIT}`);
    if ('deliveries' in message) return message;
  }
  return list(`campaign_id=${name}`);
}

const list = (query: string): Promise<Found> => page(`/v1/deliveries?${query}&limit=${LIMIT}`);

/** A page of deliveries; `path` without its cursor. */
async function page(path: string, cursor?: string): Promise<Found> {
  const at = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const answer = await ask<Answered>(path + at);
  if (!answer.ok) return answer;
  const { deliveries, next } = answer.value;
  return { deliveries, ...(next !== undefined && { more: { path, cursor: next } }) };
}

/** `wanted`: what somewhere else on the page was asked for; it is looked up and brought into view. */
export function Lookup({ wanted }: { readonly wanted: { readonly text: string } | undefined }) {
  const { say, problem } = useSpeech();
  const [text, setText] = useState('');
  const [found, setFound] = useState<Found>();
  const [busy, setBusy] = useState(false);
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
  const goOn = async ({ deliveries, more }: Exclude<Found, Failure>): Promise<void> => {
    if (!more || busy) return;
    setBusy(true);
    const rest = await page(more.path, more.cursor);
    setBusy(false);
    // Unless something else was asked for meanwhile.
    setFound((now) => {
      if (!now || !('deliveries' in now) || now.deliveries !== deliveries) return now;
      return 'deliveries' in rest ? { ...rest, deliveries: [...deliveries, ...rest.deliveries] } : rest;
    });
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
        {found && 'code' in found && <p class="problem">{problem(found)}</p>}
        {found && 'deliveries' in found && (
          <Deliveries {...found} busy={busy} goOn={() => void goOn(found)} />
        )}
      </div>
    </section>
  );
}

interface DeliveriesProps extends Exclude<Found, Failure> {
  readonly busy: boolean;
  readonly goOn: () => void;
}

function Deliveries({ deliveries, more, busy, goOn }: DeliveriesProps) {
  const { say, number } = useSpeech();
  const n = number(deliveries.length);
  if (deliveries.length === 0 && !more) return <p class="muted">{say('notFound')}</p>;
  return (
    <>
      <p class="small muted">{say(more ? 'foundFirst' : 'foundAll', { n })}</p>
      {deliveries.map((delivery) => (
        <Delivery key={delivery.id} of={delivery} />
      ))}
      {more && (
        <div class="tools">
          <button disabled={busy} onClick={goOn}>
            {say('showMore')}
          </button>
        </div>
      )}
    </>
  );
}

const TONES: Readonly<Record<string, string>> = {
  delivered: 'good',
  new: 'idle',
  retry: 'slow',
  proc: 'idle',
};

function Delivery({ of }: { readonly of: DeliveryView }) {
  const { say, term, dateTime, reason } = useSpeech();
  const why = of.why_waiting === undefined ? undefined : reason(of.why_waiting);
  return (
    <article class="delivery">
      <p>
        <span class={`chip ${TONES[of.state] ?? 'stuck'}`}>{term('state', of.state)}</span>{' '}
        <strong>{of.recipient}</strong> <code>{of.id}</code>{' '}
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
            <Attempt of={attempt} />
          </li>
        ))}
        {of.final && (
          <li>
            {dateTime(of.final.at)} {term('state', of.final.type)}
            {of.final.reason !== undefined && `: ${reason(of.final.reason)}`}
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

/** What came of it, where, and what the receiver said at which point. */
function Attempt({ of: { at, outcome, node, mx, reply } }: { readonly of: AttemptView }) {
  const { term, dateTime } = useSpeech();
  const place = [node, mx, reply && term('phase', reply.phase)].filter(Boolean).join(' · ');
  return (
    <>
      {dateTime(at)} {term('state', outcome)} <span class="muted">{place}</span>{' '}
      {reply && <code>{[reply.code, reply.enhanced, reply.text].filter(Boolean).join(' ')}</code>}
    </>
  );
}
