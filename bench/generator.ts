/** The load generator in a process of its own: messages over SMTP with the source of the test bed, or a campaign. */
import { sendCampaign } from './campaign.ts';
import { answerJobs } from './child.ts';
import { sendMessages } from './smtp-load.ts';
import type { Workload } from './workloads.ts';

export interface Injected {
  /** Wall time of the start, ms since the epoch with fractions. */
  readonly firstAtMs: number;
  readonly accepted: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly firstRefusal: string | undefined;
}

export interface Load {
  readonly workload: Workload;
  readonly count: number;
  /** Number of the first recipient, so that no two loads of a run have one in common. */
  readonly firstIndex: number;
  /** Recipient domains; default those of the workload. */
  readonly domains?: number;
  /** Messages that may begin per second; default: as fast as it goes. */
  readonly ratePerSecond?: number | undefined;
}

export interface GeneratorJobs {
  readonly smtp: { readonly job: Load & { readonly port: number }; readonly answer: Injected };
  readonly campaign: { readonly job: Load & { readonly socket: string }; readonly answer: Injected };
}

answerJobs<GeneratorJobs>({ smtp: sendMessages, campaign: sendCampaign });
