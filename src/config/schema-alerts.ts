/** Schema of the built-in alerts: what is worth waking somebody for. config/prometheus/alerts.yml says the same. */
import { key, leaf, orNull, section } from './kind.ts';
import { decimal, duration, integer } from './kinds.ts';

const percent = (fallback: number, text: string) =>
  key(leaf(orNull(decimal({ min: 0, max: 100 }))).prefault(fallback), text);
const wait = (fallback: string, text: string) => key(leaf(duration(fallback)).prefault(fallback), text);
const waitOrNever = (fallback: string, text: string) =>
  key(leaf(orNull(duration(fallback))).prefault(fallback), text);

export const alertsSchema = section({
  period: wait('1h', 'Time over which bounces are judged, by ISP.'),
  complaint_period: wait('24h', 'The same for complaints, which come late.'),
  min_volume: key(
    leaf(integer({ min: 1 })).prefault(200),
    'Attempts of an ISP in that time, below which no share is judged.',
  ),
  min_count: key(
    leaf(integer({ min: 1 })).prefault(3),
    'And so many bounces or complaints: one of a few proves nothing.',
  ),
  hard_bounces: percent(1, 'Percentage of attempts that alerts; null: never.'),
  soft_bounces: percent(30, 'The same for temporary refusals.'),
  complaints: percent(0.07, 'Percentage of delivered mail; null: never.'),
  stuck_mail: waitOrNever('30m', 'An ISP has mail older than this and took none for as long; null: never.'),
  stuck_volume: key(leaf(integer({ min: 1 })).prefault(10), 'So many deliveries have to wait there.'),
  node_down: waitOrNever('1m', 'A node is down for so long; null: never.'),
  slow_commit: waitOrNever(
    '500ms',
    'Commits of the store that take so long, or longer, are slow; ten seconds of them in a minute alert. Null: never.',
  ),
  clear_after: wait('1m', 'An alert ends when its cause has been away for so long.'),
});
