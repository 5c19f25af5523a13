/** The three workloads, and what a run of one of them yields. */

export interface Workload {
  readonly name: 'w1' | 'w2' | 'w3';
  readonly title: string;
  readonly injection: 'smtp' | 'campaign';
  readonly dkim: boolean;
  readonly count: number;
  /** Messages sent through before the measurement, so that code is compiled and sessions are open. */
  readonly warmUp: number;
  readonly messageBytes: number;
  readonly sessions: number;
  readonly messagesPerSession: number;
}

const COMMON = { messageBytes: 10 * 1024, sessions: 20, messagesPerSession: 100, warmUp: 1_000 } as const;

export const WORKLOADS: readonly Workload[] = [
  {
    ...COMMON,
    name: 'w1',
    title: 'SMTP in, SMTP out',
    injection: 'smtp',
    dkim: false,
    count: 20_000,
  },
  {
    ...COMMON,
    name: 'w2',
    title: 'SMTP in, SMTP out, DKIM RSA-2048',
    injection: 'smtp',
    dkim: true,
    count: 5_000,
  },
  {
    ...COMMON,
    name: 'w3',
    title: 'one campaign over the control socket, 5 variables, DKIM RSA-2048',
    injection: 'campaign',
    dkim: true,
    count: 20_000,
  },
];

export const QUICK = { count: 2_000, warmUp: 200 } as const;

/** From domain of all messages; the one with the DKIM key. */
export const FROM_DOMAIN = 'source.test';
export const FROM_ADDRESS = `source@${FROM_DOMAIN}`;
export const RECIPIENT_DOMAINS = 20;

/** What one run yields. Rates are per second of wall time, CPU is user + system. */
export interface Figures {
  readonly acceptedPerSecond: number;
  /** Messages by the time from the first MAIL (or batch line) to the last message at the receiver. */
  readonly deliveredPerSecond: number;
  readonly cpuPer1000: number;
  readonly peakRssBytes: number;
  readonly peakRssAnonBytes: number;
  /** From MAIL (or the writing of a batch line) to the reply that accepts it. */
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
  readonly duplicates: number;
  /** Sessions at the receiver, at most. */
  readonly sessions: number;
  /** CPU of the load generator and the receiver. */
  readonly harnessCpuPer1000: number;
  /** CPU of all other processes and of kernel threads meanwhile: shows when the machine was not ours alone. */
  readonly otherCpuPer1000: number;
}
