/** ISP x node. Colour is never alone: each cell names its state for readers of screens and in its title. */
import { useState } from 'preact/hooks';
import type { CellView, Found, Health, Look, Snapshot } from '../view.ts';
import { Filter } from './filter.tsx';
import { lockText } from './lock-text.ts';
import { useSpeech } from './speech.ts';

/** Tiles drawn at most, the worst first: more would not be read, and cost a slow machine much. The box finds the rest. */
const MOST_TILES = 1_800;
const FEW_NODES = 30;
const URGENCY: Readonly<Record<Health, number>> = { stuck: 0, slow: 1, good: 2, idle: 3 };

interface GridProps {
  readonly snapshot: Snapshot;
  readonly found: Found | undefined;
  readonly look: (change: Partial<Look>) => void;
  readonly open: (cell: { readonly node: string; readonly isp: string }) => void;
}

/** Names with the worst of their cells first; the cells come in that order, and among equals the given one stays. */
function worstFirst(names: readonly string[], cells: readonly CellView[], of: 'isp' | 'node'): string[] {
  const worst = new Map<string, number>();
  for (const cell of cells)
    worst.set(cell[of], Math.min(worst.get(cell[of]) ?? Infinity, URGENCY[cell.health]));
  const urgency = (name: string): number => worst.get(name) ?? URGENCY.idle;
  return [...names].sort((a, b) => urgency(a) - urgency(b));
}

export function Grid({ snapshot, found, look, open }: GridProps) {
  const { say, number, age } = useSpeech();
  const [wanted, setWanted] = useState('');
  const searched = wanted !== '' && found?.look.grid === wanted;
  const shown = searched ? found.cells : snapshot.cells;
  const cells = new Map(shown.map((cell) => [`${cell.node}\0${cell.isp}`, cell]));
  const queued = new Map(snapshot.isps.map((isp) => [isp.name, isp]));
  const [ispsShown, nodesShown] = [new Set<string>(), new Set<string>()];
  for (const { isp, node } of shown) {
    ispsShown.add(isp);
    nodesShown.add(node);
  }
  const known = [...new Set([...queued.keys(), ...[...ispsShown].sort()])];
  const allIsps = worstFirst(searched ? known.filter((isp) => ispsShown.has(isp)) : known, shown, 'isp');
  const byMail = [...snapshot.nodes].sort((a, b) => b.queued - a.queued).map(({ name }) => name);
  const allNodes = worstFirst(
    searched ? byMail.filter((name) => nodesShown.has(name)) : byMail,
    shown,
    'node',
  );
  const columns = Math.max(FEW_NODES, Math.floor(MOST_TILES / Math.max(1, allIsps.length)));
  const names = new Set(allNodes.slice(0, columns));
  const nodes = snapshot.nodes.filter(({ name }) => names.has(name));
  nodes.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const isps = allIsps.slice(0, Math.floor(MOST_TILES / Math.max(1, nodes.length)));
  const left = allIsps.length - isps.length + allNodes.length - nodes.length;
  if (known.length === 0) return null;
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
      <Filter
        label={say('gridFilter')}
        change={(text) => {
          setWanted(text);
          look({ grid: text });
        }}
      />
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
            {isps.map((isp) => {
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
