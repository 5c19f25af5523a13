/** ISP x node. Colour is never alone: each cell names its state for readers of screens and in its title. */
import type { CellView, Snapshot } from '../view.ts';
import { lockText } from './lock-text.ts';
import { useSpeech } from './speech.ts';

/** Rows and columns drawn at most, those with the most mail: more would not be read, and cost a slow machine much. */
const MOST_ISPS = 60;
const MOST_NODES = 30;

interface GridProps {
  readonly snapshot: Snapshot;
  readonly open: (cell: { readonly node: string; readonly isp: string }) => void;
}

export function Grid({ snapshot, open }: GridProps) {
  const { say, number, age } = useSpeech();
  const cells = new Map(snapshot.cells.map((cell) => [`${cell.node}\0${cell.isp}`, cell]));
  const queued = new Map(snapshot.isps.map((isp) => [isp.name, isp]));
  const isps = [...new Set([...queued.keys(), ...[...cells.values()].map(({ isp }) => isp).sort()])];
  const nodes = [...snapshot.nodes].sort((a, b) => b.queued - a.queued).slice(0, MOST_NODES);
  nodes.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const left = Math.max(0, isps.length - MOST_ISPS) + Math.max(0, snapshot.nodes.length - MOST_NODES);
  if (isps.length === 0) return null;
  return (
    <section class="panel">
      <h2>{say('grid')}</h2>
      <p class="small muted legend">
        {(['good', 'slow', 'stuck', 'idleCell'] as const).map((word) => (
          <span>
            <i class={`swatch ${word === 'idleCell' ? 'idle' : word}`} aria-hidden="true" /> {say(word)}{' '}
          </span>
        ))}
        {say('gridNote')}
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label={say('grid')}>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">{say('isp')}</th>
              <th scope="col" class="num">
                {say('queued')}
              </th>
              <th scope="col" class="num">
                {say('oldestHead')}
              </th>
              {nodes.map(({ name, state }) => (
                <th scope="col" class={state === 'running' ? '' : 'bad'}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {isps.slice(0, MOST_ISPS).map((isp) => {
              const line = queued.get(isp);
              return (
                <tr key={isp}>
                  <th scope="row">{isp}</th>
                  <td class="num">{number(line?.queued ?? 0)}</td>
                  <td class="num muted">
                    {line?.oldestSeconds === undefined ? '' : age(line.oldestSeconds)}
                  </td>
                  {nodes.map(({ name }) => (
                    <td class="cell" key={name}>
                      <Cell cell={cells.get(`${name}\0${isp}`)} open={open} />
                    </td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {left > 0 && <p class="small muted">{say('more', { n: left })}</p>}
    </section>
  );
}

function Cell({ cell, open }: { readonly cell: CellView | undefined; readonly open: GridProps['open'] }) {
  const speech = useSpeech();
  const { say, number, speed } = speech;
  if (!cell) return <span class="nothing" aria-hidden="true" />;
  const health = say(cell.health === 'idle' ? 'idleCell' : cell.health);
  const limit = cell.slowed?.perSecond ?? cell.ratePerSecond;
  const why = cell.lock ? lockText(speech, cell.lock) : cell.waiting;
  return (
    <button
      class={`tile ${cell.health}`}
      title={[health, why].filter(Boolean).join(': ')}
      aria-label={`${cell.isp}, ${cell.node}: ${health}, ${say('wait', { n: cell.total })}`}
      onClick={() => open(cell)}
    >
      <b>{number(cell.total)}</b>
      <small>
        {cell.lock && '🔒 '}
        {speed(cell.perSecond)}
        {limit !== null && ` ≤ ${speed(limit)}`}
      </small>
    </button>
  );
}
