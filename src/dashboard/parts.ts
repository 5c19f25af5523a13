/**
 * Parts of what is too large to be sent or drawn at once: a window of the grid, and one of the list of campaigns. What
 * does not fit is counted, and a page asks for another window as somebody scrolls or searches.
 */
import { URGENCY } from './cells.ts';
import type { PairMap } from './pair-map.ts';
import type { CampaignLine, CampaignPart, CellView, GridPart, Health, IspLine, Look } from './view.ts';

/** More than a screen shows, so that the next rows are there already when somebody scrolls slowly. */
const ROWS = 24;
const COLUMNS = 16;
const CAMPAIGNS = 40;
/** As many nodes keep the order of their names; of more the worst come first. */
const FEW_NODES = 30;
/** Bits of a number; more words than that nobody searches for. */
const MOST_WORDS = 30;

interface Sign {
  readonly isp: string;
  readonly node: string;
  readonly health: Health;
}

type GridNode = GridPart['nodes'][number];

export interface GridSource<C extends Sign> {
  /** By node and ISP. */
  readonly cells: PairMap<C>;
  readonly nodes: readonly GridNode[];
  /** With the most mail first. */
  readonly isps: readonly IspLine[];
}

/** What is shown of the grid for some words, in its order. */
interface Order {
  readonly fits: (cell: Sign) => boolean;
  readonly isps: readonly string[];
  readonly nodes: readonly GridNode[];
}

export class GridIndex<C extends Sign> {
  readonly #source: GridSource<C>;
  readonly #isps: ReadonlyMap<string, IspLine>;
  /** By words: all pages that search for the same share it. */
  readonly #orders = new Map<string, Order>();

  constructor(source: GridSource<C>) {
    this.#source = source;
    this.#isps = new Map(source.isps.map((isp) => [isp.name, isp]));
  }

  /** From a row and a column on; with words only the cells that have each of them in the name of their ISP or node. */
  part(look: Pick<Look, 'grid' | 'row' | 'column'>, view: (cell: C) => CellView): GridPart {
    const order = this.#order(wordsOf(look.grid));
    const row = startOf(look.row, order.isps.length, ROWS);
    const column = startOf(look.column, order.nodes.length, COLUMNS);
    const isps = order.isps.slice(row, row + ROWS);
    const nodes = order.nodes.slice(column, column + COLUMNS);
    const cells = isps
      .flatMap((isp) => nodes.flatMap(({ name }) => this.#source.cells.get(name, isp) ?? []))
      .filter(order.fits);
    return {
      row,
      column,
      rows: order.isps.length,
      columns: order.nodes.length,
      isps: isps.map((name) => this.#isps.get(name) ?? { name, queued: 0 }),
      nodes: nodes.map(({ name, state }) => ({ name, state })),
      cells: cells.map(view),
    };
  }

  #order(words: readonly string[]): Order {
    const key = words.join(' ');
    let order = this.#orders.get(key);
    if (!order) this.#orders.set(key, (order = orderOf(this.#source, words)));
    return order;
  }
}

function orderOf({ cells, nodes, isps }: GridSource<Sign>, words: readonly string[]): Order {
  const searched = words.length > 0;
  const fits = searched ? fitting(words) : () => true;
  const [ofIsp, ofNode] = [new Map<string, number>(), new Map<string, number>()];
  for (const cell of cells.values()) {
    if (!fits(cell)) continue;
    const urgency = URGENCY[cell.health];
    if (urgency < (ofIsp.get(cell.isp) ?? Infinity)) ofIsp.set(cell.isp, urgency);
    if (urgency < (ofNode.get(cell.node) ?? Infinity)) ofNode.set(cell.node, urgency);
  }
  const names = [...new Set([...isps.map(({ name }) => name), ...ofIsp.keys()])];
  const nodeOrder = nodes
    .filter(({ name }) => !searched || ofNode.has(name))
    .sort((a, b) => byName.compare(a.name, b.name));
  if (nodeOrder.length > FEW_NODES)
    nodeOrder.sort((a, b) => urgencyOf(ofNode, a.name) - urgencyOf(ofNode, b.name));
  return {
    fits,
    isps: names
      .filter((name) => !searched || ofIsp.has(name))
      .sort((a, b) => urgencyOf(ofIsp, a) - urgencyOf(ofIsp, b)),
    nodes: nodeOrder,
  };
}

const byName = new Intl.Collator(undefined, { numeric: true });
const urgencyOf = (worst: ReadonlyMap<string, number>, name: string): number =>
  worst.get(name) ?? URGENCY.idle;

/** Each word is a part of the name of the ISP or of the node. Which ones a name has is looked for once for each name. */
function fitting(words: readonly string[]): (cell: Sign) => boolean {
  const all = 2 ** words.length - 1;
  const found = new Map<string, number>();
  const of = (name: string): number => {
    let bits = found.get(name);
    if (bits === undefined) {
      const lower = name.toLowerCase();
      bits = words.reduce((sum, word, i) => (lower.includes(word) ? sum | (1 << i) : sum), 0);
      found.set(name, bits);
    }
    return bits;
  };
  return ({ isp, node }) => (of(isp) | of(node)) === all;
}

/** `lineOf` makes what is shown of a campaign. */
export function campaignPart<C extends Pick<CampaignLine, 'account' | 'campaign'>>(
  all: readonly C[],
  look: Pick<Look, 'campaigns' | 'campaign'>,
  lineOf: (one: C) => CampaignLine,
): CampaignPart {
  const words = wordsOf(look.campaigns);
  const wanted =
    words.length === 0
      ? all
      : all.filter(({ account, campaign }) => {
          const names = [account.toLowerCase(), campaign.toLowerCase()];
          return words.every((word) => names.some((name) => name.includes(word)));
        });
  const row = startOf(look.campaign, wanted.length, CAMPAIGNS);
  return { row, rows: wanted.length, campaigns: wanted.slice(row, row + CAMPAIGNS).map(lineOf) };
}

/** Where a window starts; what has become shorter meanwhile is shown to its end. */
const startOf = (wanted: number, count: number, size: number): number =>
  Math.max(0, Math.min(wanted, count - size));

const wordsOf = (text: string): readonly string[] =>
  text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS);
