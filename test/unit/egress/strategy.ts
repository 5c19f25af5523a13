import type { AdaptiveConfig, StrategyConfig } from '../../../src/config/index.ts';

export const ADAPTIVE: AdaptiveConfig = {
  enabled: true,
  categories: ['rate_limited', 'ip_blocked', 'connection_limit'],
  threshold: 2,
  decrease: 50,
  increase: 10,
  stepMs: 15_000,
  holdMs: 60_000,
  floor: null,
  floorPercent: 1,
};
const ADAPTIVE_OFF: AdaptiveConfig = { ...ADAPTIVE, enabled: false };

export const strategy = (wish: Partial<StrategyConfig> = {}): StrategyConfig => ({
  name: 'test',
  ratePerInterval: null,
  concurrentConnections: 5,
  messagesPerConnection: 100,
  connectionAttempts: 1,
  burst: 1,
  dailyLimit: null,
  maxRecipientsPerTransaction: 100,
  helo: 'hostname',
  tls: null,
  drop: false,
  adaptive: ADAPTIVE_OFF,
  ...wish,
});
