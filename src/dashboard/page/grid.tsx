/** ISPs by nodes: colour is health. Of a large site only what is in view is drawn, and asked for. */
import { useEffect, useState } from 'preact/hooks';
import type { CellView, Found, GridPart, IspLine, Look, Snapshot } from '../view.ts';
import { Filter } from './filter.tsx';
import { lockText } from './lock-text.ts';
import { Space } from './space.tsx';
import { useNow } from './now.ts';
import { useSpeech } from './speech.ts';
import { covers, inView, type Shown, useView } from './window.ts';

/** As in the style sheet. */
const SIZES = { rowPx: 55, columnPx: 116 };
const LEAD_PX = 320;

interface GridProps {
  readonly snapshot: Snapshot;
  readonly found: Found | undefined;
  readonly look: (change: Partial<Look>) => void;
  readonly open: (cell: { readonly node: string; readonly isp: string }) => void;
}

export function Grid({ snapshot, found, look, open }: GridProps) {
  const { say } = useSpeech();
  const [wanted, setWanted] = useState('');
  const { region, view, onScroll } = useView<HTMLDivElement>(SIZES, wanted);
  const mine = found?.look.grid === wanted ? found.grid : undefined;
  const fits = (part: GridPart): boolean =>
    covers(part.row, part.isps.length, view.rows, part.rows) &&
    covers(part.column, part.nodes.length, view.columns, part.columns);
  // While an answer is under way: the old one, of which some is in view.
  const part = wanted === '' && (!mine || fits(snapshot.grid)) ? snapshot.grid : (mine ?? snapshot.grid);
  const [row, column] = [view.rows.from, view.columns.from];
  useEffect(
    () => look(wanted === '' && fits(snapshot.grid) ? { row: 0, column: 0 } : { row, column }),
    [wanted, row, column],
  );
  if (snapshot.grid.rows === 0) return null;
  const isps = inView(part.isps, part.row, view.rows);
  const nodes = inView(part.nodes, part.column, view.columns);
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
          look({ grid: text, row: 0, column: 0 });
        }}
      />
      <div
        class="scroll window"
        ref={region}
        onScroll={onScroll}
        tabIndex={0}
        role="region"
        aria-label={say('grid')}
      >
        <table
          class="grid"
          aria-rowcount={part.rows + 1}
          aria-colcount={part.columns + 3}
          style={{ width: `max(100%, ${LEAD_PX + part.columns * SIZES.columnPx}px)` }}
        >
          <colgroup>
            <col class="name" />
            <col class="queued" />
            <col class="age" />
            <Gap count={nodes.first} />
            {nodes.items.map(({ name }) => (
              <col key={name} class="node" />
            ))}
            <Gap count={part.columns - nodes.last} />
          </colgroup>
          <Head nodes={nodes} columns={part.columns} />
          <tbody>
            <Space rows={isps.first} rowPx={SIZES.rowPx} />
            {isps.items.map((isp, i) => (
              <Row key={isp.name} {...{ isp, nodes, part, open }} number={isps.first + i} />
            ))}
            <Space rows={part.rows - isps.last} rowPx={SIZES.rowPx} />
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** In place of the columns that are not in view. */
const Gap = ({ count }: { readonly count: number }) =>
  count > 0 ? <col style={{ width: `${count * SIZES.columnPx}px` }} /> : null;

type Nodes = Shown<GridPart['nodes'][number]>;

function Head({ nodes, columns }: { readonly nodes: Nodes; readonly columns: number }) {
  const { say } = useSpeech();
  return (
    <thead>
      <tr>
        <th scope="col">{say('isp')}</th>
        <th scope="col" class="num">
          {say('queued')}
        </th>
        <th scope="col" class="num">
          {say('oldestHead')}
        </th>
        {nodes.first > 0 && <td />}
        {nodes.items.map(({ name, state }, i) => (
          <th
            scope="col"
            key={name}
            aria-colindex={nodes.first + i + 4}
            class={state === 'running' ? 'name' : 'name bad'}
            title={name}
          >
            {name}
          </th>
        ))}
        {columns > nodes.last && <td />}
      </tr>
    </thead>
  );
}

interface RowProps {
  readonly isp: IspLine;
  readonly number: number;
  readonly nodes: Nodes;
  readonly part: GridPart;
  readonly open: GridProps['open'];
}

function Row({ isp, number: row, nodes, part, open }: RowProps) {
  const { number, age } = useSpeech();
  const cells = new Map(part.cells.filter((cell) => cell.isp === isp.name).map((cell) => [cell.node, cell]));
  return (
    <tr aria-rowindex={row + 2}>
      <th scope="row" class="name" title={isp.name}>
        {isp.name}
      </th>
      <td class="num">{number(isp.queued)}</td>
      <td class="num muted">{isp.oldestSeconds === undefined ? '' : age(isp.oldestSeconds)}</td>
      {nodes.first > 0 && <td />}
      {nodes.items.map(({ name }) => (
        <td class="cell" key={name}>
          <Cell cell={cells.get(name)} open={open} />
        </td>
      ))}
      {part.columns > nodes.last && <td />}
    </tr>
  );
}

/** Drawn, because not every system has a font with one. */
const Padlock = () => (
  <svg class="padlock" viewBox="0 0 12 14" aria-hidden="true">
    <path d="M3 6V4a3 3 0 0 1 6 0v2h1v7H2V6zm1.5 0h3V4a1.5 1.5 0 0 0-3 0z" />
  </svg>
);

function Cell({ cell, open }: { readonly cell: CellView | undefined; readonly open: GridProps['open'] }) {
  const speech = useSpeech();
  const { say, short, number, speed, speedOf, age } = speech;
  const now = useNow();
  if (!cell) return <span class="nothing" aria-hidden="true" />;
  const health = say(cell.health === 'idle' ? 'idleCell' : cell.health);
  const limit = cell.slowed?.perSecond ?? cell.ratePerSecond;
  const attempts = cell.delivered + cell.refused;
  const why = cell.lock ? lockText(speech, cell.lock, now) : cell.waiting && speech.reason(cell.waiting);
  return (
    <button
      class={`tile ${cell.health}`}
      title={[health, why].filter(Boolean).join(': ')}
      aria-label={`${cell.isp}, ${cell.node}: ${health}, ${say('wait', { n: cell.total })}`}
      onClick={() => open(cell)}
    >
      <span>
        <b title={number(cell.total)}>{short(cell.total)}</b>
        {cell.total > 0 && cell.oldestSeconds !== undefined && <small>{age(cell.oldestSeconds)}</small>}
      </span>
      <span>
        <small>
          {limit === null || limit === undefined
            ? speed(cell.perSecond)
            : speedOf(cell.perSecond, attempts, limit)}
        </small>
        {cell.lock && <Padlock />}
      </span>
    </button>
  );
}
