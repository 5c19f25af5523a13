import type { RefusalView } from '../view.ts';
import { useSpeech } from './speech.ts';

interface RefusalProps {
  readonly refusals: readonly RefusalView[];
  /** Shows the story of a delivery; absent before the sign-in. */
  readonly find: ((id: string) => void) | undefined;
}

export function Refusals({ refusals, find }: RefusalProps) {
  const { say, term, number, time } = useSpeech();
  return (
    <section class="panel">
      <h2>
        {say('refusals')} <span class="small muted">{say('refusalsNote')}</span>
      </h2>
      {refusals.length === 0 && <p class="muted">{say('noRefusals')}</p>}
      <div class="scroll tall" tabIndex={0} role="region" aria-label={say('refusals')}>
        <table>
          {refusals.length > 0 && (
            <thead>
              <tr>
                <th scope="col" class="num">
                  {say('count')}
                </th>
                <th scope="col">{say('isp')}</th>
                <th scope="col">{say('reply')}</th>
                <th scope="col" class="num">
                  {say('last')}
                </th>
                {find && <th aria-label={say('example')} />}
              </tr>
            </thead>
          )}
          <tbody>
            {refusals.map((one) => (
              <tr>
                <td class="num">{number(one.count)}</td>
                <td>{one.isp}</td>
                <td>
                  <span class={`chip ${one.hard ? 'stuck' : 'slow'}`}>
                    {[one.code, one.enhanced].filter(Boolean).join(' ') || '–'}
                  </span>{' '}
                  {one.text} <span class="small muted">{one.category && term('category', one.category)}</span>
                </td>
                <td class="num muted">{time(one.last)}</td>
                {find && (
                  <td class="num">
                    {one.example !== undefined && (
                      <button
                        class="small-button"
                        aria-label={say('exampleOf', { reply: one.text ?? '' })}
                        onClick={() => find(one.example!)}
                      >
                        {say('example')}
                      </button>
                    )}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
