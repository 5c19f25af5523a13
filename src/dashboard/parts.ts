/**
 * Parts of what is too large to be sent or drawn at once: a window of the grid, and one of the list of campaigns. What
 * does not fit is counted, and a page asks for another window as somebody scrolls or searches.
 */
import type { CampaignLine, CampaignPart, CellView, GridPart, Health, IspLine, Look } from './view.ts';

/** More than a screen shows, so that the next rows are there already when somebody scrolls slowly. */
const ROWS = 24;
const COLUMNS = 16;
const CAMPAIGNS = 40;
/** As many nodes keep the order of their names; of more the worst come first. */
const FEW_NODES = 30;

export const URGENCY: Readonly<Record<Health, number>> = { stuck: 0, slow: 1, good: 2, idle: 3 };

export interface GridSource {
  /** The worst first. */
  readonly cells: readonly CellView[];
  readonly nodes: readonly { readonly name: string; readonly state: string }[];
  /** With the most mail first. */
  readonly isps: readonly IspLine[];
}

/** From a row and a column on; with words only the cells that have each of them in the name of their ISP or node. */
export function gridPart(
  { cells: all, nodes, isps }: GridSource,
  look: Pick<Look, 'grid' | 'row' | 'column'>,
): GridPart {
  const searched = wordsOf(look.grid).length > 0;
  const cells = searched ? matching(all, look.grid, ({ isp, node }) => [isp, node]) : all;
  const [worstOfIsp, worstOfNode] = [worstBy(cells, 'isp'), worstBy(cells, 'node')];
  const known = new Map(isps.map((isp) => [isp.name, isp]));
  const names = [...new Set([...isps.map(({ name }) => name), ...worstOfIsp.keys()])];
  const ispOrder = names
    .filter((name) => !searched || worstOfIsp.has(name))
    .sort((a, b) => urgency(worstOfIsp, a) - urgency(worstOfIsp, b));
  const nodeOrder = nodes
    .filter(({ name }) => !searched || worstOfNode.has(name))
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  if (nodeOrder.length > FEW_NODES)
    nodeOrder.sort((a, b) => urgency(worstOfNode, a.name) - urgency(worstOfNode, b.name));
  const row = startOf(look.row, ispOrder.length, ROWS);
  const column = startOf(look.column, nodeOrder.length, COLUMNS);
  const shownIsps = ispOrder.slice(row, row + ROWS);
  const shownNodes = nodeOrder.slice(column, column + COLUMNS);
  const [inRow, inColumn] = [new Set(shownIsps), new Set(shownNodes.map(({ name }) => name))];
  return {
    row,
    column,
    rows: ispOrder.length,
    columns: nodeOrder.length,
    isps: shownIsps.map((name) => known.get(name) ?? { name, queued: 0 }),
    nodes: shownNodes.map(({ name, state }) => ({ name, state })),
    cells: cells.filter(({ isp, node }) => inRow.has(isp) && inColumn.has(node)),
  };
}

/** `lineOf` makes what is shown of a campaign. */
export function campaignPart<C extends Pick<CampaignLine, 'account' | 'campaign'>>(
  all: readonly C[],
  look: Pick<Look, 'campaigns' | 'campaign'>,
  lineOf: (one: C) => CampaignLine,
): CampaignPart {
  const searched = wordsOf(look.campaigns).length > 0;
  const fitting = searched
    ? matching(all, look.campaigns, ({ account, campaign }) => [account, campaign])
    : all;
  const row = startOf(look.campaign, fitting.length, CAMPAIGNS);
  return { row, rows: fitting.length, campaigns: fitting.slice(row, row + CAMPAIGNS).map(lineOf) };
}

/** Where a window starts; what has become shorter meanwhile is shown to its end. */
const startOf = (wanted: number, count: number, size: number): number =>
  Math.max(0, Math.min(wanted, count - size));

const urgency = (worst: ReadonlyMap<string, number>, name: string): number => worst.get(name) ?? URGENCY.idle;

function worstBy(cells: readonly CellView[], of: 'isp' | 'node'): Map<string, number> {
  const worst = new Map<string, number>();
  // They come with the worst first.
  for (const cell of cells) if (!worst.has(cell[of])) worst.set(cell[of], URGENCY[cell.health]);
  return worst;
}

const wordsOf = (text: string): readonly string[] => text.toLowerCase().split(/\s+/).filter(Boolean);

/** Those of which each word is a part of some name. */
function matching<T>(all: readonly T[], text: string, namesOf: (one: T) => readonly string[]): readonly T[] {
  const words = wordsOf(text);
  return all.filter((one) => {
    const names = namesOf(one).map((name) => name.toLowerCase());
    return words.every((word) => names.some((name) => name.includes(word)));
  });
}
