/**
 * What is wrong now: a pure function of what was measured and of the thresholds. A share of which too little was seen
 * yet to say anything (`unknown`) neither begins nor ends an alert.
 */
import type { AlertsConfig } from '../config/index.ts';
import { type AlertName, formatAge } from '../core/index.ts';
import { type CommitTime, type DiskTrouble, type JournalLag, LAG_WARNS } from '../queue/index.ts';
import type { Counts } from './time-ring.ts';

export interface Measured {
  readonly now: number;
  /** Wall time (ms) since which `shares` were counted. */
  readonly since: number;
  readonly shares: Iterable<{ readonly isp: string; readonly bounces: Counts; readonly complaints: Counts }>;
  /** ISPs with mail that may go: how much waits, its oldest acceptance, when the ISP last took mail (wall ms). */
  readonly waiting: Iterable<{
    readonly isp: string;
    readonly count: number;
    readonly oldest: number;
    readonly lastDelivered: number;
    readonly why: string | undefined;
  }>;
  readonly down: Iterable<{ readonly node: string; readonly since: number; readonly why: string }>;
  /** What is wrong with the disk, and what to do. */
  readonly disk: DiskTrouble | undefined;
  /** Commits of the last minute. */
  readonly commits?: CommitTime | undefined;
  /** Who follows the journal and is nearest to losing events. */
  readonly lag?: JournalLag | undefined;
}

export interface Finding {
  readonly name: AlertName;
  readonly isp?: string;
  readonly node?: string;
  readonly verdict: 'holds' | 'unknown';
  /** What is wrong, and what to do. */
  readonly text: string;
}

/** So much time of slow commits in a minute is a slow disk. */
const SLOW_TOTAL_MS = 10_000;

/** Everything that is not found is fine. */
export function judge(measured: Measured, config: AlertsConfig): Finding[] {
  return [
    ...disk(measured),
    ...slowDisk(measured, config),
    ...lag(measured),
    ...nodes(measured, config),
    ...stuck(measured, config),
    ...[...measured.shares].flatMap((one) => shares(one, measured, config)),
  ];
}

const disk = ({ disk: trouble }: Measured): Finding[] =>
  trouble ? [{ name: 'disk_reserve', verdict: 'holds', text: `${trouble.text}; ${trouble.remedy}` }] : [];

/** Any slow commit of the last minute keeps the alert; so does a minute without commits, which proves nothing. */
function slowDisk({ commits }: Measured, { slowCommitMs }: AlertsConfig): Finding[] {
  if (commits === undefined || slowCommitMs === null) return [];
  const { count, slowCount, slowTotalMs } = commits;
  if (count > 0 && slowCount === 0) return [];
  if (slowTotalMs < SLOW_TOTAL_MS) return [{ name: 'slow_disk', verdict: 'unknown', text: '' }];
  const took = commitTime(slowTotalMs / slowCount);
  return [
    {
      name: 'slow_disk',
      verdict: 'holds',
      text: `the disk is slow: a commit takes ${took} (${slowCount} of ${count} in the last minute were slow). Mail is acknowledged and sent no faster than that, none is lost; see what keeps the disk of data_dir busy, or whether it fails (iostat -x 1, dmesg)`,
    },
  ];
}

const lag = ({ lag: worst }: Measured): Finding[] =>
  worst === undefined || worst.share < LAG_WARNS
    ? []
    : [
        {
          name: 'journal_lag',
          verdict: 'holds',
          text: `${worst.reader} is ${worst.events} events behind, at ${Math.floor(100 * worst.share)} % of what the journal keeps; let it catch up, or raise journal.max_age and journal.max_size`,
        },
      ];

function nodes({ down, now }: Measured, { nodeDownMs }: AlertsConfig): Finding[] {
  if (nodeDownMs === null) return [];
  return [...down]
    .filter(({ since }) => now - since >= nodeDownMs)
    .map(({ node, since, why }) => ({
      name: 'node_down',
      node,
      verdict: 'holds',
      text: `node ${node} is down for ${formatAge(now - since)}: ${why}`,
    }));
}

function stuck({ waiting, now }: Measured, { stuckMailMs, stuckVolume }: AlertsConfig): Finding[] {
  if (stuckMailMs === null) return [];
  return [...waiting]
    .filter(({ count }) => count >= stuckVolume)
    .filter(({ oldest, lastDelivered }) => now - Math.max(oldest, lastDelivered) >= stuckMailMs)
    .map(({ isp, count, oldest, lastDelivered, why }) => ({
      name: 'stuck_mail',
      isp,
      verdict: 'holds',
      text: `${count} deliveries to ${isp} wait, the oldest for ${formatAge(now - oldest)}, and none was taken for ${formatAge(now - lastDelivered)}${why === undefined ? '' : `: ${why}`}`,
    }));
}

interface Share {
  readonly name: AlertName;
  readonly part: number;
  readonly whole: number;
  readonly percent: number | null;
  readonly periodMs: number;
  readonly says: string;
}

function shares(
  { isp, bounces, complaints }: { isp: string; bounces: Counts; complaints: Counts },
  measured: Measured,
  config: AlertsConfig,
): Finding[] {
  const attempts = bounces.delivered + bounces.soft + bounces.hard;
  const of = { whole: attempts, periodMs: config.periodMs };
  const all: Share[] = [
    {
      ...of,
      name: 'hard_bounces',
      part: bounces.hard,
      percent: config.hardBounces,
      says: 'attempts bounced for good',
    },
    {
      ...of,
      name: 'soft_bounces',
      part: bounces.soft,
      percent: config.softBounces,
      says: 'attempts were put off',
    },
    {
      name: 'complaints',
      part: complaints.complaints,
      whole: complaints.delivered,
      percent: config.complaints,
      periodMs: config.complaintPeriodMs,
      says: 'deliveries were complained about',
    },
  ];
  return all.flatMap((share) => shareFinding(isp, share, measured, config));
}

function shareFinding(
  isp: string,
  { name, part, whole, percent, periodMs, says }: Share,
  { now, since }: Measured,
  { minVolume, minCount }: AlertsConfig,
): Finding[] {
  if (percent === null) return [];
  if (whole < minVolume) return now - since < periodMs ? [{ name, isp, verdict: 'unknown', text: '' }] : [];
  const share = (100 * part) / whole;
  if (part < minCount || share <= percent) return [];
  const text = `${isp}: ${part} of ${whole} ${says} (${figure(share)} %, more than ${percent} %) in ${formatAge(Math.min(periodMs, now - since))}; see "postrider report ${name === 'complaints' ? 'bounces' : 'bounces --by isp,reply'}"`;
  return [{ name, isp, verdict: 'holds', text }];
}

/** For people: `0.8ms`, `210ms`, `1.2s`. */
export const commitTime = (ms: number): string =>
  ms >= 1_000 ? `${(ms / 1_000).toFixed(1)}s` : `${ms.toFixed(ms >= 10 ? 0 : 1)}ms`;

const figure = (value: number): string => String(Number(value.toPrecision(2)));
