/** The load generator in a process of its own: messages over SMTP with the source of the test bed, or a campaign. */
import { DEFAULT_HEADERS, runSource } from '../src/testbed/index.ts';
import { DEFAULT_TIMEOUTS } from '../src/mta/smtp/index.ts';
import { sendCampaign } from './campaign.ts';
import { answerJobs } from './child.ts';
import { FROM_ADDRESS, RECIPIENT_DOMAINS, type Workload } from './workloads.ts';

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
  /** Recipient domains; default those of every workload. */
  readonly domains?: number;
  /** Messages that may begin per second; default: as fast as it goes. */
  readonly ratePerSecond?: number | undefined;
}

export interface GeneratorJobs {
  readonly smtp: { readonly job: Load & { readonly port: number }; readonly answer: Injected };
  readonly campaign: { readonly job: Load & { readonly socket: string }; readonly answer: Injected };
}

answerJobs<GeneratorJobs>({ smtp: sendMessages, campaign: sendCampaign });

async function sendMessages({
  workload,
  count,
  firstIndex,
  domains = RECIPIENT_DOMAINS,
  ratePerSecond,
  port,
}: Load & { port: number }): Promise<Injected> {
  const firstAtMs = performance.timeOrigin + performance.now();
  const report = await runSource({
    targets: [{ address: '127.0.0.1', port }],
    sessions: workload.sessions,
    messagesPerSession: workload.messagesPerSession,
    messageBytes: workload.messageBytes,
    count,
    firstIndex,
    from: FROM_ADDRESS,
    domains,
    headers: DEFAULT_HEADERS,
    ratePerSecond,
    heloName: 'source.test',
    localAddress: undefined,
    tls: 'none',
    pipelining: true,
    // DATA for everybody: not every MTA offers BDAT, and the comparison shall be of the same work.
    chunking: false,
    timeouts: DEFAULT_TIMEOUTS,
  });
  const { accepted, seconds, latency, firstRefusal } = report;
  return { firstAtMs, accepted, seconds, p50Ms: latency.p50Ms, p99Ms: latency.p99Ms, firstRefusal };
}
