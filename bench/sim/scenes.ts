/** The models, each with the strategy that a postmaster would start with: too fast by some factor. */
import { type Config, formatProblem, parseConfig, type StrategyConfig } from '../../src/config/index.ts';
import { HOUR } from './clock.ts';
import {
  blocking,
  connectionLimit,
  fixedRate,
  greylisting,
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
  const { strategies, retryRules } = parsed(
    `strategies: [{name: sim, ${model.strategy}, messages_per_connection: 1000}]`,
  );
  const { latencyMs, nodes } = model;
  const strategy: StrategyConfig = strategies.find(({ name }) => name === 'sim')!;
  return { receiver: model.receiver(), strategy, retry: retryRules[0]!, reaction, hours, latencyMs, nodes };
}

function parsed(yaml: string): Config {
  const loaded = parseConfig(`hostname: sim.test\n${yaml}`, { file: 'simulation' });
  if (!loaded.ok) throw new Error(loaded.error.map(formatProblem).join('\n'));
  return loaded.value.config;
}
