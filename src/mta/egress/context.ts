/** What the parts of the sending side share: configuration as it is now, and the services they were given. */
import type { Classifier } from '../../bounce/index.ts';
import type { Config, SenderConfig } from '../../config/index.ts';
import type { Clock } from '../../core/index.ts';
import type { Tokens } from '../../fbl/index.ts';
import type { Queue } from '../../queue/index.ts';
import type { KeyRing } from '../dkim/index.ts';
import type { CampaignLimits } from './campaign-limits.ts';
import type { Caps } from './caps.ts';
import type { IspIndex } from './isp.ts';
import type { Locks } from './locks.ts';
import type { Recorder } from './recorder.ts';
import type { Report } from './report.ts';

/** A sender with what was loaded for it. */
export interface Sender {
  readonly config: SenderConfig;
  readonly keys: KeyRing;
}

export interface EgressSettings {
  readonly config: Config;
  readonly senders: ReadonlyMap<string, Sender>;
  readonly classifier: Classifier;
}

export interface EgressContext {
  /** Replaced as a whole by a reload. */
  settings: EgressSettings;
  /** The ISPs of these settings. */
  isps: IspIndex;
  readonly locks: Locks;
  readonly queue: Queue;
  readonly recorder: Recorder;
  readonly caps: Caps;
  readonly campaigns: CampaignLimits;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: Report;
}
