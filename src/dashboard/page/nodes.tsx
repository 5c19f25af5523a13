import type { NodeLine } from '../view.ts';
import { ActButton } from './act-button.tsx';
import type { Target } from './actions.ts';
import { lockText, warmupText } from './lock-text.ts';
import { useNow } from './now.ts';
import { useSpeech } from './speech.ts';
import { useGradually } from './window.ts';

const AT_ONCE = 8;
const TONES = {
  running: 'good',
  draining: 'slow',
  locked: 'stuck',
  down: 'stuck',
  stopped: 'stuck',
} as const;

interface NodeProps {
  readonly nodes: readonly NodeLine[];
  /** Absent before the sign-in. */
  readonly act: ((target: Target) => void) | undefined;
}

export function NodeTable({ nodes, act }: NodeProps) {
  const speech = useSpeech();
  const { say, number, time, minute } = speech;
  const now = useNow();
  return (
    <section class="panel">
      <h2>{say('nodes')}</h2>
      <div class="scroll tall" tabIndex={0} role="region" aria-label={say('nodes')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{say('node')}</th>
              <th scope="col">{say('state')}</th>
              <th scope="col" class="num">
                {say('sessions')}
              </th>
              <th scope="col" class="num">
                {say('queued')}
              </th>
              <th scope="col" class="num">
                {say('delivered')}
              </th>
              {act && <th class="row-act" aria-label={say('actions')} />}
            </tr>
          </thead>
          <tbody>
            {useGradually(nodes, AT_ONCE).map((node) => (
              <tr key={node.name}>
                <th scope="row">
                  {node.name}
                  <p class="small muted">{node.address}</p>
                  {node.lock && <p class="small bad">{lockText(speech, node.lock, now)}</p>}
                  {node.warmup && (
                    <p class="small muted">
                      {say('warmup')} {warmupText(speech, node.warmup)}
                    </p>
                  )}
                  {node.lastError && (
                    <p class="small muted clip" title={node.lastError.text}>
                      {time(node.lastError.at)} {node.lastError.text}
                    </p>
                  )}
                </th>
                <td>
                  <span class={`chip ${TONES[node.state]}`}>{say(node.state)}</span>
                  {node.stateSince !== undefined && (
                    <p class="small muted">
                      {say('since')} {minute(node.stateSince, now)}
                    </p>
                  )}
                </td>
                <td class="num">
                  {number(node.sessions)}/{number(node.maxSessions)}
                </td>
                <td class="num">{number(node.queued)}</td>
                <td class="num">{number(node.delivered)}</td>
                {act && <ActButton target={{ node: node.name }} act={act} />}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
