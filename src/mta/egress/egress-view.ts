/** What the sending side shows of itself as a whole. */
import type { Classifier } from '../../bounce/index.ts';
import type { CampaignLimits, CampaignName } from './campaign-limits.ts';
import type { CellSettings } from './cell-settings.ts';
import type { NodeControls } from './node-control.ts';
import type { PathView } from './path-view.ts';
import type { SpeedFilter, SpeedRow } from './speed-table.ts';
import type { LaneStatus, NodeFigures, NodeStatus } from './status.ts';

export type LanesOf = { readonly node: string } | { readonly isp: string };

export interface MailOf extends CampaignName {
  readonly sender?: string;
}

export interface EgressView {
  readonly control: NodeControls;
  /** With all their lanes: on a large site tens of thousands, which take tens of milliseconds. */
  nodes(): readonly NodeStatus[];
  nodeFigures(): readonly NodeFigures[];
  /**
   * The lanes of a node, or those of all nodes towards an ISP, one by one: whoever reads them may pause in between. None
   * of a node that does not exist.
   */
  lanes(of: LanesOf): Iterable<LaneStatus>;
  /** How much each sender may send towards each ISP, per node and in sum. */
  speeds(filter: SpeedFilter): readonly SpeedRow[];
  /** What classifies refusals now, with its counts. */
  readonly classifier: Classifier;
  /** The way that mail to a domain would take from these nodes; looks it up. */
  path(domain: string, nodes: readonly string[]): Promise<PathView>;
  /** What is set for a node towards an ISP (or `other`), and where. */
  settingsOf(node: string, isp: string): readonly CellSettings[];
  /** ISP that a recipient domain was last found to belong to, if it is known. */
  ispOf(domain: string): string | undefined;
  /** Why due mail of a node to a domain waits, in words; `of`: whose mail it is. */
  whyWaiting(node: string, domain: string, of?: MailOf): string | undefined;
  /** Limits of campaigns. */
  readonly campaigns: Pick<CampaignLimits, 'of' | 'set' | 'start'>;
}
