/** The workloads, and what a run of one of them yields. */

export interface Workload {
  readonly name: 'w1' | 'w2' | 'w3' | 'w4s' | 'w4l' | 'w5';
  readonly title: string;
  readonly injection: 'smtp' | 'campaign';
  readonly dkim: boolean;
  readonly count: number;
  /** Messages sent through before the measurement, so that code is compiled and sessions are open. */
  readonly warmUp: number;
  readonly messageBytes: number;
  readonly sessions: number;
  readonly messagesPerSession: number;
  readonly refusals?: Refusals;
  /** Recipient domains; default 20. */
  readonly domains?: number;
  /** Deliveries of a campaign that wait on hold meanwhile. */
  readonly waiting?: number;
}

/** Whom the receiver refuses, by the number of the recipient. */
export interface Refusals {
  /** Numbers modulo 100 that are refused for good. */
  readonly always: readonly number[];
  /** The others whose number is a multiple of it are refused once. */
  readonly onceEvery: number;
}

/** What becomes of the messages `from` (included) to `to`: how many arrive, and in how many attempts. */
export function expected(workload: Workload, from: number, to: number): { arrive: number; attempts: number } {
  let [arrive, attempts] = [0, 0];
  for (let index = from; index < to; index++) {
    const { always = [], onceEvery = Infinity } = workload.refusals ?? {};
    const refused = always.includes(index % 100);
    if (!refused) arrive++;
    attempts += !refused && index % onceEvery === 0 ? 2 : 1;
  }
  return { arrive, attempts };
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
    count: 20_000,
  },
  {
    ...COMMON,
    name: 'w3',
    title: 'one campaign over the control socket, 5 variables, DKIM RSA-2048',
    injection: 'campaign',
    dkim: true,
    count: 20_000,
  },
  {
    ...COMMON,
    name: 'w4s',
    title: 'W1 with small messages',
    injection: 'smtp',
    dkim: false,
    count: 20_000,
    messageBytes: 2 * 1024,
  },
  {
    ...COMMON,
    name: 'w4l',
    title: 'W1 with large messages',
    injection: 'smtp',
    dkim: false,
    count: 5_000,
    messageBytes: 100 * 1024,
  },
  {
    ...COMMON,
    name: 'w5',
    title: 'W1 with a receiver that answers 20 % of the recipients 451 once, and 2 % 550',
    injection: 'smtp',
    dkim: false,
    count: 20_000,
    refusals: { always: [33, 77], onceEvery: 5 },
  },
];

export const QUICK = { count: 2_000, warmUp: 200 } as const;

/** From domain of all messages; the one with the DKIM key. */
export const FROM_DOMAIN = 'source.test';
export const FROM_ADDRESS = `source@${FROM_DOMAIN}`;
/** Label of all mail over the control socket. */
export const CAMPAIGN = 'bench';
export const RECIPIENT_DOMAINS = 20;
/** Recipient domains where there are more ISPs than one. */
export const ISP_DOMAINS = 300;
export const recipientOf = (index: number, domains: number): string => `u${index}@d${index % domains}.test`;

/** What one run yields. Rates are per second of wall time, CPU is user + system. */
export interface Figures {
  readonly acceptedPerSecond: number;
  /** Messages by the time from the first MAIL (or batch line) to the last message at the receiver. */
  readonly deliveredPerSecond: number;
  readonly cpuPer1000: number;
  /** The same per 1,000 attempts; differs where some are refused and tried again. */
  readonly cpuPer1000Attempts: number;
  /** Flushes of the disk that holds the queue, per message; NaN where the kernel does not count them. */
  readonly flushesPerMessage: number;
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

export const workloadOf = (name: Workload['name']): Workload => WORKLOADS.find((one) => one.name === name)!;
