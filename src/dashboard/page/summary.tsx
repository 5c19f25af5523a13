/** The answer in ten seconds: is it sending, how fast, what is stuck, why, since when. */
import type { CellView, Series, Snapshot } from '../view.ts';
import { lockText } from './lock-text.ts';
import { useNow } from './now.ts';
import { useSpeech } from './speech.ts';
import { sum, verdictOf } from './verdict.ts';
import type { Word } from './words.ts';

const SPEED_SECONDS = 10;

/** Deliveries per second; the second under way is not full yet. A slow flow is seen over the whole minute only. */
function speedOf({ delivered }: Series): number {
  const lately = sum(delivered.slice(-SPEED_SECONDS - 1, -1)) / SPEED_SECONDS;
  return lately >= 1 ? lately : sum(delivered) / delivered.length;
}

interface SummaryProps {
  readonly snapshot: Snapshot;
  /** The connection is: all of it was so before. */
  readonly lost: boolean;
  readonly open: (cell: CellView) => void;
}

export function Summary({ snapshot, lost, open }: SummaryProps) {
  const { say, number, short, age, dateTime, speed, reason } = useSpeech();
  const verdict = verdictOf(snapshot, lost);
  const [delivered, soft, hard] = (['delivered', 'soft', 'hard'] as const).map((one) =>
    sum(snapshot.hour[one]),
  ) as [number, number, number];
  const attempts = delivered + soft + hard;
  const { total, oldestSeconds } = snapshot.queue;
  const oldestNote =
    oldestSeconds !== undefined ? `${say('oldest')} ${age(oldestSeconds)}` : total === 0 ? say('none') : '';
  return (
    <section class="summary">
      <div class={`panel verdict ${verdict.tone}`} role="status">
        <p class="title">
          <span class="dot" aria-hidden="true" /> {say(verdict.title)}
          {verdict.title === 'sending' && ` ${speed(speedOf(snapshot.minute))}`}
        </p>
        {verdict.note && (
          <p class="muted">{say(verdict.note, { since: dateTime(verdict.since ?? snapshot.at) })}</p>
        )}
        {!lost && snapshot.notReady.map((text) => <p>{reason(text)}</p>)}
        {snapshot.totals.accepted > 0 && (
          <p class="small muted">{say('balance', balanceOf(snapshot, number))}</p>
        )}
        <Spark values={snapshot.minute.delivered} />
      </div>
      <Figure name={say('speed')} value={short(delivered)} exact={number(delivered)} note={say('lastHour')} />
      <Figure name={say('queued')} value={short(total)} exact={number(total)} note={oldestNote} />
      <Figure
        name={say('refusedHour')}
        value={`${number(attempts === 0 ? 0 : ((soft + hard) / attempts) * 100, 1)} %`}
        note={`${say('softHard', { soft: number(soft), hard: number(hard) })}, ${say('complained', { n: number(sum(snapshot.hour.complaints)) })}`}
      />
      <Attention snapshot={snapshot} open={open} />
    </section>
  );
}

/** Of all that was accepted since the beginning, but test sends. */
function balanceOf(
  { totals: { accepted, delivered, failed } }: Snapshot,
  number: (value: number) => string,
): Readonly<Record<string, string>> {
  const figures = { accepted, delivered, failed, queued: accepted - delivered - failed };
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, number(value)]));
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  /** Where the value is a rounded one. */
  readonly exact?: string;
  readonly note: string;
}

function Figure({ name, value, exact = value, note }: FigureProps) {
  return (
    <div class="panel figure">
      <h2>{name}</h2>
      <p class="value" title={exact === value ? undefined : exact}>
        {value}
      </p>
      <p class="small muted">{note}</p>
    </div>
  );
}

/** The last minute as bars. */
function Spark({ values }: { readonly values: readonly number[] }) {
  const most = Math.max(1, ...values);
  return (
    <svg class="spark" viewBox={`0 0 ${values.length * 4} 24`} preserveAspectRatio="none" aria-hidden="true">
      {values.map((value, i) => (
        <rect x={i * 4} y={24 - (value / most) * 24} width="3" height={(value / most) * 24} />
      ))}
    </svg>
  );
}

function Attention({
  snapshot: { worst, notGood, alerts, alertCount },
  open,
}: {
  readonly snapshot: Snapshot;
  readonly open: SummaryProps['open'];
}) {
  const speech = useSpeech();
  const { say, number, age } = speech;
  const now = useNow();
  const why = (cell: CellView): string => {
    const { waiting, lock, slowed, refused, delivered, lastError } = cell;
    const rests = cell.retry > 0 && cell.new + cell.proc + refused === 0;
    return [
      lock ? lockText(speech, lock, now) : waiting && speech.reason(waiting),
      slowed && say('slowedTo', { speed: speech.speed(slowed.perSecond) }),
      refused > 0
        ? say('refusedOf', { refused: number(refused), all: number(refused + delivered) })
        : undefined,
      rests && say('forNextAttempt'),
      (refused > 0 || rests) && lastError && say('lastReply', { text: lastError.text }),
    ]
      .filter(Boolean)
      .join('; ');
  };
  const oldest = ({ oldestSeconds: seconds }: CellView): string =>
    seconds === undefined ? '' : `, ${say('oldest')} ${age(seconds)}`;
  return (
    <div class="panel attention">
      <h2>{say('attention')}</h2>
      {worst.length + alerts.length === 0 && <p class="muted">{say('nothingWrong')}</p>}
      {alerts.length > 0 && (
        <ul>
          {alerts.map((alert) => (
            <li class="row">
              <span class={`chip ${alert.goneSince === undefined ? 'stuck' : 'slow'}`}>
                {say('type_alert')}
              </span>
              <span>
                <strong>
                  {[say(`alert_${alert.name}`), alert.isp ?? alert.node].filter(Boolean).join(' · ')}
                </strong>{' '}
                {say('since')} {speech.dateTime(alert.since)}
                {alert.goneSince !== undefined &&
                  `, ${say('alertGone', { time: speech.dateTime(alert.goneSince) })}`}
                . <span class="muted">{alert.text && speech.reason(alert.text)}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
      {alertCount > alerts.length && (
        <p class="small muted">{say('more', { n: alertCount - alerts.length })}</p>
      )}
      <ul>
        {worst.map((cell) => (
          <li>
            <button class="row" onClick={() => open(cell)}>
              <span class={`chip ${cell.health}`}>{say(cell.health as Word)}</span>
              <span>
                <strong>
                  {cell.isp} · {cell.node}
                </strong>{' '}
                {cell.total > 0 && `${say('wait', { n: number(cell.total) })}${oldest(cell)}. `}
                <span class="muted">{why(cell)}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {notGood > worst.length && <p class="small muted">{say('more', { n: notGood - worst.length })}</p>}
    </div>
  );
}
