/** What is behind a cell of the grid: its limits, why it waits, its last refusals and events. */
import { useEffect, useState } from 'preact/hooks';
import type { CellDetails, CellView } from '../view.ts';
import { Actions } from './act.tsx';
import { type Answer, ask } from './ask.ts';
import { Dialog } from './dialog.tsx';
import { EventTable } from './events.tsx';
import type { Speech } from './language.ts';
import { lockText, warmupText } from './lock-text.ts';
import { Settings } from './cell-settings.tsx';
import { useNow } from './now.ts';
import { useSpeech } from './speech.ts';

interface CellProps {
  readonly node: string;
  readonly isp: string;
  readonly cell: CellView | undefined;
  readonly signedIn: boolean;
  readonly close: () => void;
}

export function CellDialog({ node, isp, cell, signedIn, close }: CellProps) {
  const { say } = useSpeech();
  return (
    <Dialog title={`${isp} · ${node}`} close={close}>
      {cell ? <Facts cell={cell} /> : <p class="muted">{say('idleCell')}</p>}
      {signedIn && <Actions target={{ node, isp }} />}
      {signedIn ? <Details node={node} isp={isp} /> : <p class="muted">{say('signInFor')}</p>}
    </Dialog>
  );
}

function Facts({ cell }: { readonly cell: CellView }) {
  const speech = useSpeech();
  const { say, number, age, time, dateTime, speed } = speech;
  const now = useNow();
  const { lock, slowed, warmup } = cell;
  const facts: readonly (readonly [string, string | undefined])[] = [
    [say('state'), say(cell.health === 'idle' ? 'idleCell' : cell.health)],
    [say('why'), lock || cell.waiting === undefined ? undefined : speech.reason(cell.waiting)],
    [say('lock'), lock && lockText(speech, lock, now)],
    [
      say('slowed'),
      slowed &&
        [
          say('slowedTo', { speed: speed(slowed.perSecond) }),
          `${say('since')} ${dateTime(slowed.since)}`,
          slowed.reason && speech.reason(slowed.reason),
        ]
          .filter(Boolean)
          .join(', '),
    ],
    [say('warmup'), warmup && warmupText(speech, warmup)],
    [
      say('queued'),
      (['new', 'proc', 'retry', 'hold', 'total'] as const)
        .map((one) => `${say(one)} ${number(cell[one])}`)
        .join(', '),
    ],
    [say('oldestHead'), cell.oldestSeconds === undefined ? undefined : age(cell.oldestSeconds)],
    [
      say('lastMinutes'),
      say('deliveredRefused', { delivered: number(cell.delivered), refused: number(cell.refused) }),
    ],
    [say('sessions'), `${number(cell.sessions)} / ${number(cell.maxSessions)}`],
    [say('strategy'), cell.strategy],
    [say('speedNow'), speed(cell.perSecond)],
    [say('limit'), limitText(speech, cell)],
    [say('lastError'), cell.lastError && `${time(cell.lastError.at)} ${cell.lastError.text}`],
  ];
  return (
    <dl>
      {facts.map(
        ([name, value]) =>
          value !== undefined && (
            <div>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function limitText({ say, speed }: Speech, { ratePerSecond }: CellView): string | undefined {
  if (ratePerSecond === undefined) return undefined;
  return ratePerSecond === null ? say('noLimit') : speed(ratePerSecond);
}

function Details({ node, isp }: { readonly node: string; readonly isp: string }) {
  const { say, number, problem } = useSpeech();
  const [answer, setAnswer] = useState<Answer<CellDetails>>();
  useEffect(() => {
    const query = new URLSearchParams({ node, isp }).toString();
    void ask<CellDetails>(`/v1/cell?${query}`).then(setAnswer);
  }, [node, isp]);
  if (!answer) return <p class="muted">{say('loading')} …</p>;
  if (!answer.ok) return <p class="problem">{`${say('failed')}: ${problem(answer)}`}</p>;
  const { errors, events, settings, looked } = answer.value;
  const none = <p class="muted">{say('noneAmong', { n: number(looked) })}</p>;
  return (
    <>
      <h3>{say('lastErrors')}</h3>
      {errors.length === 0 ? none : <EventTable events={errors} />}
      <h3>{say('settings')}</h3>
      {settings.map((one) => (
        <Settings group={one} />
      ))}
      <h3>{say('lastEvents')}</h3>
      {events.length === 0 ? none : <EventTable events={events} />}
    </>
  );
}
