/** For settings that stand in no file. */
import type { Places } from '../../src/config/index.ts';

export const noPlaces: Places = {
  ...{ strategies: {}, warmup_plans: {}, caps: {}, retry_rules: {}, lock_rules: {} },
  ...{ rules: {}, isps: {}, nodes: {}, senders: {} },
};
