/** The speed table of a sending side with one node, whose warm-up lowers the day. */
import type { SpeedFilter, SpeedRow } from '../../../src/mta/egress/index.ts';

export function speedsOf({ node }: SpeedFilter): readonly SpeedRow[] {
  const allowed = { perMinute: 60, perHour: 3600, perDay: 86_400 };
  const now = { perMinute: 20, perHour: 1200, perDay: 10_000 };
  const row = { sender: 'main', isp: 'gmail', strategy: '60:60', allowed, now, because: ['warm-up new'] };
  const sum = { ...row, node: undefined, address: undefined, allowed: { ...allowed, perDay: undefined } };
  return [{ ...row, node: 'n1', address: '192.0.2.10' }, ...(node === undefined ? [sum] : [])];
}
