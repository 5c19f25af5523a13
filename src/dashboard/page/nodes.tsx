import type { NodeLine } from '../view.ts';
import { useSpeech } from './speech.ts';

export function NodeTable({ nodes }: { readonly nodes: readonly NodeLine[] }) {
  const { say, number, time } = useSpeech();
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
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => (
              <tr key={node.name}>
                <th scope="row">
                  {node.name} <span class="small muted">{node.address}</span>
                  {node.lastError && (
                    <p class="small muted clip" title={node.lastError.text}>
                      {time(node.lastError.at)} {node.lastError.text}
                    </p>
                  )}
                </th>
                <td>
                  <span class={`chip ${node.state === 'running' ? 'good' : 'stuck'}`}>{node.state}</span>
                </td>
                <td class="num">
                  {number(node.sessions)}/{number(node.maxSessions)}
                </td>
                <td class="num">{number(node.queued)}</td>
                <td class="num">{number(node.delivered)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
