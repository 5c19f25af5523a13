/** Schema of speeds that change by themselves: what adaptive strategies may be told. */
import * as z from 'zod';
import { key, leaf, oneOrMany, section } from './kind.ts';
import { choice, decimal, duration, integer, name, rate, text } from './kinds.ts';

/** Trouble that going slower can mend. */
const TROUBLE = [
  'rate_limited',
  'connection_limit',
  'ip_blocked',
  'policy',
  'spam_content',
  'greylisted',
] as const;

const percent = decimal({ min: 0, max: 100 });

export const adaptiveSchema = section({
  categories: key(
    z.array(leaf(choice([...TROUBLE]))).prefault(['rate_limited', 'ip_blocked', 'connection_limit']),
    'Refusals that count as trouble. connection_limit lowers the number of sessions instead of the speed.',
    { example: ['rate_limited', 'ip_blocked'] },
  ),
  threshold: key(leaf(percent).prefault(2), 'Percentage of trouble among the replies that is borne.', {
    example: 2,
  }),
  decrease: key(
    leaf(decimal({ min: 1, max: 90 })).prefault(50),
    'The most that one step takes away, in percent.',
  ),
  increase: key(
    leaf(decimal({ min: 0.1, max: 100 })).prefault(10),
    'Percentage of the known speed that each step without trouble gives back.',
  ),
  step: key(leaf(duration('15s')).prefault('15s'), 'Shortest time between two steps upwards.'),
  hold: key(
    leaf(duration('1m')).prefault('1m'),
    'How long the known speed is kept before more is tried; doubles each time that fails.',
  ),
  floor: key(leaf(rate).optional(), 'The slowest speed (default: 1 % of the strategy, at most 6/1m).', {
    example: '10/1m',
    off: true,
  }),
});

const stages = z.array(leaf(integer({ min: 1 })));

export const warmupPlanSchema = section({
  name: key(leaf(name), 'Name used by nodes.', { example: 'new-address' }),
  stages: key(
    stages.prefault([50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200]),
    'Recipients of a calendar day towards one ISP, stage by stage; after the last one there is no cap.',
    { example: [50, 100, 200, 400, 800] },
  ),
  isps: key(z.record(z.string(), stages).prefault({}), 'ISPs with stages of their own.', {
    example: { gmail: [20, 50, 100, 200, 500, 1000] },
    off: true,
  }),
  advance_at: key(
    leaf(decimal({ min: 0, max: 100 })).prefault(10),
    'Percentage of the cap that a day must have delivered for the next stage; at least one delivery.',
  ),
  max_hard_bounces: key(leaf(percent).prefault(5), 'Percentage of hard bounces of a day that pauses it.'),
  max_blocks: key(leaf(percent).prefault(5), 'Percentage of replies of class block that pauses it.'),
  min_attempts: key(leaf(integer({ min: 1 })).prefault(20), 'Replies of a day before it is judged.'),
  pause: key(leaf(duration('24h')).prefault('24h'), 'How long; then it goes on a stage lower.'),
  overflow: key(
    leaf(choice(['wait', 'move'])).prefault('move'),
    'What is above the cap: waits for the next day, or moves to other nodes of its sender that have room.',
  ),
});

export const capSchema = section({
  name: key(leaf(name), 'Name shown by commands.', { example: 'gmail-in-all' }),
  isp: key(leaf(name), 'The ISP that it holds for.', { example: 'gmail' }),
  sender: key(leaf(name).optional(), 'Only mail of this sender counts; left out: all mail.', {
    example: 'promo',
    off: true,
  }),
  rate: key(leaf(rate).optional(), 'Recipients of all nodes together per window.', { example: '1000/1m' }),
  burst: key(
    leaf(integer({ min: 1 })).prefault(1),
    'Recipients that may go at once; the rest is spread evenly.',
  ),
  daily_limit: key(leaf(integer({ min: 1 })).optional(), 'Recipients of a calendar day in `timezone`.', {
    example: 500_000,
  }),
});

export const policySchema = section({
  name: key(leaf(name), 'Name shown in events.', { example: 'weekly' }),
  max: key(leaf(integer({ min: 1, max: 100 })), 'Messages that one address may get.', { example: 3 }),
  days: key(leaf(decimal({ min: 0.001, max: 366 })), 'In any so many days (24 hours each).', { example: 7 }),
  per: key(
    leaf(choice(['account', 'campaign', 'group'])).prefault('account'),
    'What is counted together: the mail of one account, or of one campaign or group of it. Mail without that label has no limit.',
  ),
  only: key(
    leaf(oneOrMany(text)).optional(),
    'Only for these accounts, campaigns or groups; left out: for each of them.',
    { example: 'shop', off: true },
  ),
  bands: key(
    z.array(leaf(choice(['priority', 'geo', 'standard']))).prefault(['geo', 'standard']),
    'Mail of other bands is neither counted nor refused.',
  ),
});

/** What `adaptive: true` means, and how a speed that a rule has lowered recovers. */
export const adaptiveDefaults = () => adaptiveSchema.parse({});
