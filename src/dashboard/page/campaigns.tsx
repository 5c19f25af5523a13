/** Campaigns and senders with what they have in the queue. Of ten thousand campaigns those in view are drawn. */
import { useEffect, useState } from 'preact/hooks';
import type {
  CampaignLine,
  CampaignPart,
  Counts,
  Found,
  Look,
  PaceLine,
  SenderLine,
  Snapshot,
} from '../view.ts';
import { ActButton } from './act-button.tsx';
import type { Target } from './actions.ts';
import { Filter } from './filter.tsx';
import { useNow } from './now.ts';
import { useSpeech } from './speech.ts';
import { covers, inView, useView } from './window.ts';
import { Space } from './space.tsx';

/** As in the style sheet. */
const SIZES = { rowPx: 53, columnPx: 1_000 };
const COUNTS = ['new', 'proc', 'retry', 'hold', 'total'] as const;

function CountHeads() {
  const { say } = useSpeech();
  return (
    <>
      {COUNTS.map((name) => (
        <th scope="col" class="num">
          {say(name)}
        </th>
      ))}
    </>
  );
}

function CountCells({ of }: { readonly of: Counts }) {
  const { number } = useSpeech();
  return (
    <>
      {COUNTS.map((name) => (
        <td class={`num ${of[name] === 0 ? 'muted' : ''}`}>{number(of[name])}</td>
      ))}
    </>
  );
}

function PaceHeads() {
  const { say } = useSpeech();
  return (
    <>
      <th scope="col" class="num">
        {say('rate')}
      </th>
      <th scope="col" class="num" title={say('etaRule')}>
        {say('eta')}
      </th>
    </>
  );
}

function PaceCells({ of }: { readonly of: Counts & PaceLine }) {
  const { speed } = useSpeech();
  const end = useEnd(of);
  return (
    <>
      <td class="num">{of.total > 0 ? speed(of.perSecond) : '–'}</td>
      <td class="num" title={end.why}>
        {end.text}
      </td>
    </>
  );
}

interface End {
  readonly text: string;
  readonly why?: string;
}

/** When something will be over, and what that depends on. */
function useEnd({ total, hold, estimatedEnd, earliestEnd }: Counts & PaceLine): End {
  const { say, timeLeft, dateTime, minute } = useSpeech();
  const now = useNow();
  if (total === 0) return { text: '–' };
  if (hold === total) return { text: say('held'), why: say('heldWhy') };
  if (estimatedEnd !== undefined) {
    const at = Date.parse(estimatedEnd);
    return { text: timeLeft(Math.max(0, at - now) / 1000), why: `${dateTime(at)}. ${say('etaRule')}` };
  }
  if (earliestEnd !== undefined)
    return {
      text: say('notBefore', { time: minute(Date.parse(earliestEnd), now) }),
      why: say('notBeforeWhy'),
    };
  return { text: say('endUnknown'), why: say('endUnknownWhy') };
}

interface ProgressProps {
  readonly ended: number;
  readonly all: number;
  readonly title?: string;
}

function ProgressCell({ ended, all, title }: ProgressProps) {
  const { say, number } = useSpeech();
  const share = all === 0 ? 0 : ended / all;
  return (
    <td class="progress" title={title}>
      <progress max={1} value={share} aria-label={say('progress')} />
      <span class="small muted">
        {number(Math.floor(share * 100))} % / {number(all)}
      </span>
    </td>
  );
}

type Act = ((target: Target) => void) | undefined;

interface CampaignProps {
  readonly snapshot: Snapshot;
  readonly found: Found | undefined;
  readonly look: (change: Partial<Look>) => void;
  /** Absent before the sign-in. */
  readonly act: Act;
}

export function CampaignTable({ snapshot, found, look, act }: CampaignProps) {
  const { say, number } = useSpeech();
  const [wanted, setWanted] = useState('');
  const { region, view, onScroll } = useView<HTMLDivElement>(SIZES, wanted);
  const mine = found?.look.campaigns === wanted ? found.campaigns : undefined;
  const fits = ({ row, rows, campaigns }: CampaignPart): boolean =>
    covers(row, campaigns.length, view.rows, rows);
  const first = wanted === '' && (!mine || fits(snapshot.campaigns));
  const part = first ? snapshot.campaigns : (mine ?? snapshot.campaigns);
  const { from } = view.rows;
  useEffect(() => look({ campaign: wanted === '' && fits(snapshot.campaigns) ? 0 : from }), [wanted, from]);
  const shown = inView(part.campaigns, part.row, view.rows);
  return (
    <section class="panel">
      <h2>
        {say('campaigns')} <span class="small muted">{part.rows > 0 && number(part.rows)}</span>
      </h2>
      <Filter
        label={say('campaignFilter')}
        change={(text) => {
          setWanted(text);
          look({ campaigns: text, campaign: 0 });
        }}
      />
      <div
        class="scroll tall"
        ref={region}
        onScroll={onScroll}
        tabIndex={0}
        role="region"
        aria-label={say('campaigns')}
      >
        <table class="campaigns" aria-rowcount={part.rows + 1}>
          <thead>
            <tr>
              <th scope="col">{say('campaign')}</th>
              <th scope="col">{say('progress')}</th>
              <PaceHeads />
              <CountHeads />
              {act && <th class="row-act" aria-label={say('actions')} />}
            </tr>
          </thead>
          <tbody>
            <Space rows={shown.first} rowPx={SIZES.rowPx} />
            {shown.items.map((one, i) => (
              <CampaignRow
                key={`${one.account}\0${one.campaign}`}
                {...{ one, act }}
                number={shown.first + i}
              />
            ))}
            <Space rows={part.rows - shown.last} rowPx={SIZES.rowPx} />
          </tbody>
        </table>
      </div>
    </section>
  );
}

interface CampaignRowProps {
  readonly one: CampaignLine;
  readonly number: number;
  readonly act: Act;
}

function CampaignRow({ one, number: row, act }: CampaignRowProps) {
  const { say } = useSpeech();
  const name = one.campaign || say('noCampaign');
  return (
    <tr aria-rowindex={row + 2}>
      <th scope="row" class="name" title={name}>
        {name} <span class="small muted">{one.account}</span>
      </th>
      <ProgressCell ended={one.accepted - one.total} all={one.accepted} />
      <PaceCells of={one} />
      <CountCells of={one} />
      {act && one.campaign !== '' && <ActButton target={campaignTarget(one)} act={act} />}
    </tr>
  );
}

const campaignTarget = ({ account, campaign }: CampaignLine): Target =>
  account === '' ? { campaign_id: campaign } : { account_id: account, campaign_id: campaign };

interface SenderProps {
  readonly senders: readonly SenderLine[];
  readonly act: Act;
}

export function SenderTable({ senders, act }: SenderProps) {
  const { say } = useSpeech();
  return (
    <section class="panel">
      <h2>{say('senders')}</h2>
      {senders.length === 0 && <p class="muted">{say('idle')}</p>}
      {senders.length > 0 && (
        <div class="scroll tall" tabIndex={0} role="region" aria-label={say('senders')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{say('sender')}</th>
                <th scope="col" title={say('progressTodayRule')}>
                  {say('progressToday')}
                </th>
                <PaceHeads />
                <CountHeads />
                {act && <th class="row-act" aria-label={say('actions')} />}
              </tr>
            </thead>
            <tbody>
              {senders.map((one) => (
                <tr key={one.sender}>
                  <th scope="row">{one.sender}</th>
                  <ProgressCell
                    ended={one.endedToday}
                    all={one.endedToday + one.total}
                    title={say('progressTodayRule')}
                  />
                  <PaceCells of={one} />
                  <CountCells of={one} />
                  {act && one.sender !== '' && <ActButton target={{ sender: one.sender }} act={act} />}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
