/** The models, each with the strategy that a postmaster would start with: too fast by some factor. */
import { type Config, formatProblem, parseConfig } from '../../src/config/index.ts';
import { HOUR } from './clock.ts';
import {
  background,
  blocking,
  connectionLimit,
  fixedRate,
  greylisting,
  growing,
  LISTED,
  type Receiver,
  reputation,
  weekly,
} from './receivers.ts';
import type { Reaction } from './sender.ts';
import type { Scene } from './simulate.ts';

export interface Model {
  readonly name: string;
  readonly title: string;
  readonly receiver: () => Receiver;
  readonly strategy: string;
  /** Settings of a warm-up plan, where the address is new. */
  readonly warmup?: string;
  readonly hours: number;
  readonly latencyMs: number;
  readonly nodes: readonly number[];
  /** The end of a block (ms), where there is one. */
  readonly blockEnds?: number;
}

const BLOCK_FROM = 6 * HOUR;
const BLOCK_MS = 4 * HOUR;
const ONE = [0];

export const MODELS: readonly Model[] = [
  {
    name: 'fixed-rate',
    title: 'takes 100 a minute; the strategy says 300',
    receiver: () => fixedRate(100),
    strategy: 'rate: 300/1m, concurrent_connections: 10',
    hours: 24,
    latencyMs: 400,
    nodes: ONE,
  },
  {
    name: 'shared-rate',
    title: 'takes 60 a minute of three nodes together; each has 80, the third comes two hours later',
    receiver: () => fixedRate(60, true),
    strategy: 'rate: 80/1m, concurrent_connections: 10',
    hours: 24,
    latencyMs: 400,
    nodes: [0, 0, 2 * HOUR],
  },
  {
    name: 'background',
    title:
      'takes 300 a minute and refuses 3 of 1,000 whatever the speed, for mailboxes have limits, too; the strategy says 600',
    receiver: () => background(300, 3),
    strategy: 'rate: 600/1m, concurrent_connections: 20',
    hours: 24,
    latencyMs: 400,
    nodes: ONE,
  },
  {
    name: 'connection-limit',
    title: 'takes 4 sessions at once; the strategy says 20, without a rate',
    receiver: () => connectionLimit(4, 2_000),
    strategy: 'concurrent_connections: 20',
    hours: 12,
    latencyMs: 2_000,
    nodes: ONE,
  },
  {
    name: 'greylisting',
    title: 'refuses each recipient for five minutes; the strategy is right',
    receiver: () => greylisting(60),
    strategy: 'rate: 60/1m, concurrent_connections: 5',
    hours: 12,
    latencyMs: 400,
    nodes: ONE,
  },
  {
    name: 'reputation',
    title: 'takes 200 a minute, less after each excess; the strategy says 300',
    receiver: () => reputation(200),
    strategy: 'rate: 300/1m, concurrent_connections: 10',
    hours: 24,
    latencyMs: 400,
    nodes: ONE,
  },
  {
    name: 'block',
    title:
      'takes 100 a minute, and nothing from hour 6 to 10 and longer for who goes on; the strategy is right',
    receiver: () => blocking(100, BLOCK_FROM, BLOCK_MS),
    strategy: 'rate: 95/1m, concurrent_connections: 10',
    hours: 24,
    latencyMs: 400,
    nodes: ONE,
    blockEnds: BLOCK_FROM + BLOCK_MS,
  },
  {
    name: 'blocklist',
    title:
      'takes 100 a minute; from hour 6 to 10 the address is in its blocklist, longer for who goes on; the strategy is right',
    receiver: () => blocking(100, BLOCK_FROM, BLOCK_MS, LISTED),
    strategy: 'rate: 95/1m, concurrent_connections: 10',
    hours: 24,
    latencyMs: 400,
    nodes: ONE,
    blockEnds: BLOCK_FROM + BLOCK_MS,
  },
  {
    name: 'new-address',
    title:
      'takes 100 on the first day, and twice as many after each day on which it had to refuse few; the strategy says 30 a minute, adaptive has the shipped warm-up plan',
    receiver: () => growing(100),
    strategy: 'rate: 30/1m, concurrent_connections: 5',
    warmup: 'overflow: wait',
    hours: 240,
    latencyMs: 400,
    nodes: ONE,
  },
  {
    name: 'weekly',
    title:
      'takes 60 a minute at night, 30 % of it on working days, 50-70 % at weekends; the strategy says 60',
    receiver: () => weekly(60),
    strategy: 'rate: 60/1m, concurrent_connections: 10',
    hours: 168,
    latencyMs: 400,
    nodes: ONE,
  },
];

export function sceneOf(model: Model, reaction: Reaction, hours = model.hours): Scene {
  const { strategies, retryRules, rules, warmupPlans } = parsed(
    [
      `strategies: [{name: sim, ${model.strategy}, messages_per_connection: 1000}]`,
      ...(model.warmup === undefined ? [] : [`warmup_plans: [{name: sim, ${model.warmup}}]`]),
    ].join('\n'),
  );
  const { latencyMs, nodes } = model;
  const strategy = strategies.find(({ name }) => name === 'sim')!;
  const sending = { strategy, rules, retry: retryRules[0]!, warmup: warmupPlans[0] ?? null };
  return { receiver: model.receiver(), sending, reaction, hours, latencyMs, nodes };
}

function parsed(yaml: string): Config {
  const loaded = parseConfig(`hostname: sim.test\n${yaml}`, { file: 'simulation' });
  if (!loaded.ok) throw new Error(loaded.error.map(formatProblem).join('\n'));
  return loaded.value.config;
}
