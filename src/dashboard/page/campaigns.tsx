import type { CampaignLine, Counts, SenderLine } from '../view.ts';
import { useSpeech } from './speech.ts';

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

interface CampaignProps {
  readonly campaigns: readonly CampaignLine[];
  readonly more: number;
}

export function CampaignTable({ campaigns, more }: CampaignProps) {
  const { say, number } = useSpeech();
  return (
    <section class="panel">
      <h2>{say('campaigns')}</h2>
      <div class="scroll tall" tabIndex={0} role="region" aria-label={say('campaigns')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say('campaign')}</th>
              <th scope="col">{say('progress')}</th>
              <CountHeads />
            </tr>
          </thead>
          <tbody>
            {campaigns.map((one) => {
              const ended = one.accepted === 0 ? 0 : (one.accepted - one.total) / one.accepted;
              return (
                <tr key={`${one.account}\0${one.campaign}`}>
                  <th scope="row">
                    {one.campaign || say('noCampaign')} <span class="small muted">{one.account}</span>
                  </th>
                  <td class="progress">
                    <progress max={1} value={ended} aria-label={say('progress')} />
                    <span class="small muted">
                      {number(Math.floor(ended * 100))} % / {number(one.accepted)}
                    </span>
                  </td>
                  <CountCells of={one} />
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {more > 0 && <p class="small muted">{say('more', { n: number(more) })}</p>}
    </section>
  );
}

export function SenderTable({ senders }: { readonly senders: readonly SenderLine[] }) {
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
                <CountHeads />
              </tr>
            </thead>
            <tbody>
              {senders.map((one) => (
                <tr key={one.sender}>
                  <th scope="row">{one.sender}</th>
                  <CountCells of={one} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
