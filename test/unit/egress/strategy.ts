import type { StrategyConfig } from '../../../src/config/index.ts';

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
  ...wish,
});
