/**
 * How fast mail ends (is delivered or given up): by row of the counts and by campaign, over the last minutes. What is
 * asked for is a rate and not a proof, so it is in memory only, of bounded size, and begins anew with a restart.
 */
import type { EventRun } from './committer.ts';
import { domainOf, type Event, TERMINAL } from '../core/index.ts';
import { parseRowName, type RowKey, type RowLabels, rowName, sameLabels } from './counters.ts';
import { RecentLabels } from './recent-labels.ts';

type Ended = Pick<
  Event,
  'type' | 'reason' | 'corrects' | 'account_id' | 'campaign_id' | 'sender' | 'node' | 'recipient'
>;

const PERIOD_MS = 150_000;
/** Less time says little of how fast something goes. */
const LEAST_MS = 10_000;
/** Beyond it what comes new is counted without its domain, so that only ISPs and domains lose something. */
const MOST_ROWS = 50_000;
/** Beyond it what comes new has no speed of its own: its end is not estimated. */
const MOST_CAMPAIGNS = 50_000;

interface Tally {
  count: number;
  /** From when on it is counted (mono ms): its first end, or the beginning of the period if it went on before. */
  readonly since: number;
}

/** Counts by key of this period and the one before. */
class Tallies {
  #now = new Map<string, Tally>();
  #before = new Map<string, Tally>();

  add(key: string, at: number, periodStart: number, by = 1): void {
    const known = this.#now.get(key);
    if (known) known.count += by;
    else this.#now.set(key, { count: by, since: this.#before.has(key) ? periodStart : at });
  }

  has(key: string): boolean {
    return this.#now.has(key);
  }

  get size(): number {
    return this.#now.size;
  }

  /** The next period begins; `follows` the one before directly. */
  turn(follows: boolean): void {
    this.#before = follows ? this.#now : new Map<string, Tally>();
    this.#now = new Map();
  }

  /** May be walked over several turns of the event loop. */
  *keys(): Generator<string> {
    const [now, before] = [this.#now, this.#before];
    yield* before.keys();
    for (const key of now.keys()) if (!before.has(key)) yield key;
  }

  perSecond(key: string, at: number): number {
    const [now, before] = [this.#now.get(key), this.#before.get(key)];
    const since = (before ?? now)?.since;
    if (since === undefined) return 0;
    return (((now?.count ?? 0) + (before?.count ?? 0)) / Math.max(LEAST_MS, at - since)) * 1000;
  }
}

export class EndSpeeds {
  readonly #mono: () => number;
  readonly #rows = new Tallies();
  readonly #campaigns = new Tallies();
  readonly #names = new RecentLabels<RowLabels, string>(sameLabels);
  /** Begin of the period (mono ms). */
  #start: number;

  constructor(mono: () => number) {
    this.#mono = mono;
    this.#start = mono();
  }

  /**
   * Looks at an event; one that ends a delivery counts. What a late report takes back had ended before, and what an
   * operator removes in one go, or a policy refuses before it is queued, says nothing of how fast the rest goes.
   */
  add(event: Ended): void {
    if (event.corrects === undefined && isEnd(event)) this.#add(event, [event.recipient ?? '']);
  }

  /** The same for each event of a run. */
  addRun({ draft, recipients }: EventRun): void {
    if (isEnd(draft)) this.#add(draft, recipients);
  }

  #add(event: Omit<Ended, 'recipient'>, recipients: readonly string[]): void {
    const { account_id: account = '', campaign_id: campaign = '', sender = '', node = '' } = event;
    const at = this.#turn();
    const labels = { account, campaign, sender, node };
    const names = this.#names.of(labels);
    for (const recipient of recipients) {
      const domain = domainOf(recipient);
      let row = names.get(domain);
      if (row === undefined) names.set(domain, (row = rowName({ ...labels, domain })));
      const full = this.#rows.size >= MOST_ROWS && !this.#rows.has(row);
      this.#rows.add(full ? rowName({ ...labels, domain: '' }) : row, at, this.#start);
    }
    const name = `${account}\0${campaign}`;
    if (this.#campaigns.size < MOST_CAMPAIGNS || this.#campaigns.has(name))
      this.#campaigns.add(name, at, this.#start, recipients.length);
  }

  /** Deliveries of a campaign that ended, per second, in the last 2.5 to 5 minutes, or since its first one. */
  ofCampaign(account: string, campaign: string): number {
    return this.#campaigns.perSecond(`${account}\0${campaign}`, this.#turn());
  }

  /** The same for each row that mail has ended of; the domain is empty where there were too many. */
  *rows(): Generator<RowKey & { readonly perSecond: number }> {
    const at = this.#turn();
    for (const key of this.#rows.keys()) {
      yield { ...parseRowName(key), perSecond: this.#rows.perSecond(key, at) };
    }
  }

  #turn(): number {
    const at = this.#mono();
    const periods = Math.floor((at - this.#start) / PERIOD_MS);
    if (periods > 0) {
      for (const tallies of [this.#rows, this.#campaigns]) tallies.turn(periods === 1);
      this.#start += periods * PERIOD_MS;
    }
    return at;
  }
}

const isEnd = ({ type, reason }: Pick<Event, 'type' | 'reason'>): boolean =>
  TERMINAL.has(type) && reason !== 'removed' && reason !== 'policy';
