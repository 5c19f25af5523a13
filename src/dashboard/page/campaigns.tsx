/** Campaigns and senders with what they have in the queue. Of ten thousand campaigns those in view are drawn. */
import { useEffect, useState } from 'preact/hooks';
import type { CampaignLine, CampaignPart, Counts, Found, Look, SenderLine, Snapshot } from '../view.ts';
import { ActButton } from './act-button.tsx';
import type { Target } from './actions.ts';
import { Filter } from './filter.tsx';
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
      <th scope="col" class="num">
        {say('eta')}
      </th>
    </>
  );
}

interface PaceProps {
  readonly of: Pick<SenderLine, 'total' | 'perSecond' | 'estimatedEnd'>;
  /** When this was so. */
  readonly at: number;
}

function PaceCells({ of: { total, perSecond, estimatedEnd: end }, at }: PaceProps) {
  const { speed, age, dateTime } = useSpeech();
  return (
    <>
      <td class="num">{total > 0 ? speed(perSecond) : '–'}</td>
      <td class="num" title={end && dateTime(end)}>
        {end === undefined ? '–' : age((Date.parse(end) - at) / 1000)}
      </td>
    </>
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
              {act && <th aria-label={say('actions')} />}
            </tr>
          </thead>
          <tbody>
            <Space rows={shown.first} rowPx={SIZES.rowPx} />
            {shown.items.map((one, i) => (
              <CampaignRow
                key={`${one.account}\0${one.campaign}`}
                {...{ one, act }}
                at={snapshot.at}
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
  /** When this was so. */
  readonly at: number;
  readonly number: number;
  readonly act: Act;
}

function CampaignRow({ one, at, number: row, act }: CampaignRowProps) {
  const { say, number } = useSpeech();
  const ended = one.accepted === 0 ? 0 : (one.accepted - one.total) / one.accepted;
  const name = one.campaign || say('noCampaign');
  return (
    <tr aria-rowindex={row + 2}>
      <th scope="row" class="name" title={name}>
        {name} <span class="small muted">{one.account}</span>
      </th>
      <td class="progress">
        <progress max={1} value={ended} aria-label={say('progress')} />
        <span class="small muted">
          {number(Math.floor(ended * 100))} % / {number(one.accepted)}
        </span>
      </td>
      <PaceCells of={one} at={at} />
      <CountCells of={one} />
      {act && one.campaign !== '' && <ActButton target={campaignTarget(one)} act={act} />}
    </tr>
  );
}

const campaignTarget = ({ account, campaign }: CampaignLine): Target =>
  account === '' ? { campaign_id: campaign } : { account_id: account, campaign_id: campaign };

export function SenderTable({
  senders,
  at,
  act,
}: {
  readonly senders: readonly SenderLine[];
  readonly at: number;
  readonly act: Act;
}) {
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
                <PaceHeads />
                <CountHeads />
                {act && <th aria-label={say('actions')} />}
              </tr>
            </thead>
            <tbody>
              {senders.map((one) => (
                <tr key={one.sender}>
                  <th scope="row">{one.sender}</th>
                  <PaceCells of={one} at={at} />
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
