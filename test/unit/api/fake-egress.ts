/** A scripted sender side: one node, and what was asked of it. */
import { Classifier } from '../../../src/bounce/index.ts';
import {
  CampaignCap,
  type CampaignLimit,
  type EgressView,
  LimitsStand,
  type LaneStatus,
  type NodeControls,
  type NodeFigures,
  type NodeStatus,
  type PathView,
} from '../../../src/mta/egress/index.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { noPlaces } from '../../support/places.ts';
import { speedsOf } from './speeds-of.ts';

const NODE: NodeStatus = {
  name: 'n1',
  address: '192.0.2.10',
  hostname: 'mx1.a.test',
  state: 'running',
  stateSince: undefined,
  sessions: 3,
  maxSessions: 500,
  attempts: 7,
  delivered: 5,
  lastError: { at: Date.UTC(2026, 0, 1), text: 'connection refused' },
  lanes: [
    {
      isp: 'gmail',
      key: 'gmail',
      strategy: '60:60',
      sessions: 3,
      maxSessions: 10,
      ratePerSecond: 1,
      inFlight: 2,
      queues: 1,
      waiting: 'the rate of 60:60 is used up',
      slowed: undefined,
      warmup: undefined,
      lastError: undefined,
    },
  ],
};

export class FakeEgress implements EgressView {
  readonly classifier = new Classifier();
  readonly isps = new Map([['gmail.com', 'gmail']]);
  /** What was asked of the nodes, in order. */
  readonly asked: unknown[] = [];
  readonly control: NodeControls = {
    locks: () => [],
    lock: (...asked) => this.#ask('lock', asked),
    unlock: (...asked) => this.#ask('unlock', asked).then(() => 1),
    lift: (...asked) => this.#ask('lift', asked).then(() => (asked[0] === 'known' ? 1 : 0)),
    drain: (...asked) => this.#ask('drain', asked),
    disable: (...asked) => this.#ask('disable', asked),
    resume: (...asked) => this.#ask('resume', asked),
  };
  #ask(verb: string, asked: readonly unknown[]): Promise<void> {
    this.asked.push([verb, ...asked]);
    return Promise.resolve();
  }
  readonly limits = new Map<string, CampaignLimit>();
  readonly ofOperators = new Set<string>();
  readonly campaigns: EgressView['campaigns'] = {
    of: ({ account, campaign }) => {
      const limit = this.limits.get(`${account}/${campaign}`);
      return limit && new CampaignCap({ clock: createFakeClock(), key: 'k', limit, start: 0 });
    },
    set: ({ account, campaign }, limit, reason, asking) => {
      const key = `${account}/${campaign}`;
      if (asking?.bound && this.ofOperators.has(key)) return Promise.reject(new LimitsStand('theirs'));
      if (!asking?.bound) this.ofOperators.add(key);
      if (limit) this.limits.set(key, limit);
      else this.limits.delete(key);
      return this.#ask('limits', [account, campaign, reason]);
    },
    start: async ({ account, campaign }, reason, asking) => {
      if (asking?.bound && this.ofOperators.has(`${account}/${campaign}`)) throw new LimitsStand('theirs');
      await this.#ask('start', [account, campaign, reason]);
      return this.limits.has(`${account}/${campaign}`);
    },
  };
  waiting: string | undefined;
  standing: Partial<Pick<NodeFigures, 'state' | 'stateSince'>> = {};
  nodes(): readonly NodeStatus[] {
    return [{ ...NODE, ...this.standing }];
  }
  nodeFigures(): readonly NodeFigures[] {
    return this.nodes();
  }
  lanes(of: { readonly node: string } | { readonly isp: string }): Iterable<LaneStatus> {
    return this.nodes().flatMap(({ name, lanes }) =>
      'node' in of ? (name === of.node ? lanes : []) : lanes.filter(({ isp }) => isp === of.isp),
    );
  }
  readonly speeds = speedsOf;
  ispOf(domain: string): string | undefined {
    return this.isps.get(domain);
  }
  path(): Promise<PathView> {
    const nodes = [
      {
        node: 'n1',
        state: 'running',
        address: '192.0.2.10',
        strategy: '60:60',
        chosenBy: 'strategies.default of sender promo',
        chosenAt: 'mta.yaml:9',
        ratePerSecond: 1,
        dailyLimit: null,
        maxSessions: 1,
        limits: [{ setting: 'strategy 60:60', perSecond: 1 }],
        locks: [],
        waiting: undefined,
      },
    ];
    const hosts = [{ name: 'mx.gmail.com', addresses: ['192.0.2.99'], port: 25 }];
    const lane = 'mx:mx.gmail.com';
    const way = { isp: undefined, lane, hosts, source: 'mx', problem: undefined } as const;
    return Promise.resolve({ ...way, nodes, places: noPlaces });
  }
  readonly settingsOf = () => [];
  readonly whyWaiting: EgressView['whyWaiting'] = () => this.waiting;
}
