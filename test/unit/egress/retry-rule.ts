import type { RetryRule } from '../../../src/mta/egress/retry.ts';

export const rule = (wish: Partial<RetryRule> = {}): RetryRule => ({
  name: 'test',
  attempts: 8,
  type: 'fixed',
  intervalMs: 1_000,
  exponent: 2,
  modifier: 1,
  intervalsMs: [],
  maxIntervalMs: 14_400_000,
  mode: 'same_node',
  ...wish,
});
